from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts import services

from .accounts import Accounts, AccountSerializer
from .base import OPERATOR
from .fields import Nothing
from .idempotency import idempotent


class Protect(Accounts):
    roles = {"POST": OPERATOR}

    @extend_schema(request=Nothing, responses=AccountSerializer)
    @idempotent()
    def post(self, request, pk):
        """Let no rule move money in or out of the account."""
        account = self.get_object()
        self.body(Nothing)
        services.protect(account, user=request.user)
        return Response(self.get_serializer(account).data)


class Release(Accounts):
    roles = {"POST": OPERATOR}

    @extend_schema(request=Nothing, responses=AccountSerializer)
    @idempotent()
    def post(self, request, pk):
        """Let rules move money in and out of the account again."""
        account = self.get_object()
        self.body(Nothing)
        services.release(account, user=request.user)
        return Response(self.get_serializer(account).data)
