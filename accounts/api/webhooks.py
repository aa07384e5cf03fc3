"""Where providers call: nothing they say is believed, it is only looked up."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts import behind, publishing, services, tasks
from providers.errors import ProviderError

from .base import ADMIN
from .connections import Connections
from .fields import Nothing
from .idempotency import idempotent
from .reading import PLAIN_NUMBER
from .schema import OF_PROVIDER, problems

LARGEST = 256 * 1024  # bytes: no event is longer
STATUS = {
    "unknown_webhook": 404,
    "no_webhooks": 404,
    "authentication_failed": 401,
    "unexpected_response": 400,
}


@csrf_exempt
@never_cache
@require_POST
def webhook(request: HttpRequest, slug: str, secret: str) -> JsonResponse:
    """Note that something happened; the provider is asked behind this answer, once."""
    length = request.headers.get("Content-Length") or "0"
    if not PLAIN_NUMBER.fullmatch(length) or int(length) > LARGEST:
        return problem(413, "too_large", "No event is that long")
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        noted = services.receive_webhook(slug, secret, headers, request.body)
    except ProviderError as error:
        return problem(STATUS.get(error.code, 400), error.code, str(error))
    if noted.new:
        behind.leave(look, noted.connection_id, noted.first)
    return JsonResponse({"status": "accepted" if noted.new else "duplicate"})


def look(connection_id: UUID, first: bool) -> None:
    """Let the provider be asked what is true at a connection."""
    run = services.follow_webhook(connection_id, first=first)
    if run is not None:
        publishing.publish(tasks.run_sync, str(run.pk))


def problem(status: int, code: str, detail: str) -> JsonResponse:
    """Return an error in the form of RFC 9457; it repeats nothing that was sent."""
    told = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    return JsonResponse(told, status=status, content_type="application/problem+json")


class ListeningSerializer(serializers.Serializer):
    """Whether the provider calls us, and at which address if a person must tell it."""

    listening = serializers.BooleanField()
    address = serializers.CharField(
        allow_null=True,
        help_text="A secret, shown this once; null where the provider was told of it.",
    )
    where = serializers.CharField(
        allow_null=True, help_text="Where a person types the address in."
    )


class HooksSerializer(serializers.Serializer):
    """What the provider calls, as it says itself; our own secrets are blotted out."""

    hooks = serializers.ListField(child=serializers.CharField())


class ConnectionWebhook(Connections):
    roles = {"GET": ADMIN, "HEAD": ADMIN, "POST": ADMIN, "DELETE": ADMIN}

    @extend_schema(responses=HooksSerializer)
    @problems(*OF_PROVIDER)
    def get(self, request, pk):
        """Ask the provider which addresses it calls."""
        return Response({"hooks": services.hooks(self.usable())})

    @extend_schema(request=Nothing, responses=ListeningSerializer)
    @problems(*OF_PROVIDER)
    @idempotent(goes_out=True)
    def post(self, request, pk):
        """Open a new secret address and let the provider call it; older ones are dead.

        Where the provider cannot be told, this answer alone shows the address.
        """
        connection = self.usable()
        self.body(Nothing)
        opened = services.listen(connection)
        address = opened.url if opened.where else None
        where = opened.where or None
        return Response({"listening": True, "address": address, "where": where})

    @extend_schema(responses={204: None})
    @problems(*OF_PROVIDER)
    def delete(self, request, pk):
        """Close the address and let the provider forget it."""
        services.stop_listening(self.usable())
        return Response(status=204)
