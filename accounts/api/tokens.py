"""Tokens for scripts: several per person, hashed, expiring."""

from __future__ import annotations

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in, user_logged_out
from drf_spectacular.utils import extend_schema
from knox.auth import TokenAuthentication
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from accounts.services import second_factor

from .base import Api
from .fields import Nothing, StrictSerializer, Text
from .problems import Problem
from .throttling import AddressRate, LoginRate


class LoginFailed(Problem):
    """The name or the password is wrong."""

    status_code = 401
    default_code = "login_failed"


class LockedOut(Problem):
    """Too many sign-ins with this name failed: try again later."""

    status_code = 429
    default_code = "locked_out"


class SecondFactorNeeded(Problem):
    """The password is right; a current code of the second factor is needed as well."""

    status_code = 401
    default_code = "second_factor_needed"


class LoginSerializer(StrictSerializer):
    username = Text(max_length=150)
    password = Text(max_length=1024, trim_whitespace=False, write_only=True)
    code = Text(
        max_length=16,
        default="",
        allow_blank=True,
        write_only=True,
        help_text="Of the second factor, or a recovery code; for who has one.",
    )


class TokenSerializer(serializers.Serializer):
    """A new token; it is shown this once."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField(allow_null=True)


class Login(Api):
    # No authentication: a browser's session would otherwise demand its CSRF token.
    authentication_classes = []
    permission_classes = []
    throttle_classes = [AddressRate, LoginRate]

    @extend_schema(request=LoginSerializer, responses=TokenSerializer, auth=[])
    def post(self, request):
        """Make a token out of a user name and a password."""
        told = self.body(LoginSerializer)
        code = told.pop("code")
        if not AxesProxyHandler.is_allowed(request._request, told):
            wait = settings.AXES_COOLOFF_TIME.total_seconds()
            raise LockedOut(headers={"Retry-After": f"{wait:.0f}"})
        user = authenticate(request._request, **told)
        if user is None:
            raise LoginFailed
        if second_factor.is_needed(user) and not second_factor.verify(user, code):
            raise SecondFactorNeeded
        row, token = AuthToken.objects.create(user)
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        return Response(TokenSerializer({"token": token, "expiry": row.expiry}).data)


class Logout(Api):
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]

    @extend_schema(request=Nothing, responses={204: None})
    def post(self, request):
        """End the token that this request came with."""
        self.body(Nothing)
        request.auth.delete()
        user_logged_out.send(
            sender=type(request.user), request=request._request, user=request.user
        )
        return Response(status=204)


class LogoutAll(Api):
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]

    @extend_schema(request=Nothing, responses={204: None})
    def post(self, request):
        """End every token of the caller."""
        self.body(Nothing)
        request.user.auth_token_set.all().delete()
        return Response(status=204)
