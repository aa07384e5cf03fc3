"""What a workspace wants of checks and of drift, written by its admins."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error

from accounts.models import Account, CheckSetting, DriftSetting, Severity

from .base import ADMIN, Api, invalid
from .fields import Choice, Flag, Id, Plain, StrictSerializer, Text, Whole
from .idempotency import idempotent
from .quarantine import CheckSettingSerializer, DriftSettingSerializer

ADJUSTABLE = CheckSetting._meta.get_field("rule").choices
LONGEST_WAIT = 32_767  # syncs, as the column counts them


def whole(**more: Any) -> Plain:
    return Plain(digits=41, decimals=18, **more)


def percent() -> Plain:
    return Plain(digits=5, decimals=4, required=False)


class CheckSettingIn(StrictSerializer):
    """What is wanted of one rule; the nearest setting counts."""

    workspace = Id(required=False, help_text="Needed with several workspaces.")
    rule = Choice(ADJUSTABLE)
    kind = Text(max_length=30, allow_blank=True, required=False)
    asset = Text(max_length=20, allow_blank=True, required=False)
    enabled = Flag(required=False)
    severity = Choice(Severity.choices, allow_blank=True, required=False)
    threshold = whole(required=False, allow_null=True)


class DriftSettingIn(StrictSerializer):
    """From when on a difference counts, for an account, an asset or the workspace."""

    workspace = Id(required=False, help_text="Needed with several workspaces.")
    account = Id(required=False, allow_null=True)
    asset = Text(max_length=20, allow_blank=True, required=False)
    least = whole(required=False)
    percent, high, critical = percent(), percent(), percent()
    changes = Flag(required=False)
    correction = Choice(DriftSetting.Correction.choices, required=False)
    protect = Flag(required=False)
    clean_syncs = Whole(least=1, most=LONGEST_WAIT, required=False)


class OwnCheckSettingSerializer(CheckSettingSerializer):
    class Meta(CheckSettingSerializer.Meta):
        fields = [*CheckSettingSerializer.Meta.fields, "workspace", "created"]
        read_only_fields = fields


class OwnDriftSettingSerializer(DriftSettingSerializer):
    class Meta(DriftSettingSerializer.Meta):
        fields = [*DriftSettingSerializer.Meta.fields, "workspace", "created"]
        read_only_fields = fields


class Settings(Api):
    """Rows of a workspace's settings: read by its members, written by its admins."""

    roles = {"POST": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}
    form: ClassVar[type[serializers.Serializer]]

    def get_queryset(self):
        return self.queryset.model.objects.of(self.request.user)

    def kept(self, row: models.Model, told: dict[str, Any]) -> Response:
        """Write what was told of a row; raises ValidationError where that cannot be."""
        if told.get("account") is not None:
            told["account"] = self.account(row.workspace_id, told["account"])
        for name, value in told.items():
            setattr(row, name, value)
        made = row._state.adding
        try:
            with transaction.atomic():
                row.full_clean()
                row.save()
        except ValidationError as error:
            raise serializers.ValidationError(as_serializer_error(error)) from error
        except IntegrityError as error:  # somebody was faster
            raise serializers.ValidationError("There is one already.") from error
        return Response(self.get_serializer(row).data, 201 if made else 200)

    def account(self, workspace_id: Any, pk: Any) -> Account:
        mine = Account.objects.of(self.request.user).filter(workspace=workspace_id)
        if (found := mine.filter(pk=pk).first()) is None:
            raise invalid("account", "You have no such account.", "does_not_exist")
        return found

    def create(self) -> Response:
        told = self.body(self.form)
        workspace = self.workspace(told.pop("workspace", None))
        return self.kept(self.queryset.model(workspace=workspace), told)

    def change(self) -> Response:
        row = self.get_object()
        told = self.body(self.form)
        if told.pop("workspace", row.workspace_id) != row.workspace_id:
            raise invalid("workspace", "This cannot be changed.", "read_only")
        return self.kept(row, told)

    def remove(self) -> Response:
        self.get_object().delete()
        return Response(status=204)


class Checks(Settings):
    queryset = CheckSetting.objects.all()
    serializer_class = OwnCheckSettingSerializer
    form = CheckSettingIn


class Drifts(Settings):
    queryset = DriftSetting.objects.all()
    serializer_class = OwnDriftSettingSerializer
    form = DriftSettingIn


class CheckSettingList(Checks, generics.ListAPIView):
    """List what workspaces want of checks, newest first."""

    @extend_schema(request=CheckSettingIn, responses={201: OwnCheckSettingSerializer})
    @idempotent()
    def post(self, request):
        """Set a rule, for all accounts or those of a kind, an asset or both."""
        return self.create()


class CheckSettingDetail(Checks):
    def get(self, request, pk):
        """Show one setting of a rule."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=CheckSettingIn(partial=True))
    def patch(self, request, pk):
        """Change the named fields of a setting."""
        return self.change()

    @extend_schema(responses={204: None})
    def delete(self, request, pk):
        """Remove a setting: what is usual holds again."""
        return self.remove()


class DriftSettingList(Drifts, generics.ListAPIView):
    """List from when on differences count, newest first."""

    @extend_schema(request=DriftSettingIn, responses={201: OwnDriftSettingSerializer})
    @idempotent()
    def post(self, request):
        """Set limits, for an account, an asset or the whole workspace."""
        return self.create()


class DriftSettingDetail(Drifts):
    def get(self, request, pk):
        """Show the limits of an account, an asset or a workspace."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=DriftSettingIn(partial=True))
    def patch(self, request, pk):
        """Change the named limits."""
        return self.change()

    @extend_schema(responses={204: None})
    def delete(self, request, pk):
        """Remove limits: what is usual holds again."""
        return self.remove()
