from __future__ import annotations

import django_filters
from rest_framework import generics, serializers

from accounts.api.base import Api
from accounts.api.fields import MoneyOut
from accounts.api.filters import Between, FlagFilter, IdFilter, words
from automation.models import Transfer


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


class TransferList(Transfers, generics.ListAPIView):
    """List transfers, newest first."""

    filterset_class = TransferFilter


class TransferDetail(Transfers, generics.RetrieveAPIView):
    """Show one transfer: its state and what the provider calls it."""
