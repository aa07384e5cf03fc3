"""One REDIS_URL; each library's own spelling of it."""

from __future__ import annotations

from urllib.parse import urlsplit


def celery_url(url: str) -> str:
    """Return `url` as kombu spells it: `redis+socket://` for a unix socket."""
    if not url.startswith("unix://"):
        return url
    return "redis+socket" + url.removeprefix("unix").replace("db=", "virtual_host=")


def limits_url(url: str) -> str:
    """Return `url` as limits spells it: `redis+unix://` for a unix socket."""
    return f"redis+{url}" if url.startswith("unix://") else url


def with_database(url: str, number: str) -> str:
    """Return the URL of another numbered database on the same server."""
    if url.startswith("unix://"):
        return f"{url.partition('?')[0]}?db={number}"
    return urlsplit(url)._replace(path=f"/{number}").geturl()
