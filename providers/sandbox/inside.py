"""Reaches an institution without a socket: for simulators, and for tests of adapters."""

from __future__ import annotations

from collections.abc import Callable

from providers.base import Provider
from providers.wire import Request, Response, query

from .institution import Institution
from .wire import Asked, Dropped


def sender(
    provider: Provider, institution: Institution
) -> Callable[[Request], Response]:
    """Return what `providers.wire.drive` takes to send a provider's requests."""

    def send(request: Request) -> Response:
        signed = provider.sign(request, institution.clock.now(), institution.requests)
        headers = {k.lower(): v for k, v in signed.headers.items()}
        asked = Asked(
            signed.method,
            institution.mounts[signed.host] + signed.path,
            query(signed.params),
            headers,
            signed.body,
        )
        try:
            answer = institution.answer(asked)
        except Dropped as dropped:
            raise request.lost("The connection ended without an answer") from dropped
        if answer.cut:
            raise request.lost("The answer broke off")
        low = {k.lower(): v for k, v in answer.headers.items()}
        return Response(answer.status, low, answer.body)

    return send
