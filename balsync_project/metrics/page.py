"""`/metrics`: whoever has the token, or sits on this machine, may read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from providers.store import StoreAway

from . import broker, cache, database

log = structlog.get_logger(__name__)
# Whoever came through a proxy is not on this machine, though the proxy may be.
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with every figure; a source that is away says so, and the rest is there."""
    if settings.METRICS_TOKEN and not has_token(request):
        told = HttpResponse("The token is missing or wrong.\n", "text/plain", 401)
        told["WWW-Authenticate"] = "Bearer"
        return told
    if not settings.METRICS_TOKEN and not is_here(request):
        why = "Without BALSYNC_METRICS_TOKEN only this machine may read this.\n"
        return HttpResponse(why, "text/plain", 403)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return HttpResponse(generate_latest(registry), CONTENT_TYPE_LATEST)


def has_token(request: HttpRequest) -> bool:
    """Say whether the request shows the token of the settings."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    told = token.strip().encode()
    right = constant_time_compare(told, settings.METRICS_TOKEN.encode())
    return scheme.lower() == "bearer" and right


def is_here(request: HttpRequest) -> bool:
    """Say whether the caller is a process of this machine."""
    if any(name in request.META for name in FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False  # a socket without an address: nobody knows who is behind it


class Figures(Collector):
    """Asks the database and the broker once per scrape; nothing is kept in between."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        version = {"version": settings.VERSION}
        yield InfoMetricFamily("balsync", "What runs here.", version)
        answers = GaugeMetricFamily(
            "balsync_source_up",
            "1: this source of figures answered.",
            labels=["source"],
        )
        for name, read in SOURCES.items():
            found = read()
            answers.add_metric([name], int(found is not None))
            yield from found or ()
        yield answers


def from_database() -> list[Metric] | None:
    """Return what the rows say; None while nobody can read them."""
    return answered(database.figures, DatabaseError)


def from_broker() -> list[Metric] | None:
    """Return what the broker knows; None while it is away."""
    return answered(broker.figures, redis.RedisError, DatabaseError)


def from_cache() -> list[Metric] | None:
    """Return what the cache of balances knows; None while it is away."""
    return answered(cache.figures, StoreAway)


SOURCES = {"database": from_database, "broker": from_broker, "cache": from_cache}


def answered(
    read: Callable[[], Iterable[Metric]], *away: type[Exception]
) -> list[Metric] | None:
    try:
        return list(read())
    except away as error:
        log.warning("metrics_incomplete", error=str(error))
        return None
