"""Where a provider sends a person's browser back to after consent."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

import providers
from accounts import services
from providers.errors import ProviderError

PAGE = "accounts/consent.html"


@never_cache
@require_GET
def oauth_callback(request: HttpRequest, slug: str) -> HttpResponse:
    """Finish the consent that a person gave, and say in plain words what happened."""
    if slug not in providers.slugs():
        return tell(request, 404, "There is no such provider.")
    if "error" in request.GET:
        return tell(request, 400, "The provider says that consent was not given.")
    state, code = request.GET.get("state", ""), request.GET.get("code", "")
    if not state or not code:
        return tell(request, 400, "The provider's answer is incomplete.")
    user = request.user if request.user.is_authenticated else None
    try:
        connection = services.finish_authorization(state, code, user=user)
    except services.AuthorizationFailed as error:
        if user is None:
            # It may belong to somebody who is not signed in here yet.
            return redirect_to_login(request.get_full_path())
        return tell(request, 400, str(error))
    except ProviderError as error:
        return tell(request, 502, str(error))
    return tell(request, 200, "", connection)


def tell(request, status: int, error: str, connection=None) -> HttpResponse:
    """Return the page; the address it came from held a code, so it goes nowhere."""
    shown = render(
        request, PAGE, {"error": error, "connection": connection}, status=status
    )
    shown["Referrer-Policy"] = "no-referrer"
    return shown
