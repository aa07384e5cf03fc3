"""The histories of orders and trades: which there are, and how far each was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.timezone import now

from accounts.models import BookCursor, SyncRun
from accounts.trading import checking
from providers.trading import Page

from . import findings, writing
from .asking import Asker
from .writing import Place

What = BookCursor.What
LONGEST_NAME = 200


class Stuck(checking.UnusableRow):
    """A history says that there is more, and does not move on."""

    code = "stuck_history"


def look_back(moment: datetime) -> datetime:
    """Return from when on histories are read where nothing was read before."""
    return moment - timedelta(days=settings.RECOVERY_DAYS)


def wanted(run: SyncRun) -> list[BookCursor.What]:
    """Return which histories a sync of this kind reads."""
    if run.kind == SyncRun.Kind.PERIODIC:
        return [
            What.TRADES
        ]  # orders that are over were looked up, or their trades told
    return [What.ORDERS, What.TRADES]


def open_books(run: SyncRun, names: Iterable[str], began: datetime) -> int:
    """Make sure that each book has a cursor; return how many have to be read.

    A recovery has its own, from the beginning, so that an interruption loses nothing.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        if len(name) > LONGEST_NAME:
            raise checking.UnusableRow(f"{name!r:.60} is no book")
    sync = run if is_recovery(run) else None
    BookCursor.objects.bulk_create(
        [
            BookCursor(
                connection_id=run.connection_id,
                what=what,
                book=name,
                sync=sync,
                since=look_back(began),
            )
            for what in wanted(run)
            for name in names
        ],
        ignore_conflicts=True,
    )
    return len(names) * len(wanted(run))


def is_recovery(run: SyncRun) -> bool:
    """Say whether a sync reads everything again."""
    return run.kind == SyncRun.Kind.EMERGENCY


def unread(run: SyncRun, names: Sequence[str], began: datetime) -> list[BookCursor]:
    """Return the books of this sync whose end was not reached, orders first."""
    sync = run if is_recovery(run) else None
    rows = BookCursor.objects.filter(connection=run.connection_id, sync=sync)
    rows = rows.filter(book__in=names, what__in=wanted(run))
    return [
        row
        for row in rows.order_by("what", "book")
        if row.read_at is None or row.read_at < began
    ]


def read_page(
    asker: Asker, place: Place, book: BookCursor
) -> tuple[int, writing.Written]:
    """Read the next page of a book and keep it with its cursor, all or nothing.

    Returns how many rows it had, and what became of them; raises Wait, ProviderError.
    """
    asked = now()
    is_orders = book.what == What.ORDERS
    page: Page = asker.ask(
        lambda provider: (provider.orders if is_orders else provider.trades)(
            book.book, book.cursor, now=asked, since=book.since
        )
    )
    if page.more and page.cursor == book.cursor:
        raise Stuck(f"{book.what} of {book.book}"[:200])
    check = checking.orders if is_orders else checking.trades
    rows = check(page.rows)
    with writing.alone(place.connection_id):
        if is_orders:
            kept = writing.counts(writing.write_orders(place, rows, asked))
        else:
            verdict = writing.write_trades(place, rows)
            findings.keep_rewritten(place, verdict.rewritten)
            kept = writing.counts(verdict)
        book.cursor, book.error = page.cursor, ""
        book.read_at = None if page.more else asked
        book.save(update_fields=["cursor", "read_at", "error"])
    return len(rows), kept


def skip(book: BookCursor, error: Exception) -> None:
    """Leave a book where it is, with the reason; the next sync tries it again."""
    book.error = str(error)[:500]
    book.save(update_fields=["error"])


def go_on_from_recovery(run: SyncRun) -> None:
    """Let later syncs start where a recovery ended, and forget its own cursors."""
    if not is_recovery(run):
        return
    own = BookCursor.objects.filter(sync=run)
    done = own.exclude(read_at=None)
    BookCursor.objects.bulk_create(
        [
            BookCursor(
                connection_id=row.connection_id,
                what=row.what,
                book=row.book,
                cursor=row.cursor,
                since=row.since,
                read_at=row.read_at,
            )
            for row in done
        ],
        update_conflicts=True,
        unique_fields=["connection", "what", "book", "sync"],
        update_fields=["cursor", "read_at", "error"],
    )
    own.delete()
