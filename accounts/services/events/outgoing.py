"""Sends messages out of the house. Nothing here opens a transaction or writes a secret."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from importlib import import_module
from typing import Any

import aiohttp
from django.conf import settings
from django.utils.encoding import punycode

from accounts.events.signing import headers
from accounts.models import Channel
from providers.addresses import AddressRefused, parse
from providers.drivers import public

from .messages import Message

TIMEOUT = aiohttp.ClientTimeout(total=10)  # seconds, everything included
PATIENCE = 20.0  # seconds for a mail or chat service, which may need several calls
MOST_LETTERS = 20  # on their way at the same time
GONE = 410  # the receiver wants to hear no more
# Chat services that are always at the same public place, whatever stands in the address.
CHATS = ("slack", "discord", "pover", "gchat", "pbul")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try; `text` may be shown to anybody."""

    delivered: bool
    text: str
    final: bool = False  # another try would end no better
    gone: bool = False
    wait: timedelta | None = None  # what the receiver asked for


class CannotReach(Exception):
    """Nothing can be sent to this address."""


async def send(message: Message | None) -> Answer:
    """Send one message and say what came of it; failures are answers."""
    if message is None:
        return Answer(False, "The channel is gone or cannot be opened", final=True)
    if message.kind == Channel.Kind.WEBHOOK:
        return await post(message)
    return await _notify(message)


async def post(message: Message) -> Answer:
    """Post one signed message; redirects are not followed, the answer is not read."""
    loopback = settings.WEBHOOKS_TO_LOOPBACK
    told = headers(message.id, int(time.time()), message.body, message.keys)
    told |= {"Content-Type": "application/json", "User-Agent": "balsync"}
    try:
        address = parse(message.address, loopback=loopback)
        connector = public.connector(
            loopback=loopback, use_dns_cache=False, force_close=True
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            session.post(
                address.url, data=message.body, headers=told, allow_redirects=False
            ) as response,
        ):
            return _answer(response.status, response.headers)
    except AddressRefused as error:
        return Answer(False, str(error))
    except TimeoutError:
        return Answer(False, "No answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Its text may hold the address, which is a secret: the class must do.
        return Answer(False, f"Not reached: {type(error).__name__}")


def _answer(status: int, told: Mapping[str, str]) -> Answer:
    if 200 <= status < 300:
        return Answer(True, f"HTTP {status}")
    if status == GONE:
        return Answer(False, f"HTTP {status}: it is gone", final=True, gone=True)
    if 300 <= status < 400:
        return Answer(False, f"HTTP {status}: redirects are not followed")
    seconds = told.get("Retry-After", "")
    wait = int(seconds) if seconds.isascii() and seconds.isdigit() else None
    pause = timedelta(seconds=min(wait, 86_400)) if wait is not None else None
    return Answer(False, f"HTTP {status}", wait=pause)


async def _notify(message: Message) -> Answer:
    try:
        service = service_of(message.kind, message.address)
    except CannotReach as error:
        return Answer(False, str(error))
    notify = partial(service.notify, title=message.title, body=message.text)
    sending = asyncio.get_running_loop().run_in_executor(_helpers(), notify)
    try:
        taken = await asyncio.wait_for(sending, PATIENCE)
    except TimeoutError:
        return Answer(False, "No answer in time")
    return Answer(taken, "Taken" if taken else "The service did not take it")


@cache
def _helpers() -> ThreadPoolExecutor:
    """Return the threads that send letters: nobody waits for one that a server holds.

    The event loop would wait for its own, and with it whatever else was sent meanwhile.
    """
    return ThreadPoolExecutor(MOST_LETTERS, thread_name_prefix="letter")


@cache
def _library() -> Any:
    """Return Apprise, which is loaded only by who sends with it: it is large."""
    return import_module("apprise")


def service_of(kind: str, address: str) -> Any:
    """Return the mail or chat service at `address`; raises CannotReach.

    People name no server: mail goes over the operator's, and each chat service is at
    one place that its own module knows. Options could lead elsewhere: there are none.
    """
    if kind == Channel.Kind.EMAIL:
        return _mail(address)
    scheme, _, rest = address.partition("://")
    if scheme not in CHATS or not rest or set(rest) & set("?%\\ \r\n"):
        raise CannotReach(f"It must be one of {', '.join(CHATS)}, without options")
    return _made(address)


def _mail(address: str) -> Any:
    if not settings.MAIL_URL:
        raise CannotReach("The operator has set no mail server: BALSYNC_MAIL_URL")
    known = _library().Apprise.instantiate(settings.MAIL_URL, asset=_asset())
    if known is None or not hasattr(known, "targets"):
        raise CannotReach("BALSYNC_MAIL_URL is no mail server")
    name, _, host = address.rpartition("@")
    known.targets = [(False, f"{name}@{punycode(host)}")]
    return known


def _made(url: str) -> Any:
    made = _library().Apprise.instantiate(url, asset=_asset())
    if not isinstance(made, _library().NotifyBase):
        raise CannotReach("This is no address of that service")
    return made


def _asset() -> Any:
    apprise = _library()
    return apprise.AppriseAsset(
        app_id="balsync",
        app_desc="balsync",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        secure_logging=True,
        async_mode=False,
    )
