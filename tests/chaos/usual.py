"""The usual pattern, for comparison: read live, PUT under a fresh uuid, let Celery retry.

It is what one finds: a task per move, late acknowledgement, retries with backoff, a new
id for each attempt, and no row that says what was meant. It speaks to the same sandbox
through the same adapter, over the same Valkey.
"""

from __future__ import annotations

import json
import os
from uuid import uuid4

from celery import Celery

import providers
from balsync_project import broker
from providers.base import Place
from providers.drivers import blocking
from providers.errors import ProviderError
from providers.money import Asset

QUEUE = "usual"
app = Celery(
    "usual", broker=broker.celery_url(os.environ.get("REDIS_URL", "memory://"))
)
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    # An hour by default: what a killed worker held would then be missing for longer.
    broker_transport_options={"visibility_timeout": 30, "socket_timeout": 5},
    broker_connection_retry_on_startup=True,
)


@app.task(autoretry_for=(ProviderError,), retry_backoff=1, max_retries=5)
def move(slug: str, credentials: dict, source: dict, target: dict, amount: int) -> None:
    """Move `amount` minor units if they are there."""
    hosts = json.loads(os.environ["BALSYNC_PROVIDER_URLS"])[slug]
    adapter = providers.load(slug)(credentials, hosts)
    driver, ends = blocking(slug), (place(source), place(target))
    readings = driver.run(adapter, adapter.observe()).readings
    held = {reading.external_id: reading.available for reading in readings}
    if (held[ends[0].external_id] or 0) < amount:
        return
    driver.run(adapter, adapter.transfer(*ends, amount, dedupe_id=str(uuid4())))


def place(named: dict) -> Place:
    return Place(**named | {"asset": Asset.parse(named["asset"])})
