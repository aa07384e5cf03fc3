"""What is left to a person: most orders or positions gone at once, trades told otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from accounts.models import CheckSetting, Connection, QuarantinedReading
from accounts.services import statements as general
from accounts.services.auditing import audit
from accounts.services.statements import write
from accounts.text import clean_json
from accounts.trading import orders, positions
from accounts.trading.figures import plain
from accounts.trading.words import KnownOrder, KnownPosition, Most
from accounts.validator import BLOCKING, RULES, effective
from providers import trading
from providers.money import Asset

from . import known, statements
from .writing import Place, believe_absent, close_positions

log = structlog.get_logger(__name__)
GONE = "mass_disappearance"
REWRITTEN = "rewritten"
ORDERS = QuarantinedReading.ORDERS
POSITIONS = QuarantinedReading.POSITIONS
EVERY_ASSET = Asset("", 0)
MOST_NAMED = 1_000  # ids that one finding names


def most_of(connection: Connection, kind: str) -> Most:
    """Return from when on so many of `kind` gone at once are not believed.

    As the workspace has set it for the rule about accounts: by kind, "order" or
    "position", or for all of them.
    """
    rows = [
        r.row for r in CheckSetting.objects.filter(workspace=connection.workspace_id)
    ]
    held = effective(RULES[GONE], rows, kind, EVERY_ASSET)
    if not held.enabled or held.severity not in BLOCKING:
        return Most(percent=101)
    return Most(percent=int(held.threshold))


def keep_gone_orders(place: Place, gone: Sequence[KnownOrder], of: int) -> None:
    """Tell a person that most open orders are gone at once, or that they are back."""
    names = [(k.id, f"{k.order.market.name} {k.order.external_id}") for k in gone]
    _keep_gone(place, ORDERS, "open orders", names, of)


def keep_gone_positions(place: Place, gone: Sequence[KnownPosition], of: int) -> None:
    """Tell a person that most positions are gone at once, or that they are back."""
    write(
        statements.DOUBT_POSITIONS,
        sorted((k.id, f"{len(gone)} of {of} positions are gone at once") for k in gone),
    )
    names = [(k.id, f"{k.position.market.name} {k.position.external_id}") for k in gone]
    _keep_gone(place, POSITIONS, "positions", names, of)


def _keep_gone(
    place: Place, what: str, words: str, names: Sequence[tuple[UUID, str]], of: int
) -> None:
    if not names:
        write(statements.RELEASED, [(place.connection_id, what, GONE)])
        return
    text = f"{RULES[GONE].label}: {len(names)} of {of} {words}"
    some = names[:MOST_NAMED]
    raw = {"ids": [str(pk) for pk, _ in some], "names": [name for _, name in some]}
    _keep(place, [(what, GONE, text, raw)])


def keep_rewritten(
    place: Place, pairs: Iterable[tuple[trading.Trade, trading.Trade]]
) -> None:
    """Tell a person which trades are told otherwise than they are known."""
    rows = []
    for ours, theirs in pairs:
        name = f"{ours.market.name} {ours.external_id}"
        text = f"{RULES[REWRITTEN].label}: the trade {name}"
        what = f"{QuarantinedReading.TRADE}{name}"[:100]
        raw = {"known": _told(ours), "told": _told(theirs)}
        rows.append((what, REWRITTEN, text, raw))
    _keep(place, rows)


def _told(trade: trading.Trade) -> dict[str, str]:
    figures = ("quantity", "price", "cost", "fee", "pnl")
    return {
        "side": trade.side,
        "created": trade.created.isoformat(),
        **{name: plain(getattr(trade, name)) for name in figures},
    }


def _keep(
    place: Place, findings: Sequence[tuple[str, str, str, Mapping[str, Any]]]
) -> None:
    for what, rule, text, _ in findings:
        log.warning(
            "trading_doubted",
            connection=str(place.connection_id),
            about=what,
            rule=rule,
            text=text,
        )
    nothing = (None,) * 5
    write(
        general.QUARANTINE,
        [
            (
                place.connection_id,
                place.sync_id,
                None,
                what,
                rule,
                RULES[rule].severity,
                text,
                *nothing,
                "live",
                clean_json(raw),
            )
            for what, rule, text, raw in sorted(findings, key=lambda found: found[:2])
        ],
    )


def believe_gone(row: QuarantinedReading, *, user, reason: str) -> None:
    """Believe that what a finding names is gone, as `user` says; the caller is alone."""
    place = Place(row.connection_id, row.sync_id)
    ids = {UUID(text) for text in row.raw.get("ids", ())}
    why = f"accepted by {user}: {reason}"
    if row.external_id == ORDERS:
        live = [k for k in known.live_orders(row.connection_id) if k.id in ids]
        changes = [orders.gone(k, why) for k in live]
        believe_absent(place, [k.id for k in live], changes)
        count = len(live)
    else:
        there = known.positions(row.connection_id, derived=False).values()
        gone = [k for k in there if k.id in ids and not k.closed]
        changes = [positions.closed(k, why, sure=False) for k in gone]
        close_positions(place, [k.id for k in gone], changes)
        count = len(gone)
    audit(
        "reading.accepted",
        row,
        workspace=row.connection.workspace_id,
        new={"rule": row.rule, "about": row.external_id, "rows": count},
        reason=reason,
        kind="quarantine",
    )
