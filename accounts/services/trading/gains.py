"""Works out what spot trades have earned, and what is kept, and writes both down."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.utils.timezone import now

from accounts.models import Gain, Trade
from accounts.services.statements import write
from accounts.trading import gains
from accounts.trading.gains import Kept, Worked
from accounts.trading.words import Key
from providers import trading

from . import known, statements
from .writing import Place, close_positions, write_positions

WORKED_OUT = "derived "  # before the asset: the id of a position that nobody told of


def reckon(connection_id: UUID) -> Worked | None:
    """Work out gains and what is kept; None where nothing was ever traded.

    All trades of the connection are read: what an old one tells may change the rest. Of
    very many that takes longer than anybody should be kept waiting by a transaction.
    """
    told = known.all_trades(connection_id)
    if not told:
        return None
    since = min(trade.created for trade in told)
    return gains.work_out(told, known.holdings(connection_id, since))


def keep(place: Place, worked: Worked) -> None:
    """Bring gains and derived positions up to date; the caller is alone."""
    _keep_gains(place, worked.gains)
    derived = [_position(kept) for kept in worked.kept]
    verdict = write_positions(place, derived, now(), derived=True)
    seen = {*verdict.confirmed, *(pk for pk, _ in verdict.changed + verdict.found)}
    there = known.positions(place.connection_id, derived=True).values()
    over = [k for k in there if not k.closed and k.id not in seen]
    close_positions(place, [k.id for k in over], ())


def _keep_gains(place: Place, found: Mapping[Key, gains.Gain]) -> None:
    ids = _ids(place.connection_id)
    wanted = {ids[key]: (gain.amount, gain.asset) for key, gain in found.items()}
    rows = Gain.objects.filter(trade__connection=place.connection_id)
    before = {pk: rest for pk, *rest in rows.values_list("trade", "amount", "asset")}
    gone = before.keys() - wanted.keys()
    Gain.objects.filter(trade__in=gone).delete()
    write(
        statements.KEEP_GAINS,
        [
            (pk, *gain)
            for pk, gain in sorted(wanted.items())
            if before.get(pk) != list(gain)
        ],
    )


def _ids(connection_id: UUID) -> dict[Key, UUID]:
    rows = Trade.objects.filter(connection=connection_id, segment=gains.SPOT)
    told = rows.values_list("segment", "market", "external_id", "pk")
    return {(segment, market, name): pk for segment, market, name, pk in told}


def _position(kept: Kept) -> trading.Position:
    return trading.Position(
        f"{WORKED_OUT}{kept.market.base}",
        kept.market,
        "long",
        kept.quantity,
        entry_price=kept.entry_price,
        updated=kept.since,
    )
