from __future__ import annotations

from rest_framework import generics, serializers

from accounts.models import Transaction
from accounts.visibility import seen_by

from .base import Api
from .fields import MoneyOut
from .filters import TransactionFilter


class TransactionSerializer(serializers.ModelSerializer):
    """A movement as the provider reports it; money that left is negative."""

    money = MoneyOut(source="amount")

    class Meta:
        model = Transaction
        fields = [
            "id",
            "account",
            "external_id",
            "money",
            "created",
            "settled",
            "declined",
            "description",
            "counterparty",
            "merchant",
            "category",
            "pot",
            "dedupe_id",
            "metadata",
        ]
        read_only_fields = fields


class TransactionList(Api, generics.ListAPIView):
    """List what the providers reported, newest first."""

    queryset = Transaction.objects.all()
    serializer_class = TransactionSerializer
    filterset_class = TransactionFilter

    def get_queryset(self):
        return Transaction.objects.filter(
            seen_by(self.request.user, "account__workspace")
        )
