"""Who acts in a request: known to the audit, asked for only where something is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import connection
from django.http import HttpRequest, HttpResponse

from accounts import services
from accounts.acting import Actor, acting
from accounts.models import AuditEvent, SigningKey

READING = frozenset({"GET", "HEAD", "OPTIONS"})
PROGRAMS = ("/api/", "/webhooks/")  # the rest is for browsers
CONSENT = "/oauth/"  # a browser comes back by GET, and something is written


class Acting:
    """Tells the audit who asks; a request that only reads costs nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if request.method in READING and not path.startswith(CONSENT):
            return self.get_response(request)
        telling = connection.execute_wrapper(services.tell_database)
        with acting(partial(caller_of, request)), telling:
            return self.get_response(request)


def caller_of(request: HttpRequest) -> Actor:
    """Return who `request` is from, as far as that is known by now."""
    programs = request.path_info.startswith(PROGRAMS)
    via = AuditEvent.Via.API if programs else AuditEvent.Via.ADMIN
    user, key = getattr(request, "user", None), getattr(request, "auth", None)
    known = user is not None and user.is_authenticated
    name, signed = user.get_username() if known else "nobody", ""
    if isinstance(key, SigningKey):
        name, signed = f"{name}, by {key}", str(key.pk)
    return Actor(
        name, via.value, user.pk if known else None, signed, services.request_id()
    )
