"""The API's last word: errors that no view caught, and addresses that nobody has."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from accounts.api.answers import NOT_FOUND, answer, problem

__all__ = ["bad_request", "no_such_route", "not_found", "problem", "server_error"]


@csrf_exempt
def no_such_route(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer for every address under /api/ that is none of ours."""
    return answer(404, "not_found", NOT_FOUND)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 as a problem to programs, as a page to people."""
    if asked_by_program(request):
        return no_such_route(request)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 for what Django itself refuses, such as an unknown host."""
    if asked_by_program(request):
        return answer(400, "bad_request", "This request cannot be read.")
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500; what happened is in the log, never in the answer."""
    if asked_by_program(request):
        return answer(500, "internal_error", "Something went wrong here; it is logged.")
    return defaults.server_error(request)


def asked_by_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
