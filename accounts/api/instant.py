"""Views of one account's balance that look before they ask who calls."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.permissions import IsAuthenticated

from accounts.services import instant
from accounts.services.instant import Glance

from .base import Api
from .callers import SessionCaller, SignedCaller, TokenCaller, remembered
from .throttling import LeasedCallerRate

RATE = LeasedCallerRate()
JSON_WANTED = frozenset({None, "", "*/*", "application/json"})


class InstantApi(Api):
    """A view that looks at one account before it asks who calls.

    The look brings the mark of all rights with it, so that a caller who is remembered
    costs no query, and one who has lost a right is not remembered. Where caller and
    balance are both known, the answer is given at once; in every other case the request
    goes the long way, where all is looked up and every refusal is made.
    """

    authentication_classes = [SignedCaller, TokenCaller, SessionCaller]
    permission_classes = [IsAuthenticated]
    throttle_classes = [LeasedCallerRate]
    look: Glance
    workspaces: frozenset[str] = frozenset()

    def get_authenticators(self):
        if getattr(self, "swagger_fake_view", False):
            # One comes in here as everywhere else.
            return [kind() for kind in Api.authentication_classes]
        return super().get_authenticators()

    def dispatch(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        self.look = instant.peek(kwargs["pk"])
        answer = self.short_cut(request)
        return super().dispatch(request, *args, **kwargs) if answer is None else answer

    def head(self, request, *args, **kwargs):
        """Answer as to GET. Django would give each view a method that holds the view."""
        return self.get(request, *args, **kwargs)

    def short_cut(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to a usual question of somebody who is known."""
        if request.method != "GET" or self.look.sheet is None:
            return None
        if request.META.get("HTTP_ACCEPT") not in JSON_WANTED:
            return None
        caller = remembered(request, self.look)
        if caller is None or self.look.workspace not in caller.workspaces:
            return None
        answer = self.at_once(request)
        return answer if answer is not None and RATE.take(caller.name) else None

    def at_once(self, request: HttpRequest) -> HttpResponse | None:
        """Return an answer that needs nothing more than what was seen, or None."""
        raise NotImplementedError

    def initial(self, request, *args, **kwargs) -> None:
        super().initial(request, *args, **kwargs)
        self.look = instant.settled(self.look)
        # Foreign and absent answer alike.
        if self.look.workspace not in self.workspaces:
            raise Http404
