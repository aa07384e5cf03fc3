from __future__ import annotations

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts import publishing
from accounts.api.base import OPERATOR, Api, invalid
from accounts.api.fields import Flag, MoneyOut, StrictSerializer, Text
from accounts.api.filters import Between, FlagFilter, IdFilter, words
from accounts.api.idempotency import idempotent
from accounts.api.problems import Problem
from automation import services, tasks
from automation.models import Resolution, Transfer


class TransferSerializer(serializers.ModelSerializer):
    """One provider call that moves money. Its id is the dedupe id the provider is told."""

    dedupe_id = serializers.UUIDField(source="id", read_only=True)
    money = MoneyOut(source="amount")
    rule = serializers.UUIDField(source="run.rule_id", read_only=True)

    class Meta:
        model = Transfer
        fields = [
            "id",
            "dedupe_id",
            "rule",
            "run",
            "move",
            "step",
            "depends_on",
            "source",
            "target",
            "money",
            "status",
            "needs_person",
            "may_have_moved",
            "verified",
            "proved_at",
            "reference",
            "attempts",
            "error_code",
            "error",
            "created",
            "sent_at",
            "next_attempt_at",
            "settled_at",
            "expires_at",
        ]
        read_only_fields = fields


class TransferFilter(Between):
    run = IdFilter(field_name="run_id")
    rule = IdFilter(field_name="run__rule_id")
    source = IdFilter(field_name="source_id")
    target = IdFilter(field_name="target_id")
    status: django_filters.ChoiceFilter = words(Transfer.Status)
    needs_person = FlagFilter(field_name="needs_person")


class Transfers(Api):
    queryset = Transfer.objects.all()
    serializer_class = TransferSerializer
    workspace_path = "run.rule.workspace_id"

    def get_queryset(self):
        return Transfer.objects.of(self.request.user).select_related("run__rule")


class NotWaiting(Problem):
    """This transfer does not wait for a person, or is being looked up just now."""

    status_code = 409
    default_code = "not_waiting"


class ResolveRequest(StrictSerializer):
    """What a person saw on the bank's own pages; `reference` is the bank's entry."""

    happened = Flag()
    reference = Text(required=False, allow_blank=True, max_length=100)
    note = Text(required=False, allow_blank=True, max_length=500)


class TransferList(Transfers, generics.ListAPIView):
    """List transfers, newest first."""

    filterset_class = TransferFilter


class TransferDetail(Transfers, generics.RetrieveAPIView):
    """Show one transfer: its state and what the provider calls it."""


class ResolutionSerializer(serializers.ModelSerializer):
    """What a person said about a transfer, and what its state was before and after."""

    user = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Resolution
        fields = [
            "id",
            "transfer",
            "user",
            "happened",
            "reference",
            "note",
            "status_before",
            "status_after",
            "created",
        ]
        read_only_fields = fields


class TransferResolutions(Transfers):
    @extend_schema(responses=ResolutionSerializer(many=True))
    def get(self, request, pk):
        """List what people decided about the transfer, newest first."""
        known = self.get_object().resolutions.select_related("user")
        page = self.paginate_queryset(known)
        return self.get_paginated_response(ResolutionSerializer(page, many=True).data)


class TransferResolve(Transfers):
    roles = {"POST": OPERATOR}

    @extend_schema(request=ResolveRequest, responses=TransferSerializer)
    @idempotent()
    def post(self, request, pk):
        """Say what became of a transfer that waits for a person; it is never sent again."""
        row, told = self.get_object(), self.body(ResolveRequest)
        try:
            run = services.resolve(row, user=request.user, **told)
        except services.NotWaiting as error:
            raise NotWaiting from error
        except services.ReferenceWrong as error:
            raise invalid("reference", str(error)) from error
        if run.finished_at is None:
            publishing.publish(tasks.execute_run, str(run.pk))
        return Response(self.get_serializer(self.get_object()).data)
