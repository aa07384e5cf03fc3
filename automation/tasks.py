"""What the workers do. Every task may be repeated, and any may be lost."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from celery import shared_task
from django.db import transaction

from accounts.models import Connection
from accounts.publishing import publish
from accounts.services import batches, steadily

from . import services
from .models import RuleRun


@shared_task
def dispatch_due_rules() -> None:
    """Queue what is due now: new occurrences, and runs that may go on."""
    started = services.dispatch_due_rules()
    queue_runs(run.pk for run in started)
    queue_runs(services.due_again())


@shared_task
def execute_run(run_id: str) -> None:
    """Carry out one run, and queue those that waited for it.

    Safe to repeat: what is done is not sent again.
    """
    run = services.execute_run(run_id)
    queue_runs(services.wake(run))


@shared_task
def execute_runs(run_ids: list[str]) -> None:
    """Carry out several runs side by side, and queue those that waited for them.

    Safe to repeat, as `execute_run` is, which goes on with what goes on alone. Raises
    what went wrong with any of them when all were carried out.
    """
    failed: list[Exception] = []
    for rested in services.execute_runs(run_ids):
        for run_id in rested.alone:
            publish(execute_run, str(run_id))
        for run in rested.done:
            queue_runs(steadily(partial(services.wake, run)))
        failed += rested.failed
    if failed:
        raise ExceptionGroup("Some runs could not be carried out", failed)


@shared_task
def reread_transfer(transfer_id: str) -> None:
    """Ask once more what came of a transfer that waits for a person."""
    queue_runs(services.wake(services.reread(transfer_id)))


@shared_task
def sweep_unsettled() -> None:
    """Queue what messages forgot: the rows are the record."""
    services.put_right()
    services.put_schedules_right()
    queue_runs(services.due_runs())
    for transfer_id in services.due_transfers():
        publish(reread_transfer, str(transfer_id))


def follow(run: RuleRun) -> None:
    """Queue what a person's decision about `run` lets go on: it, and who waited for it.

    Others are waked once the decision is committed: two people who decide about two
    runs must not wait for each other's.
    """
    queue_runs([] if run.finished_at else [run.pk])

    def wake() -> None:
        run.waiting = None  # others have come to wait while this was not committed
        queue_runs(services.wake(run))

    transaction.on_commit(wake, robust=True)


@shared_task
def prove_transfers() -> None:
    """Queue the proof of every connection that rules move money in, and a clearing up."""
    for connection_id in services.to_prove():
        publish(prove_connection, str(connection_id))
    publish(forget_idle_runs)


@shared_task
def forget_idle_runs() -> None:
    """Delete runs older than RULE_RUN_DAYS that moved nothing, some thousand at a time."""
    if services.forget_idle_runs():
        publish(forget_idle_runs)


@shared_task
def prove_connection(connection_id: str) -> None:
    """Compare 90 days of transfers with the bank's entries. Safe to repeat.

    What a run that was given up left unclear is asked about each night; once that was
    answered, as often as anything else that waits for a person.
    """
    rows = Connection.objects.in_use().filter(pk=connection_id)
    for connection in rows:
        services.prove_connection(connection)
        for transfer_id in services.take_up_unclear(connection.pk):
            publish(reread_transfer, str(transfer_id))


def queue_runs(ids: Iterable[UUID]) -> None:
    """Queue runs: what is due at the same time goes side by side."""
    for several in batches([str(run_id) for run_id in ids], services.TOGETHER):
        if len(several) > 1:
            publish(execute_runs, several)
        else:
            publish(execute_run, *several)
