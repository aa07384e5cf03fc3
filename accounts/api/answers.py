"""The answers that errors become, ours and everybody's (RFC 9457).

Apart from the errors themselves, because DRF's views import whoever authenticates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions, views
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from accounts import services
from accounts.sealing import CannotOpen
from providers import errors

from .problems import MEDIA_TYPE, Problem

NOT_FOUND = "There is nothing here that you may see."
# What a provider's failure means to the caller of our API.
PROVIDER_STATUS = {
    services.CredentialsIncomplete: 400,
    services.UnknownCredential: 400,
    services.FutureMoment: 400,
    services.HistoryGivenUp: 409,
    services.NoConsentNeeded: 409,
    services.NoWebhooks: 409,
    services.UnreadableCredentials: 503,
    errors.Unavailable: 503,
    errors.AuthenticationFailed: 409,
    errors.ConsentNeeded: 409,
    errors.Refused: 422,
    errors.ProviderError: 502,
}


def problem(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer that `exc` means; None lets an unknown error surface."""
    known = named(exc)
    if known is None:
        return None
    views.set_rollback()
    body = document(
        known.status_code, code_of(known), detail_of(known), errors_of(known)
    )
    return Response(
        body, known.status_code, headers=headers_of(known), content_type=MEDIA_TYPE
    )


def named(exc: Exception) -> exceptions.APIException | None:
    """Return `exc` as an error of the API, if it means anything to the caller."""
    if isinstance(exc, Http404):
        return exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(exc, CannotOpen):
        return unreadable(exc)
    if isinstance(exc, errors.ProviderError):
        return from_provider(exc)
    return exc if isinstance(exc, exceptions.APIException) else None


def unreadable(exc: CannotOpen) -> Problem:
    told = Problem(str(exc))
    told.status_code, told.detail.code = 503, "credentials_unreadable"
    return told


def from_provider(exc: errors.ProviderError) -> Problem:
    """Return what a provider's failure is to whoever asked us."""
    after = getattr(exc, "retry_after", None)
    told = Problem(str(exc), headers={"Retry-After": str(int(after))} if after else {})
    told.status_code = next(
        status for kind, status in PROVIDER_STATUS.items() if isinstance(exc, kind)
    )
    told.detail.code = exc.code
    return told


def code_of(exc: exceptions.APIException) -> str:
    return getattr(exc.detail, "code", "invalid")


def detail_of(exc: exceptions.APIException) -> str:
    if isinstance(exc, exceptions.NotFound):
        return NOT_FOUND  # the same whatever was asked for
    if isinstance(exc.detail, str):
        return str(exc.detail)
    return "The request has errors; `errors` names each."


def errors_of(exc: exceptions.APIException) -> list[dict[str, str]]:
    if isinstance(exc, Problem):
        return exc.errors
    if isinstance(exc.detail, str):
        return []
    return list(flatten(exc.get_full_details()))


def flatten(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Yield one entry per error, each with a dotted path to where it is."""
    if isinstance(details, list):
        for number, inner in enumerate(details):
            leaf = set(inner) == {"message", "code"}
            yield from flatten(inner, path if leaf else join(path, number))
    elif set(details) == {"message", "code"}:
        yield {
            "field": path,
            "code": str(details["code"]),
            "detail": str(details["message"]),
        }
    else:
        for name, inner in details.items():
            here = path if name == "non_field_errors" else join(path, name)
            yield from flatten(inner, here)


def join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def headers_of(exc: exceptions.APIException) -> dict[str, str]:
    headers = dict(getattr(exc, "headers", {}))
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header
    if getattr(exc, "wait", None):
        headers["Retry-After"] = str(max(1, round(exc.wait)))
    return headers


def document(
    status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """Return the members of a problem (RFC 9457, 3.1) and our `code` and `errors`."""
    return {
        "type": f"urn:balsync:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": errors or [],
    }


def answer(status: int, code: str, detail: str) -> HttpResponse:
    """Return a problem from where DRF does not reach, byte for byte as it would."""
    body = JSONRenderer().render(document(status, code, detail))
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE)
