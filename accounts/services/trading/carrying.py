"""Carries readings of trading on, in slices, until they are over: by whoever is free.

A sync run whose balances are done and whose trading is not stays `running`. Its
`resume_at` is a lease while somebody reads, and the moment to go on while nobody does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, transaction
from django.db.models import F
from django.utils.timezone import now

import providers
from accounts.models import Connection, SyncRun
from accounts.trading import progress as stages
from accounts.trading.progress import Progress
from providers import Provider
from providers.errors import ProviderError
from providers.trading import ReportsTrading

from . import books
from .asking import Wait
from .reading import Reading

log = structlog.get_logger(__name__)
SLICE = 40.0  # seconds, less than a task may take with one more question
LONGEST = timedelta(hours=12)  # after which a reading that does not end is given up
BUSY = 1.0  # seconds after which somebody else's work is looked at again
WHOLE = frozenset({SyncRun.Kind.MANUAL, SyncRun.Kind.START_UP, SyncRun.Kind.EMERGENCY})
Tell = Callable[[SyncRun, Progress], None]


class TakesTooLong(ProviderError):
    """Orders and trades could not be read to the end in half a day."""

    code = "takes_too_long"


def reports_trading(connection: Connection) -> bool:
    """Say whether the connection's provider tells of orders, trades and positions."""
    slug = connection.provider
    return slug in providers.slugs() and issubclass(
        providers.load(slug), ReportsTrading
    )


@dataclass(frozen=True, slots=True)
class Later:
    """After how many seconds somebody should go on."""

    seconds: float


def is_due(
    connection: Connection, provider: Provider, kind: str, moment: datetime
) -> bool:
    """Say whether a sync of this kind should read orders, trades and positions, too."""
    if not isinstance(provider, ReportsTrading):
        return False
    if kind in WHOLE:
        return True
    if kind != SyncRun.Kind.PERIODIC:
        return False
    read_at = connection.trading_read_at
    every = timedelta(seconds=connection.trading_interval_seconds)
    return read_at is None or read_at <= moment - every


def being_read(connections: Iterable[UUID], kind: str) -> set[UUID]:
    """Return those whose orders and trades a sync that is no less than this one reads.

    It reads on until it is over, however long that takes: a second one beside it would
    only spend the same budget on the same histories.
    """
    runs = SyncRun.objects.filter(
        connection__in=connections,
        status=SyncRun.Status.RUNNING,
        resume_at__isnull=False,
    )
    if kind != SyncRun.Kind.PERIODIC:
        runs = runs.filter(kind__in=WHOLE)
    return set(runs.values_list("connection", flat=True))


def carry_on(
    sync_id: UUID | str, *, seconds: float = SLICE, tell: Tell | None = None
) -> Later | None:
    """Read on for about so many seconds; None where nothing is left for this one.

    Of many that try at once one reads. Safe to repeat at any time.
    """
    run = _claim(sync_id)
    if run is None:
        return None
    reading = Reading(run)
    try:
        over = _read(reading, seconds, tell)
    except Wait as wait:
        return _hand_back(reading, wait.seconds, tell)
    except ProviderError as error:
        reading.progress.trouble(str(error), error.code)
        _finish(reading, failed=True)
    except (DataError, IntegrityError) as error:
        log.exception("An answer cannot be stored", connection=run.connection_id)
        reading.progress.trouble(type(error).__name__, "unstorable")
        _finish(reading, failed=True)
    else:
        if not over:
            return _hand_back(reading, 0.0, tell)
        _finish(reading, failed=False)
    if tell is not None:
        tell(run, reading.progress)
    return None


def see_through(
    run: SyncRun,
    *,
    tell: Tell | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> SyncRun:
    """Read on until it is over, whoever does it, and return the run as it is then."""
    while run.status == SyncRun.Status.RUNNING:
        later = carry_on(run.pk, tell=tell)
        run.refresh_from_db()
        if run.status == SyncRun.Status.RUNNING:
            sleep(later.seconds if later else BUSY)
    return run


def _claim(sync_id: UUID | str) -> SyncRun | None:
    moment = now()
    rows = SyncRun.objects.filter(
        pk=sync_id, status=SyncRun.Status.RUNNING, resume_at__lte=moment
    )
    if not rows.update(resume_at=moment + SyncRun.LEASE):
        return None
    return SyncRun.objects.select_related("connection").get(pk=sync_id)


def _read(reading: Reading, seconds: float, tell: Tell | None) -> bool:
    """Read until it is over or the time is; return whether it is over."""
    if reading.connection.archived_at is not None:
        raise ProviderError("The connection is no longer in use")
    if now() - reading.run.created > LONGEST:
        raise TakesTooLong
    ends = time.monotonic() + seconds
    reading.progress.waits_until = ""
    for _ in reading.steps():
        _save(reading, SyncRun.LEASE)
        if tell is not None:
            tell(reading.run, reading.progress)
        if time.monotonic() >= ends:
            return reading.progress.stage == stages.DONE
    return True


def _save(reading: Reading, lease: timedelta, **more) -> None:
    """Note how far it has come; a crash repeats what came since, without harm."""
    asked, reading.asker.requests = reading.asker.requests, 0
    SyncRun.objects.filter(pk=reading.run.pk).update(
        progress=reading.progress.written(),
        requests=F("requests") + asked,
        resume_at=now() + lease,
        **more,
    )


def _hand_back(reading: Reading, seconds: float, tell: Tell | None) -> Later:
    wait = timedelta(seconds=seconds)
    if seconds:
        reading.progress.waits_until = (now() + wait).isoformat()
    # Nobody has been told to go on yet: the beat may do so at once.
    _save(reading, wait, published_at=None)
    if tell is not None:
        tell(reading.run, reading.progress)
    return Later(seconds)


def _finish(reading: Reading, *, failed: bool) -> None:
    run, progress = reading.run, reading.progress
    if not failed:
        progress.stage = stages.DONE
    trouble = bool(progress.problems)
    status = SyncRun.Status.PARTIAL if trouble else SyncRun.Status(progress.balances)
    told = {"status": status, "finished": now()}
    if trouble:
        told |= {
            "error_code": progress.error_code[:40],
            "error": "; ".join(progress.problems)[:2000],
        }
    with transaction.atomic():
        if failed:
            books.go_on_from_recovery(run)
        _save(reading, timedelta(), **told)
        Connection.objects.filter(pk=run.connection_id).update(trading_read_at=now())
    run.refresh_from_db()
    level = log.warning if trouble else log.info
    level(
        "Trading read",
        connection=str(run.connection_id),
        kind=run.kind,
        status=run.status,
        orders=progress.orders,
        trades=progress.trades,
        positions=progress.positions,
        corrections=progress.changed,
        error=run.error,
    )
