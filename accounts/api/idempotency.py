"""One key, one effect: a POST that is repeated gets the stored answer.

The key belongs to a caller and a path. Its row is written in the transaction of the
effect, so both are there or neither. Where the effect is a call to a provider, the row
is committed before the call instead, because no transaction may span the network.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial, wraps
from time import monotonic, sleep
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.timezone import now
from psycopg.errors import LockNotAvailable, QueryCanceled
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from accounts.models import IdempotencyKey
from accounts.sealing import seal, unseal
from accounts.visibility import narrowed_to

from .problems import KeyInvalid, KeyNeeded, KeyReused, StillRunning

KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)
PATIENCE = 10.0  # seconds
LOOK_EVERY = 0.1
# Longer than any call to a provider: whoever is silent for this long has died.
ABANDONED = timedelta(seconds=120)

Handler = Callable[..., Response]


def idempotent(
    *,
    required: bool = False,
    goes_out: Callable[[Any], bool] | bool = False,
    repeat: int | None = None,
    field: str | None = None,
    asked: Callable[..., Asked] | None = None,
) -> Callable[[Handler], Handler]:
    """Make a POST handler answer a repeated key without a second effect.

    `goes_out`: the effect is a call to a provider, or a function of the view that
    says so. `repeat`: the status of a repeat, where it is not the stored one. `field`:
    the member of the body in which the key may stand instead of the header. `asked`:
    what keeps the answer, where the effect itself can be found by its key.
    """

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        def once(view, request, *args, **kwargs) -> Response:
            key = key_of(request, required, field)
            if key is None:
                return handler(view, request, *args, **kwargs)
            effect = partial(handler, view, request, *args, **kwargs)
            who = asked(view, key, field) if asked else Asked(request, key, repeat)
            out = goes_out(view) if callable(goes_out) else goes_out
            return outside(who, effect) if out else inside(who, effect)

        once.idempotent = "required" if required else "optional"
        return once

    return wrap


def key_of(request, required: bool, field: str | None = None) -> str | None:
    """Return the key of a request; raises KeyNeeded and KeyInvalid."""
    key = request.headers.get("Idempotency-Key")
    if field is not None and isinstance(request.data, dict) and field in request.data:
        told = request.data[field]
        if not isinstance(told, str) or key not in (None, told):
            raise KeyInvalid
        key = told
    if key is None and required:
        raise KeyNeeded
    if key is not None and not KEY.fullmatch(key):
        raise KeyInvalid
    return key


def inside(asked: Asked, effect: Callable[[], Response]) -> Response:
    """Carry out `effect` in one transaction with its key, or return what it answered."""
    with transaction.atomic():
        with waiting_for_winner():
            row = asked.claim()
        if row is None:
            return asked.answer() or give_up()
        return asked.keep(row, effect())


def outside(asked: Asked, effect: Callable[[], Response]) -> Response:
    """Carry out `effect` under a committed key, or wait for what it answers."""
    until = monotonic() + PATIENCE
    while True:
        row = asked.claim() or asked.adopt()
        if row is not None:
            return perform(asked, row, effect)
        if (answer := asked.answer()) is not None:
            return answer
        if monotonic() > until:
            raise StillRunning
        sleep(LOOK_EVERY)


def perform(
    asked: Asked, row: IdempotencyKey, effect: Callable[[], Response]
) -> Response:
    try:
        return asked.keep(row, effect())
    finally:
        # A failure is no answer to keep: the same key may try again.
        if row.status is None:
            row.delete()


def give_up() -> Response:
    raise StillRunning


@contextmanager
def waiting_for_winner() -> Iterator[None]:
    """Let an insert wait for another transaction's key as long as we promise."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE:.0f}s'")
        cursor.execute(f"SET LOCAL statement_timeout = '{PATIENCE + 1:.0f}s'")
        try:
            yield
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable | QueryCanceled):
                raise StillRunning from error
            raise
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
        cursor.execute("SET LOCAL statement_timeout TO DEFAULT")


class Asked:
    """Who asks what under which key."""

    def __init__(self, request, key: str, repeat: int | None = None) -> None:
        self.repeat = repeat
        # Somebody's key for one workspace must not be told what another one answered.
        only = narrowed_to(request.user)
        self.name = {
            "caller": f"user:{request.user.pk}" + (f"@{only}" if only else ""),
            "route": self.route_of(request)[:200],
            "key": key,
        }
        body = json.dumps(self.body_of(request), sort_keys=True, separators=(",", ":"))
        told = f"{request.META.get('QUERY_STRING', '')}\n{body}"
        # Keyed, because a body may hold credentials that could be guessed.
        self.fingerprint = salted_hmac(
            "accounts.api.idempotency", told, algorithm="sha256"
        ).hexdigest()

    def route_of(self, request) -> str:
        return f"{request.method} {request.path}"

    def body_of(self, request) -> Any:
        return request.data

    def claim(self) -> IdempotencyKey | None:
        """Write the row of this key; None if there is one.

        PostgreSQL waits here while another transaction that wrote it is open.
        """
        try:
            with transaction.atomic():
                return IdempotencyKey.objects.create(
                    **self.name, fingerprint=self.fingerprint
                )
        except IntegrityError:
            return None

    def adopt(self) -> IdempotencyKey | None:
        """Take over from a process that died before it could answer."""
        left = IdempotencyKey.objects.filter(
            **self.name,
            fingerprint=self.fingerprint,
            status=None,
            created__lt=now() - ABANDONED,
        )
        return self.row() if left.update(created=now()) == 1 else None

    def row(self) -> IdempotencyKey | None:
        return IdempotencyKey.objects.filter(**self.name).first()

    def answer(self) -> Response | None:
        """Return the stored answer, None while there is none; raises KeyReused."""
        row = self.row()
        if row is None:
            return None
        if not constant_time_compare(row.fingerprint, self.fingerprint):
            raise KeyReused
        if row.status is None:
            return None
        data = json.loads(unseal(b64decode(row.body), self.bound_to()))
        IdempotencyKey.objects.filter(pk=row.pk).update(replays=F("replays") + 1)
        headers = {"Idempotent-Replayed": "true"}
        return Response(data, self.repeat or row.status, headers=headers)

    def keep(self, row: IdempotencyKey, response: Response) -> Response:
        """Store the answer, sealed: it may hold what only this caller may read."""
        text = json.dumps(response.data, cls=JSONEncoder, ensure_ascii=False)
        row.body = b64encode(seal(text.encode(), self.bound_to())).decode()
        row.status = response.status_code
        row.save(update_fields=["status", "body"])
        return response

    def bound_to(self) -> bytes:
        return "\n".join(["idempotency", *self.name.values()]).encode()
