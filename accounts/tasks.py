"""What the workers do. Every task may be repeated, and any may be lost."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import beat_init
from django.dispatch import receiver

from . import services
from .models import Connection, IdempotencyKey, SyncRun
from .publishing import publish
from .services import events
from .signals import events_written


@shared_task
def dispatch_due_syncs() -> None:
    """Claim what is due, and what was requested but not begun, and queue it."""
    for ids in services.claim_due():
        publish(sync_batch, [str(pk) for pk in ids], SyncRun.Kind.PERIODIC.value)
    for pk in (*services.claim_requested(), *services.claim_unfetched()):
        publish(run_sync, str(pk))


@shared_task
def sync_at_start() -> None:
    """Queue a sync of every connection: nobody knows what happened meanwhile."""
    for ids in services.claim_at_start():
        publish(sync_batch, [str(pk) for pk in ids], SyncRun.Kind.START_UP.value)


@beat_init.connect
def ask_at_start(**_: Any) -> None:
    """Let everything be read when beat starts, as it does with the whole of balsync."""
    publish(sync_at_start)


@shared_task
def sync_batch(connection_ids: list[str], kind: str) -> None:
    """Sync some hundred connections. A lost message costs one interval."""
    rows = Connection.objects.to_sync().filter(pk__in=connection_ids)
    runs = services.sync(rows, kind)
    for later in services.announce_all(runs):
        publish(run_sync, str(later.pk))
    for run in runs:
        if run.status == SyncRun.Status.RUNNING:
            publish(carry_on, str(run.pk))


@shared_task
def refresh(connection_id: str) -> None:
    """Sync a connection because somebody asked how much it holds, unless that was done."""
    run = services.request_refresh(connection_id)
    if run is not None:
        run_sync(str(run.pk))


@shared_task
def run_sync(sync_run_id: str) -> None:
    """Carry out a sync that somebody asked for, unless it is done or running."""
    run = services.run_requested(sync_run_id)
    if later := services.announce_fetched(run):
        publish(run_sync, str(later.pk))
    carry_on(str(run.pk))


@shared_task
def carry_on(sync_run_id: str) -> None:
    """Read orders and trades for a while, unless that is done, or done elsewhere."""
    later = services.carry_on(sync_run_id)
    if later is not None and not later.seconds:
        publish(carry_on, sync_run_id)  # what has to wait is found by the beat


@shared_task
def forget_old_transactions() -> None:
    """Delete the transactions that are older than TRANSACTION_DAYS, and old hints."""
    services.forget_old_transactions()
    services.forget_old_hints()


@shared_task
def forget_old_answers() -> None:
    """Delete the stored answers that nobody asks for again, and the old nonces."""
    IdempotencyKey.objects.forget_old()
    services.forget_old_nonces()


@shared_task
def deliver_events() -> None:
    """Send events to whoever wants them. Safe to repeat, and from many workers."""
    while events.route():
        pass
    events.deliver()


@shared_task
def look_for_conditions() -> None:
    """Tell what has begun, still holds and is over."""
    events.look_for_conditions()


@shared_task
def refresh_rates() -> None:
    """Ask the tickers what the assets that people hold are worth."""
    services.refresh_rates()


@shared_task
def read_keys() -> None:
    """Ask what keys may do, and when they end."""
    services.read_keys()


@shared_task
def keep_history() -> None:
    """Add the months that snapshots will come in, and give up what is kept no longer."""
    services.keep_history()


@shared_task
def forget_old_events() -> None:
    """Delete what was told 90 days ago, findings that are long over, and old sync runs."""
    events.forget_old()
    services.forget_old_findings()
    publish(forget_old_runs)


@shared_task
def forget_old_runs(since: str | None = None) -> None:
    """Delete sync runs older than SYNC_RUN_DAYS, those of some connections at a time."""
    if later := services.forget_old_runs(since):
        publish(forget_old_runs, str(later))


@shared_task
def seal_audit() -> None:
    """Put what was told to the audit into its chain."""
    services.seal()


@receiver(events_written)
def deliver_soon(sender: Any, **_: Any) -> None:
    """Queue what was just written; the beat finds it where this is lost."""
    publish(deliver_events)
