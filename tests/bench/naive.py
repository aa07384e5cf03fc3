"""The design a user would write: a Celery task per account, `requests.get`, the ORM.

It has the product's rows and adapter and none of its care: no validation, no
corrections, no history of runs, no deadline, no breaker, no consent handling.
"""

from __future__ import annotations

import redis
import requests
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from accounts.models import Account, Balance, BalanceSnapshot, Connection
from providers.wire import Request, Response, drive

QUEUE, DONE = "naive", "bench:naive:done"
counter = redis.Redis.from_url(settings.REDIS_URL)


@shared_task
def sync(connection_id: str) -> None:
    """Ask for one connection's balances and write them down."""
    connection = Connection.objects.get(pk=connection_id)
    adapter = connection.adapter

    def get(request: Request) -> Response:
        signed = adapter.sign(request, now(), 0)
        answer = requests.get(
            adapter.url(signed),
            params=signed.params,
            headers=signed.headers,
            timeout=20,
        )
        return Response(answer.status_code, answer.headers, answer.content)

    for reading in drive(adapter.observe(), get).readings:
        write(connection, reading)
    counter.incr(DONE)


def write(connection, reading) -> None:
    """Write one balance and its snapshot, each in a statement of its own."""
    if reading.total is None:
        return
    moment = now()
    with transaction.atomic():
        account = Account.objects.select_for_update().get(
            connection=connection, external_id=reading.external_id
        )
        held = {"total": reading.total, "available": reading.available}
        Balance.objects.update_or_create(
            account=account, defaults={**held, "as_of": moment, "fetched_at": moment}
        )
        BalanceSnapshot.objects.get_or_create(
            account=account, as_of=moment, defaults=held
        )
