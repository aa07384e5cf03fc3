"""What the workers do. Every task may be repeated, and any may be lost."""

from __future__ import annotations

from celery import shared_task

from accounts.publishing import publish

from . import services


@shared_task
def dispatch_due_rules() -> None:
    """Start what is due, and queue it."""
    for run in services.dispatch_due_rules():
        publish(execute_run, str(run.pk))


@shared_task
def execute_run(run_id: str) -> None:
    """Carry out one run. Safe to repeat: what is done is not sent again."""
    services.execute_run(run_id)


@shared_task
def sweep_unsettled() -> None:
    """Take a step further what messages forgot."""
    services.sweep_unsettled()
