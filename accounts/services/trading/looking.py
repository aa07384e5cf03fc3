"""Looks up what no answer told of, before anything is concluded from that."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import structlog
from django.utils.timezone import now

from accounts.models import Order, SyncRun, Trade
from accounts.trading import checking, orders, positions
from accounts.trading.progress import Progress
from accounts.trading.words import KnownOrder
from providers.errors import ProviderError
from providers.trading import Market, Sought

from . import books, findings, known, writing
from .asking import Asker, gives_up
from .writing import Place

log = structlog.get_logger(__name__)


class Looking:
    """One sync's questions about trading; `progress` is all that it has to remember."""

    def __init__(self, run: SyncRun) -> None:
        self.run, self.connection = run, run.connection
        self.progress = Progress.read(run.progress)
        self.asker = Asker(self.connection)
        self.place = Place(run.connection_id, run.pk, books.is_recovery(run))

    def _count(self, kept: writing.Written) -> None:
        self.progress.found += kept.found
        self.progress.changed += kept.changed

    def look_ups(self) -> Iterator[None]:
        progress, pk = self.progress, self.place.connection_id
        if "no open orders" not in progress.told:
            missing = self._missing()
            progress.look_ups = progress.looked_up + len(missing)
            for order in missing:
                self._look_up(order)
                progress.looked_up += 1
                yield
            with writing.alone(pk):
                gone = self._conclude()
            progress.changed += len(gone.changes)
        if self.place.recovering:
            yield from self._orders_of_trades()
        if "no positions" not in progress.told:
            with writing.alone(pk):
                settled = self._settle()
            progress.changed += len(settled.changes)

    def _missing(self) -> list[KnownOrder]:
        """Return what was live, is told of no more, and was not looked up yet."""
        began, doubted = self.progress.began_at, set(self.progress.doubted)
        return [
            order
            for order in orders.unseen(
                known.live_orders(self.place.connection_id), began
            )
            if (order.absent_at is None or order.absent_at < began)
            and order.id.hex not in doubted
        ]

    def _look_up(self, before: KnownOrder) -> None:
        """Ask for one order: that the look-up failed says nothing of the order."""
        asked, what = now(), f"order {before.id.hex}"
        sought = Sought(before.order.external_id, before.order.market)
        try:
            found = self.asker.ask(lambda p: p.find_order(sought))
            told = checking.orders([] if found is None else [found])
        except ProviderError as error:
            if gives_up(self.progress.failures, what, error):
                why = f"It could not be looked up: {error}"
                writing.doubt([before], why)
                self.progress.doubted.append(before.id.hex)
                self.progress.failures.pop(what, None)
                name = f"{sought.market.name} {sought.external_id}"
                self.progress.trouble(f"order {name}: {error}", error.code)
            return
        log.info("order_looked_up", order=str(before.id), outcome=orders.outcome(found))
        with writing.alone(self.place.connection_id):
            if told:
                verdict = writing.write_orders(
                    self.place, told, asked, reason=orders.LOOKED_UP
                )
                self._count(writing.counts(verdict))
            else:
                writing.doubt([before], "", absent_at=asked)

    def _conclude(self) -> orders.Missing:
        progress = self.progress
        verdict = writing.write_absent(
            self.place,
            progress.live_before,
            progress.began_at,
            findings.most_of(self.connection, "order"),
        )
        findings.keep_gone_orders(self.place, verdict.held_back, progress.live_before)
        if verdict.held_back:
            progress.trouble("most open orders are gone at once", "quarantined")
        return verdict

    def _settle(self) -> positions.Positions:
        progress, pk = self.progress, self.place.connection_id
        there = known.positions(pk, derived=False).values()
        began = progress.began_at
        missing = [k for k in there if not k.closed and k.seen_at < began]
        since = min((k.seen_at for k in missing), default=began)
        rows = Trade.objects.filter(connection=pk, created__gte=since)
        traded = set(rows.order_by().values_list("segment", "market").distinct())
        most = findings.most_of(self.connection, "position")
        verdict = positions.settle(missing, progress.open_before, traded, most)
        writing.close_positions(self.place, verdict.closed, verdict.changes)
        findings.keep_gone_positions(
            self.place, verdict.held_back, progress.open_before
        )
        if verdict.held_back:
            progress.trouble("most positions are gone at once", "quarantined")
        return verdict

    def _orders_of_trades(self) -> Iterator[None]:
        """Look up the orders that trades name and no history told of: older ones."""
        for sought in strangers(self.place.connection_id, self.progress.skipped):
            name = f"order {sought.market.name} {sought.external_id}"
            self._try_stranger(name, sought)
            yield

    def _try_stranger(self, name: str, sought: Sought) -> None:
        progress, asked = self.progress, now()
        try:
            found = self.asker.ask(lambda p: p.find_order(sought))
            told = checking.orders([] if found is None else [found])
        except ProviderError as error:
            if gives_up(progress.failures, name, error):
                progress.trouble(f"{name}: {error}", error.code)
                progress.skipped.append(name)
            return
        progress.skipped.append(name)
        with writing.alone(self.place.connection_id):
            kept = writing.counts(writing.write_orders(self.place, told, asked))
        self._count(kept)


def strangers(connection_id: UUID, skipped: list[str]) -> list[Sought]:
    """Return the orders that trades name and that are not known."""
    fields = ("segment", "market", "base", "quote", "order_id")
    trades = Trade.objects.filter(connection=connection_id).exclude(order_id="")
    named = set(trades.order_by().values_list(*fields).distinct())
    there = set(
        Order.objects.filter(connection=connection_id)
        .order_by()
        .values_list("segment", "market", "base", "quote", "external_id")
    )
    wanted = [
        Sought(order, Market(market, base, quote, segment))
        for segment, market, base, quote, order in sorted(named - there)
    ]
    done = set(skipped)
    return [s for s in wanted if f"order {s.market.name} {s.external_id}" not in done]
