"""What every operation's documentation shares: a summary, its problems, its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from .fields import StrictSerializer, Whole
from .problems import MEDIA_TYPE
from .signed import WANTED, SignedRequest

ALWAYS = (400, 401, 403, 404, 406, 429)
WITH_BODY = (413, 415)
WITH_KEY = (409, 422)
OF_PROVIDER = (409, 422, 502, 503)  # as `answers.PROVIDER_STATUS` has them


def problems(*codes: int) -> Callable[[Callable], Callable]:
    """Document further statuses with which a handler may refuse."""

    def note(handler: Callable) -> Callable:
        handler.problems = codes
        return handler

    return note


class ProblemErrorSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="A dotted path into the body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """What went wrong (RFC 9457). `code` is stable; `detail` is for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = ProblemErrorSerializer(many=True)


class Schema(AutoSchema):
    """Takes the summary from the method's docstring and adds what all answers share."""

    def get_summary(self) -> str:
        return self._doc().split("\n\n")[0].replace("\n", " ").rstrip(".")

    def get_description(self) -> str:
        return "\n\n".join(self._doc().split("\n\n")[1:])

    def _doc(self) -> str:
        handler = getattr(self.view, self.method.lower())
        return get_doc(handler) or get_doc(self.view.__class__)

    def get_override_parameters(self) -> list[OpenApiParameter]:
        kept = getattr(getattr(self.view, self.method.lower()), "idempotent", None)
        if kept is None:
            return []
        return [
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                required=kept == "required",
                description="The same key and body again: the stored answer, no effect.",
            )
        ]

    def _get_response_bodies(self, direction="response"):
        bodies = super()._get_response_bodies(direction)
        for status in self._problem_codes():
            told = self._get_response_for_code(
                ProblemSerializer, str(status), [MEDIA_TYPE], direction
            )
            bodies.setdefault(str(status), told)
        return bodies

    def _problem_codes(self) -> tuple[int, ...]:
        handler = getattr(self.view, self.method.lower())
        codes = (*ALWAYS, *getattr(handler, "problems", ()))
        if self.method in ("POST", "PUT", "PATCH"):
            codes += WITH_BODY
        if hasattr(handler, "idempotent"):
            codes += WITH_KEY
        return tuple(sorted(set(codes)))


class StrictBodies(OpenApiSerializerExtension):
    """Says that a body may have no other members."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema, direction) -> dict[str, Any]:
        told = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return told | {"additionalProperties": False}


class WholeNumbers(OpenApiSerializerFieldExtension):
    """Says between which bounds a number is."""

    target_class = Whole

    def map_serializer_field(self, auto_schema, direction) -> dict[str, Any]:
        return {
            "type": "integer",
            "minimum": self.target.least,
            "maximum": self.target.most,
        }


class SignedRequestScheme(OpenApiAuthenticationExtension):
    """How the documentation says it."""

    target_class = SignedRequest
    name = "signature"

    def get_security_definition(self, auto_schema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Signature",
            "description": "An HTTP message signature (RFC 9421) beside its "
            f"Signature-Input: {WANTED}. A nonce works once.",
        }
