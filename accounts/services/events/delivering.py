"""Deliveries: claimed, sent outside any transaction, settled if still ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog
from django.db import connection
from django.utils.timezone import now

from accounts.events import Phase
from accounts.models import Channel, Delivery

from .messages import Message, message
from .outgoing import Answer, send

log = structlog.get_logger("accounts.events")
TOGETHER = 20  # tries at the same time
TURN = 40.0  # seconds: a batch begun by then ends before the task's time limit
# After each failed try; when they are used up it is given up, after about two days.
PAUSES = [
    *(timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5)),
    *(timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6)),
    *(timedelta(hours=14), timedelta(hours=24)),
]

# Whoever claims and dies loses the lease: then it is sent again, under the same id.
CLAIM = """
WITH due AS (
  SELECT id FROM accounts_delivery
  WHERE status = 'pending' AND next_attempt_at <= %s
  ORDER BY next_attempt_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE accounts_delivery d
SET attempts = attempts + 1, next_attempt_at = %s
FROM due WHERE d.id = due.id RETURNING d.id
"""


def deliver() -> int:
    """Send what is due, as long as a turn lasts; return how many tries were made."""
    ends, tries = monotonic() + TURN, 0
    while monotonic() < ends and (rows := claim()):
        for row, answer in zip(rows, _send(rows), strict=True):
            settle(row, answer)
        tries += len(rows)
    return tries


def claim(limit: int = TOGETHER) -> list[Delivery]:
    """Take deliveries that are due, so that nobody else sends them now."""
    with connection.cursor() as cursor:
        moment = now()
        cursor.execute(CLAIM, [moment, limit, moment + Delivery.LEASE])
        ids: list[UUID] = [pk for (pk,) in cursor.fetchall()]
    rows = Delivery.objects.filter(pk__in=ids)
    return list(rows.select_related("event__workspace", "channel__preference"))


def _send(rows: Sequence[Delivery]) -> list[Answer]:
    return asyncio.run(_send_all([_message(row) for row in rows]))


async def _send_all(messages: Sequence[Message | None]) -> list[Answer]:
    tries = [send(each) for each in messages]
    return list(map(_came_of, await asyncio.gather(*tries, return_exceptions=True)))


def _came_of(told: Answer | BaseException) -> Answer:
    """Return the answer to one try: what nobody thought of is a failure of that one.

    Else all that was sent with it would be sent again, and again.
    """
    if isinstance(told, Answer):
        return told
    if not isinstance(told, Exception):
        raise told
    log.error("event_not_sent", exc_info=told)
    return Answer(False, f"Not sent: {type(told).__name__}")


def _message(row: Delivery) -> Message | None:
    """Return what is sent; None where the channel is gone."""
    if row.channel is None or not row.channel.enabled:
        return None
    return message(row, _held_back(row))


def _held_back(row: Delivery) -> int:
    """Return how many of the same kind were not told since the last that was."""
    event = row.event
    if event.phase != Phase.ONCE or row.channel_kind == Channel.Kind.WEBHOOK:
        return 0
    alike = Delivery.objects.filter(
        channel=row.channel,
        event__key=event.key,
        event__kind=event.kind,
        created__lt=row.created,
    )
    told = alike.exclude(status=Delivery.Status.HELD_BACK).order_by("-created").first()
    since = alike.filter(created__gt=told.created) if told else alike
    return since.filter(status=Delivery.Status.HELD_BACK).count()


def settle(row: Delivery, answer: Answer) -> bool:
    """Write what came of a try, unless another worker has tried again since."""
    mine = Delivery.objects.filter(
        pk=row.pk, status=Delivery.Status.PENDING, attempts=row.attempts
    )
    moment, told = now(), {"answer": answer.text[:200]}
    if answer.delivered:
        done = Delivery.Status.DELIVERED
        told |= {"status": done, "delivered_at": moment, "next_attempt_at": None}
    elif answer.final or row.attempts > len(PAUSES):
        told |= {"status": Delivery.Status.GIVEN_UP, "next_attempt_at": None}
    else:
        pause = PAUSES[row.attempts - 1]
        wait = max(pause, min(answer.wait or pause, PAUSES[-1]))
        told |= {"next_attempt_at": moment + wait}
    settled = mine.update(**told) == 1
    if answer.gone and row.channel_id:
        Channel.objects.filter(pk=row.channel_id).update(enabled=False)
    log.info(
        "event_delivery",
        delivery=str(row.pk),
        about=str(row.event_id),
        kind=row.event.kind,
        attempt=row.attempts,
        status=told.get("status", "pending"),
        answer=answer.text,
    )
    return settled
