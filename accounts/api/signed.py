"""Signed requests (RFC 9421): who a key is, which workspace and what it may be about."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import Throttled

from accounts import services
from accounts.models import SigningKey
from accounts.visibility import narrow

from .parsing import LARGEST_BODY
from .problems import Problem, TooLarge
from .throttling import RefusedRate, address

log = structlog.get_logger(__name__)
ALLOWED: set[str] = set()
MOST_HOSTS = 100  # where any is allowed, callers choose them
CHALLENGE = "Token"  # of RFC 9110; a signature is asked for in words of its own
WANTED = (
    'balsync=("@method" "@target-uri" "content-digest")'
    ';created;keyid;nonce;alg="hmac-sha256"'
)


class Refused(Problem):
    """This request is not signed as it must be."""

    status_code = 401
    default_code = "signature_refused"

    def __init__(self) -> None:
        # The same whatever is wrong: only the log says what.
        told = {"WWW-Authenticate": CHALLENGE, "Accept-Signature": WANTED}
        super().__init__(headers=told)


class ScopeNeeded(Problem):
    """This signing key has not the scope that this needs."""

    status_code = 403
    default_code = "scope_needed"


class SignedRequest(BaseAuthentication):
    """Lets in whoever signed the request, as far as their key goes."""

    def authenticate(self, request):
        """Return the user and the key; None for a request without a signature."""
        told = request.META
        if "HTTP_SIGNATURE" not in told and "HTTP_SIGNATURE_INPUT" not in told:
            return None
        try:
            key = verified(request._request)
        except services.SignatureRefused as error:
            raise refusal(request, str(error)) from error
        require_scope(request._request, key)
        narrow(key.user, key.workspace_id)
        return key.user, key

    def authenticate_header(self, request) -> str:
        return CHALLENGE


def verified(request: HttpRequest) -> SigningKey:
    """Return the key that signed `request`; raises SignatureRefused and TooLarge."""
    if "HTTP_AUTHORIZATION" in request.META:
        raise services.SignatureRefused("A token and a signature at once")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        raise TooLarge
    return services.verify_signature(message_of(request))


def message_of(request: HttpRequest) -> services.Message:
    """Return `request` as its signature sees it."""
    return services.Message(
        method=request.method or "",
        url=target_of(request),
        headers=request.headers,
        body=request.body,
    )


def target_of(request: HttpRequest) -> str:
    """Return the address as it was asked for, the query byte for byte."""
    place = f"{request.scheme}://{host_of(request)}{request.path}"
    query = request.META.get("QUERY_STRING", "")
    return f"{place}?{query}" if query else place


def host_of(request: HttpRequest) -> str:
    """Return the host as it was asked for; raises DisallowedHost.

    One that was allowed is so again: to check it takes a third of a signature's time.
    """
    told = request.META.get("HTTP_HOST", "")
    if told in ALLOWED:
        return told
    host = request.get_host()
    if host == told and len(ALLOWED) < MOST_HOSTS:
        ALLOWED.add(told)
    return host


def refusal(request, reason: str) -> Problem | Throttled:
    """Return what to answer, after so many refusals that this address must wait."""
    log.info("A signed request was refused", reason=reason, address=address(request))
    rate = RefusedRate()
    return Refused() if rate.allow_request(request, None) else Throttled(rate.wait())


def require_scope(request: HttpRequest, key: SigningKey) -> None:
    """Raise ScopeNeeded unless `key` may be used for this; what nobody listed is not."""
    if not may(request, key):
        scope = scope_of(request)
        raise ScopeNeeded(
            f"This needs a key with the scope {scope}." if scope else None
        )


def may(request: HttpRequest, key: SigningKey) -> bool:
    """Say whether the scopes of `key` hold what this needs."""
    scope = scope_of(request)
    return scope is not None and scope in key.scopes


def scope_of(request: HttpRequest) -> str | None:
    method = "GET" if request.method == "HEAD" else request.method
    return settings.API_SCOPES.get((method, request.resolver_match.route))
