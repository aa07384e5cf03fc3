"""Writes down who did what, in the transaction that does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, models, transaction
from django.db.transaction import TransactionManagementError

from accounts import acting
from accounts.acting import Actor
from accounts.links import plain
from accounts.models import AuditEvent, Workspace

Facts = Mapping[str, Any]
COMMANDS = "manage.py"  # the part that a person at a terminal is
# What the ORM writes to tables of which the database's triggers tell. What a sync
# writes by the thousand quotes no names: it is the system's own work, whoever asked.
FOLLOWED = re.compile(
    r'(?:INSERT INTO|UPDATE|DELETE FROM) "(?:'
    r"accounts_(?:workspace|membership|connection|account|checksetting|driftsetting"
    r"|signingkey|exchangerate|preference|channel|threshold)"
    r"|automation_(?:rule|ruleleg|trigger|transfer)"
    r'|auth_user|django_celery_beat_periodictask)"'
)
SET = "SELECT set_config('balsync.actor', %s, true)"
TOLD = "SELECT set_config('balsync.told', %s, true)"


class NotWithItsChange(TransactionManagementError):
    """What is told of a change is written in the transaction of the change."""


def audit(
    action: str,
    about: models.Model | None = None,
    *,
    workspace: Workspace | UUID | None = None,
    old: Facts | None = None,
    new: Facts | None = None,
    reason: str = "",
    kind: str = "",
) -> AuditEvent:
    """Write down `action`, such as `balance.synced`, about a row; return what was written.

    Who acts comes from `accounts.acting`. The workspace is the row's own if none is
    told. Numbers are written as strings. Raises NotWithItsChange outside a transaction.
    """
    if not connection.in_atomic_block:
        raise NotWithItsChange(NotWithItsChange.__doc__)
    who = acting.actor() or part()
    place = getattr(workspace, "pk", workspace) or getattr(about, "workspace_id", None)
    return AuditEvent.objects.create(
        workspace_id=place,
        via=who.via,
        user_id=who.user,
        actor=who.name[: acting.LONGEST_NAME],
        key_id=who.key or None,
        action=action,
        object_kind=kind or ("" if about is None else about._meta.model_name or ""),
        object_id="" if about is None else str(about.pk),
        old=plain(old or {}),
        new=plain(new or {}),
        reason=reason or acting.reason(),
        request_id=who.request or request_id(),
    )


def tell_database(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
) -> Any:
    """Tell the triggers who acts, before a statement that they may tell of.

    To be used as an `execute_wrapper` while somebody acts. The setting ends with the
    transaction, so that no later user of the connection is mistaken for this one.
    """
    if not isinstance(sql, str) or FOLLOWED.match(sql) is None:
        return execute(sql, params, many, context)
    if not connection.in_atomic_block:
        with transaction.atomic():
            return tell_database(execute, sql, params, many, context)
    if (who := acting.actor()) is not None:
        with connection.cursor() as cursor:
            cursor.execute(SET, [who.told(acting.reason())])
    return execute(sql, params, many, context)


@contextmanager
def told_as_one(kind: str) -> Iterator[None]:
    """Let the rows of a `kind` be written without an event each.

    The caller tells of them together, in the same transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(TOLD, [kind])
        yield
        cursor.execute(TOLD, [""])


def part() -> Actor:
    """Return which part of the system works here, where nobody asked for it."""
    by_hand = settings.PART.startswith(COMMANDS)
    via = AuditEvent.Via.COMMAND if by_hand else AuditEvent.Via.JOB
    return Actor(settings.PART, via.value)


def request_id() -> str:
    """Return the id under which the logs tell of this request or task."""
    told = structlog.contextvars.get_contextvars()
    return str(told.get("request_id") or told.get("task_id") or "")[:64]
