from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts import services

from .accounts import Accounts, AccountSerializer
from .base import OPERATOR
from .fields import Nothing
from .idempotency import idempotent


class Deciding(Accounts):
    roles = {"POST": OPERATOR}

    def decide(self, decision: Callable[..., object]) -> Response:
        """Do with the account what the caller has decided, and show it."""
        account = self.get_object()
        self.body(Nothing)
        decision(account, user=self.request.user)
        return Response(self.get_serializer(account).data)


class Protect(Deciding):
    @extend_schema(request=Nothing, responses=AccountSerializer)
    @idempotent()
    def post(self, request, pk):
        """Let no rule move money in or out of the account."""
        return self.decide(services.protect)


class Release(Deciding):
    @extend_schema(request=Nothing, responses=AccountSerializer)
    @idempotent()
    def post(self, request, pk):
        """Let rules move money in and out of the account again."""
        return self.decide(services.release)
