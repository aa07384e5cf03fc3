"""Delivers the webhooks of every institution, again and again while nobody takes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import aiohttp

from .institution import Callback, Institution

log = logging.getLogger(__name__)
LOOK_EVERY = 0.05  # seconds
ATTEMPTS = 5
FIRST_PAUSE = 0.5  # seconds before the second attempt; then it doubles
TIMEOUT = aiohttp.ClientTimeout(total=10)


async def deliver(institutions: Iterable[Institution]) -> None:
    """Send what lies in the outboxes until it is cancelled."""
    known = list(institutions)
    async with (
        aiohttp.ClientSession(timeout=TIMEOUT) as session,
        asyncio.TaskGroup() as g,
    ):
        while True:
            for institution in known:
                while institution.outbox:
                    g.create_task(_send(session, institution.outbox.popleft()))
            await asyncio.sleep(LOOK_EVERY)


async def _send(session: aiohttp.ClientSession, callback: Callback) -> None:
    headers = {"Content-Type": "application/json", **callback.headers}
    for attempt in range(ATTEMPTS):
        try:
            async with session.post(
                callback.url, data=callback.body, headers=headers
            ) as answer:
                if answer.ok:
                    return
                why = f"answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            why = type(error).__name__
        await asyncio.sleep(FIRST_PAUSE * 2**attempt)
    log.warning("Nobody took a webhook: %s", why)
