"""The log of requests: two lines for each, none for balances that are read all day."""

from __future__ import annotations

from uuid import uuid4

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

POLLED = ("/api/v1/accounts/", "/balance/")
FAILED = 400


class RequestLog(RequestMiddleware):
    """Logs requests; of those that programs repeat without end, only the failures.

    The two lines cost several times what an instant answer does, and say nothing new.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_polled(request):
            return super().__call__(request)
        structlog.contextvars.bind_contextvars(request_id=str(uuid4()))
        response = self.get_response(request)
        if response.status_code >= FAILED or hasattr(request, "_raised_exception"):
            self.handle_response(request, response)
        else:
            structlog.contextvars.clear_contextvars()
        return response


def is_polled(request: HttpRequest) -> bool:
    """Say whether this asks for an instant balance."""
    begins, ends = POLLED
    path = request.path_info
    return request.method == "GET" and path.endswith(ends) and path.startswith(begins)
