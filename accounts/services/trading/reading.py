"""Reads orders, trades and positions of one connection, stage by stage.

Whatever was read is kept at once, so that an interruption costs one question. Nothing
is concluded from what an answer leaves out before it was looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.utils.timezone import now

from accounts.models import SyncRun, Trade
from accounts.trading import checking
from accounts.trading import progress as stages
from providers.base import DescribesKey
from providers.errors import ProviderError

from . import books, gains, known, writing
from .asking import gives_up
from .keys import KEY_EVERY, note_permissions
from .looking import Looking

Step = Callable[[], None]
A_MOMENT = timedelta(minutes=1)  # in which a stream may have told of a trade meanwhile


class Reading(Looking):
    """What one sync reads of trading."""

    def steps(self) -> Iterator[None]:
        """Go on where it stopped; after each yield all that was read is kept.

        Raises Wait, and the ProviderError of what makes going on pointless.
        """
        stage_of = {
            stages.OPEN: self._open,
            stages.HISTORIES: self._histories,
            stages.LOOK_UPS: self.look_ups,
            stages.WORKING_OUT: self._work_out,
        }
        while self.progress.stage != stages.DONE:
            yield from stage_of[self.progress.stage]()
            at = stages.STAGES.index(self.progress.stage)
            self.progress.stage = stages.STAGES[at + 1]
            yield

    # -- what is open now

    def _open(self) -> Iterator[None]:
        progress = self.progress
        if not progress.began:
            progress.began = now().isoformat()
            progress.live_before = len(known.live_orders(self.place.connection_id))
            there = known.positions(self.place.connection_id, derived=False)
            progress.open_before = sum(not k.closed for k in there.values())
        for what, read in (
            ("key", self._key),
            ("open orders", self._open_orders),
            ("positions", self._positions),
            ("books", self._books),
        ):
            if what not in progress.told:
                self._try(what, read)
                yield

    def _try(self, what: str, read: Step) -> bool:
        """Carry `read` out, or note that it failed; raises Wait where it may yet work."""
        progress = self.progress
        try:
            read()
        except ProviderError as error:
            if gives_up(progress.failures, what, error):
                progress.trouble(f"{what}: {error}", error.code)
                progress.told.append(f"no {what}")
                progress.told.append(what)
            return False
        progress.failures.pop(what, None)
        progress.told.append(what)
        return True

    def _key(self) -> None:
        connection, moment = self.connection, now()
        if not isinstance(connection.adapter, DescribesKey):
            return
        read_at = connection.key_read_at
        if read_at is None or moment - read_at > KEY_EVERY:
            note_permissions(connection, self.asker.ask(lambda p: p.permissions()))

    def _open_orders(self) -> None:
        asked = now()
        told = checking.orders(self.asker.ask(lambda p: p.open_orders()))
        with writing.alone(self.place.connection_id):
            verdict = writing.write_orders(self.place, told, asked)
        self.progress.orders += len(told)
        self._count(writing.counts(verdict))

    def _positions(self) -> None:
        asked = now()
        told = checking.positions(self.asker.ask(lambda p: p.positions()))
        with writing.alone(self.place.connection_id):
            verdict = writing.write_positions(self.place, told, asked)
        self.progress.positions += len(told)
        self._count(writing.counts(verdict))

    def _books(self) -> None:
        pk, wide = self.place.connection_id, self.place.recovering
        codes, markets = known.codes(pk), known.markets(pk)
        names = self.asker.ask(lambda p: p.books(codes, markets, wide=wide))
        self.progress.books = books.open_books(self.run, names, self.progress.began_at)
        self.progress.names = list(dict.fromkeys(names))

    # -- histories, page by page

    def _histories(self) -> Iterator[None]:
        progress = self.progress
        for book in books.unread(self.run, progress.names, progress.began_at):
            name = f"{book.what} of {book.book or 'everything'}"
            if name in progress.skipped:
                continue
            while book.read_at is None or book.read_at < progress.began_at:
                if not self._page(name, book):
                    break
                yield
            progress.books_read += 1

    def _page(self, name: str, book: books.BookCursor) -> bool:
        progress = self.progress
        try:
            count, kept = books.read_page(self.asker, self.place, book)
        except ProviderError as error:
            if gives_up(progress.failures, name, error):
                books.skip(book, error)
                progress.trouble(f"{name}: {error}", error.code)
                progress.skipped.append(name)
            return False
        progress.failures.pop(name, None)
        progress.pages += 1
        if book.what == books.What.ORDERS:
            progress.orders += count
        else:
            progress.trades += count
        self._count(kept)
        return True

    # -- what follows from it

    def _work_out(self) -> Iterator[None]:
        books.go_on_from_recovery(self.run)
        progress = self.progress
        if (
            not progress.skipped_books
            and "no books" not in progress.told
            and (self.run.kind != SyncRun.Kind.PERIODIC or self._has_news())
        ):
            worked = gains.reckon(self.place.connection_id)
            if worked is not None:
                with writing.alone(self.place.connection_id):
                    gains.keep(self.place, worked)
        # It ends here: a stage that is interrupted at its end would begin again.
        yield from ()

    def _has_news(self) -> bool:
        """Say whether any trade came since the last reading, by stream or by this one.

        Without one nothing follows from a balance that was not known before.
        """
        read_at = self.connection.trading_read_at
        if read_at is None:
            return True
        rows = Trade.objects.filter(connection=self.place.connection_id)
        return rows.filter(recorded_at__gt=read_at - A_MOMENT).exists()
