"""One route for clients of an older system: what the caller's chain wallets hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import Http404
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.instant.answer import CACHE
from accounts.instant.entry import Entry, micros, text_of
from accounts.models import Account
from accounts.services import instant
from accounts.services.instant import Glance
from providers.money import Asset

from .balances import refresh
from .base import Api, invalid

CURRENCY = "Which to add up, where you hold several; else the installation's usual one."
DERIVED, PROXY = "derived", "proxy"
SECOND = 1_000_000
UNLIMITED = "unlimited"


class ChainBalanceSerializer(serializers.Serializer):
    """Decimals in strings; null where it is not known, never zero."""

    success = serializers.BooleanField()
    balance = serializers.CharField(allow_null=True)
    derived_balance = serializers.CharField(allow_null=True)
    proxy_balance = serializers.CharField(allow_null=True)
    proxy_allowance = serializers.CharField(
        allow_null=True,
        help_text="The least that any named spender may take, or 'unlimited'.",
    )
    unconfirmed_balance = serializers.CharField(
        allow_null=True, help_text="With what the chain has not made final yet."
    )
    currency = serializers.CharField()
    timestamp = serializers.DateTimeField(allow_null=True)
    source = serializers.CharField(allow_null=True)
    cached = serializers.BooleanField()
    updating = serializers.BooleanField()
    age_seconds = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    complete = serializers.BooleanField()


class ChainBalance(Api):
    queryset = Account.objects.all()
    serializer_class = ChainBalanceSerializer

    @extend_schema(
        parameters=[OpenApiParameter("currency", str, description=CURRENCY)],
        responses={200: ChainBalanceSerializer, 202: ChainBalanceSerializer},
    )
    def get(self, request):
        """Return at once what your derived and proxy wallets hold together."""
        wallets = self.wallets()
        looks = [(w.role, instant.glance(w.pk)) for w in wallets]
        updating = any([renewed(look) for _, look in looks])
        unit = Asset.parse(wallets[0].asset)
        body = together(looks, unit, updating=updating)
        body |= on_chain(wallets, unit)
        headers = {"Cache-Control": "no-store"}
        return Response(body, 200 if body["success"] else 202, headers=headers)

    def wallets(self) -> list[Account]:
        """Return the wallets of one currency; raises ValidationError and Http404."""
        mine = Account.objects.of(self.request.user).counted()
        held = list(
            mine.filter(role__in=(DERIVED, PROXY))
            .select_related("chain")
            .prefetch_related("allowances")
            .order_by("pk")
        )
        wanted = self.request.query_params.get("currency")
        rows = [row for row in held if row.unit.code == wanted]
        if wanted is None:
            usual = [r for r in held if r.unit.code == settings.CHAIN_CURRENCY]
            rows = usual or held
        if not rows:
            raise Http404
        if len({row.asset for row in rows}) > 1:
            raise invalid("currency", "You hold several: say which.", "required")
        return rows


def renewed(look: Glance) -> bool:
    """Let what is stale be read again; say whether that is under way."""
    told = look.answer()
    return told.updating or (told.wanting and told.may_ask and refresh(look))


def together(
    looks: Sequence[tuple[str, Glance]], unit: Asset, *, updating: bool
) -> dict[str, Any]:
    """Return all wallets as one; a part that was never known leaves the sum unknown."""
    entries = [look.sheet.entry for _, look in looks]
    known = [entry for entry in entries if entry.known]
    whole = len(known) == len(entries)
    oldest = min((entry.as_of for entry in known), default=None)
    errors = [entry.error for entry in entries if entry.error]
    if not whole:
        errors.append("A balance is being read for the first time")
    return {
        "success": whole,
        "balance": total(entries, unit),
        "derived_balance": part(looks, DERIVED, unit),
        "proxy_balance": part(looks, PROXY, unit),
        "currency": unit.code,
        "timestamp": None if oldest is None else text_of(oldest),
        "source": source_of(known),
        "cached": all(look.found_in == CACHE for _, look in looks),
        "updating": updating,
        "age_seconds": None
        if oldest is None
        else max(0, (micros(now()) - oldest) // SECOND),
        "error": "; ".join(dict.fromkeys(errors)) or None,
        # With the last good figure of a part that cannot be read the sum is not whole.
        "complete": whole and not errors,
    }


def on_chain(wallets: Sequence[Account], unit: Asset) -> dict[str, str | None]:
    """Return what is not final yet, and what others may take of the proxy wallets."""
    states = [getattr(wallet, "chain", None) for wallet in wallets]
    coming = [None if state is None else state.unconfirmed for state in states]
    known = [amount for amount in coming if amount is not None]
    return {
        "unconfirmed_balance": unit.major(sum(known))
        if len(known) == len(coming)
        else None,
        "proxy_allowance": allowance(wallets, unit),
    }


def allowance(wallets: Sequence[Account], unit: Asset) -> str | None:
    """Return the least that a spender may take of a proxy wallet; None if none is told."""
    told = [a for w in wallets if w.role == PROXY for a in w.allowances.all()]
    bounded = [allowed.amount for allowed in told if not allowed.unlimited]
    if bounded:
        return unit.major(min(bounded))
    return UNLIMITED if told else None


def part(looks: Sequence[tuple[str, Glance]], role: str, unit: Asset) -> str | None:
    return total([look.sheet.entry for r, look in looks if r == role], unit)


def total(entries: Sequence[Entry], unit: Asset) -> str | None:
    """Return the sum; None where there is nothing to add up, or a part is unknown."""
    if not entries or not all(entry.known for entry in entries):
        return None
    return unit.major(sum(entry.total for entry in entries))


def source_of(known: Sequence[Entry]) -> str | None:
    """Return where the oldest figure comes from."""
    return min(known, key=lambda entry: entry.as_of).source if known else None
