"""Two routes for clients of older systems, with their names for a balance."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts import services
from accounts.models import Account, Balance, BalanceSnapshot
from accounts.services.snapshot_keys import provider_id

from .base import OPERATOR, Api
from .fields import StrictSerializer, Text
from .idempotency import idempotent
from .problems import Archived
from .schema import OF_PROVIDER, problems
from .snapshot_keys import AskedForSnapshot
from .snapshots import is_typed


class WalletBalanceSerializer(serializers.Serializer):
    """A snapshot under its older names. `balance` is a decimal in a string."""

    wallet_id = serializers.UUIDField()
    provider = serializers.CharField()
    balance = serializers.CharField()
    currency = serializers.CharField()
    external_balance_id = serializers.CharField(
        allow_null=True, help_text="Null where the provider does not name its balances."
    )
    as_of = serializers.DateTimeField()
    metadata = serializers.DictField()
    created_at = serializers.DateTimeField()


class WalletSyncRequest(StrictSerializer):
    idempotency_key = Text(max_length=255, required=False)


class Wallets(Api):
    queryset = Account.objects.all()

    def get_queryset(self):
        rows = Account.objects.of(self.request.user)
        return rows.select_related("connection", "balance")


class WalletSync(Wallets):
    roles = {"POST": OPERATOR}
    taken: BalanceSnapshot | None = None

    @extend_schema(request=WalletSyncRequest, responses=WalletBalanceSerializer)
    @problems(*OF_PROVIDER)
    @idempotent(goes_out=True, field="idempotency_key", asked=AskedForSnapshot)
    def post(self, request, pk):
        """Read what a wallet holds now, and return the snapshot of it."""
        account = self.get_object()
        asked = self.body(WalletSyncRequest)
        if account.connection.archived_at is not None or account.closed_at is not None:
            raise Archived
        if is_typed(account):  # there is nobody to ask: the last count is the newest
            self.taken = newest_snapshot(account)
            return Response(told(account, newest(account)))
        key = asked.get("idempotency_key") or request.headers.get("Idempotency-Key")
        self.taken = services.take_snapshot(account, key=key or "")
        return self.shown(self.taken)

    def shown(self, taken: BalanceSnapshot, **more: Any) -> Response:
        return Response(told(self.get_object(), taken), **more)


class WalletBalance(Wallets):
    @extend_schema(responses=WalletBalanceSerializer)
    def get(self, request, pk):
        """Return the newest snapshot of a wallet, without asking its provider."""
        account = self.get_object()
        return Response(told(account, newest(account)))


class WalletSyncBare(WalletSync):
    """The same without the trailing slash, documented once."""

    schema = None


class WalletBalanceBare(WalletBalance):
    """The same without the trailing slash, documented once."""

    schema = None


def newest(account: Account) -> BalanceSnapshot | Balance:
    """Return what was heard last; raises Http404 where that is nothing."""
    found = newest_snapshot(account) or getattr(account, "balance", None)
    if found is None:
        raise Http404
    return found


def newest_snapshot(account: Account) -> BalanceSnapshot | None:
    return BalanceSnapshot.objects.heard().filter(account=account).first()


def told(account: Account, taken: BalanceSnapshot | Balance) -> dict[str, Any]:
    """Return a snapshot as those clients know it."""
    unit = account.unit
    held = getattr(account, "balance", None)
    return {
        "wallet_id": str(account.pk),
        "provider": account.provider,
        "balance": unit.major(int(taken.total)),
        "currency": unit.code,
        "external_balance_id": provider_id(account, taken.as_of),
        "as_of": taken.as_of,
        "metadata": {
            "available": unit.major(int(taken.available)),
            "held": unit.major(int(taken.held)),
            "source": taken.source,
            "last_confirmed_at": held and held.fetched_at,
        },
        # A snapshot is written when it is read: its row keeps no second moment.
        "created_at": taken.as_of,
    }
