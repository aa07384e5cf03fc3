from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.response import Response

import providers
from accounts import services
from accounts.models import Account, Connection
from accounts.models.account import LEAST_KEPT_DAYS, MOST_DAYS
from accounts.moneyjson import money
from providers.base import TakesTypedBalances
from providers.money import Asset, MoneyError

from .base import ADMIN, Api, invalid
from .fields import (
    Flag,
    Id,
    MoneyIn,
    MoneyOut,
    MoneySerializer,
    StrictSerializer,
    Text,
    Whole,
)
from .filters import AccountFilter
from .idempotency import idempotent
from .problems import Archived


class HeldSerializer(serializers.Serializer):
    """The newest accepted reading; no reading is null, never zero."""

    total = MoneySerializer()
    available = MoneySerializer()
    held = MoneySerializer()
    as_of = serializers.DateTimeField()
    fetched_at = serializers.DateTimeField()
    source = serializers.CharField()
    error = serializers.CharField(allow_null=True)


class AllowanceSerializer(serializers.Serializer):
    """What somebody else may take out; `unlimited` is what its chain takes for that."""

    spender = serializers.CharField()
    name = serializers.CharField()
    amount = MoneySerializer()
    unlimited = serializers.BooleanField()
    read_at = serializers.DateTimeField()


class ChainSerializer(serializers.Serializer):
    """The final block that the balance is of, and what is not final yet."""

    block = serializers.IntegerField()
    block_hash = serializers.CharField()
    read_at = serializers.DateTimeField()
    unconfirmed = MoneySerializer(allow_null=True)
    allowances = AllowanceSerializer(many=True)


class AccountSerializer(serializers.ModelSerializer):
    """Anything that holds one asset. A pot is an account with a parent."""

    goal = MoneyOut(allow_null=True)
    balance = serializers.SerializerMethodField()
    chain = serializers.SerializerMethodField()

    class Meta:
        model = Account
        fields = [
            "id",
            "workspace",
            "connection",
            "provider",
            "external_id",
            "parent",
            "name",
            "kind",
            "role",
            "category",
            "asset",
            "goal",
            "active",
            "automates",
            "can_send",
            "can_receive",
            "balance",
            "chain",
            "created",
            "closed_at",
            "protected_at",
            "protected_reason",
            "clean_syncs_left",
            "missing_since",
            "keep_days",
            "days_only_until",
        ]
        read_only_fields = fields

    @extend_schema_field(HeldSerializer(allow_null=True))
    def get_balance(self, account: Account) -> dict[str, Any] | None:
        held = getattr(account, "balance", None)
        return held and {
            "total": money(held.total, account.asset),
            "available": money(held.available, account.asset),
            "held": money(held.held, account.asset),
            "as_of": held.as_of,
            "fetched_at": held.fetched_at,
            "source": held.source,
            "error": held.error or None,
        }

    @extend_schema_field(ChainSerializer(allow_null=True))
    def get_chain(self, account: Account) -> dict[str, Any] | None:
        state = getattr(account, "chain", None)
        if state is None:
            return None
        coming = state.unconfirmed
        return {
            "block": state.number,
            "block_hash": state.hash,
            "read_at": state.read_at,
            "unconfirmed": None if coming is None else money(coming, account.asset),
            "allowances": [
                {
                    "spender": allowed.spender,
                    "name": allowed.name,
                    "amount": money(allowed.amount, account.asset),
                    "unlimited": allowed.unlimited,
                    "read_at": allowed.read_at,
                }
                for allowed in account.allowances.all()
            ],
        }


class AccountPatch(StrictSerializer):
    name = Text(max_length=200, required=False)
    category = Text(max_length=30, allow_blank=True, required=False)
    role = Text(max_length=30, allow_blank=True, required=False)
    goal = MoneyIn(allow_null=True, required=False)
    active = Flag(required=False)
    keep_days = Whole(
        least=LEAST_KEPT_DAYS,
        most=MOST_DAYS,
        allow_null=True,
        required=False,
        help_text="Of older days only the figures stay; null: every snapshot stays.",
    )

    def validate_goal(self, minor: int | None) -> int | None:
        if minor is not None and minor < 0:
            raise serializers.ValidationError("A goal is not negative.", "money")
        return minor


class AccountCreate(StrictSerializer):
    connection = Id()
    name = Text(max_length=200)
    asset = Text(max_length=24)

    def validate_asset(self, text: str) -> Asset:
        try:
            return Asset.parse(text)
        except MoneyError as error:
            raise serializers.ValidationError(str(error), "money") from error


class Accounts(Api):
    queryset = Account.objects.all()
    serializer_class = AccountSerializer

    def get_queryset(self):
        rows = Account.objects.of(self.request.user)
        return rows.select_related("balance", "chain").prefetch_related("allowances")


class AccountList(Accounts, generics.ListAPIView):
    """List accounts and pots with what they hold, newest first."""

    filterset_class = AccountFilter
    roles = {"POST": ADMIN}

    @extend_schema(request=AccountCreate, responses={201: AccountSerializer})
    @idempotent()
    def post(self, request):
        """Add an account whose balance a person types in, such as cash."""
        told = self.body(AccountCreate)
        connection = self.typed_connection(told["connection"])
        made = services.create_typed_account(connection, told["name"], told["asset"])
        return Response(self.get_serializer(made).data, 201)

    def typed_connection(self, pk) -> Connection:
        connection = Connection.objects.of(self.request.user).filter(pk=pk).first()
        if connection is None:
            raise invalid(
                "connection", "You have no such connection.", "does_not_exist"
            )
        self.require(connection.workspace_id)
        if connection.archived_at is not None:
            raise Archived
        if not issubclass(providers.load(connection.provider), TakesTypedBalances):
            raise invalid(
                "connection", "This provider reports its own accounts.", "not_typed"
            )
        return connection


class AccountDetail(Accounts):
    roles = {"PATCH": ADMIN}

    def get(self, request, pk):
        """Show one account with what it holds."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=AccountPatch)
    def patch(self, request, pk):
        """Change the name, category, role, goal, whether it is active, what it keeps."""
        account = self.get_object()
        told = self.body(AccountPatch, asset=account.asset)
        for name, value in told.items():
            setattr(account, name, value)
        if told:
            account.save(update_fields=list(told))
        return Response(self.get_serializer(account).data)
