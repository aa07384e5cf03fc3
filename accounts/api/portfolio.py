"""What everything is worth together, what that lacks, and how it went."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts import services
from accounts.history.course import LENGTHS, Course
from accounts.history.trends import rounded
from accounts.models import Account, Workspace
from accounts.models.rate import PLACES, plain
from accounts.moneyjson import money
from accounts.portfolio.rates import Rate
from accounts.portfolio.total import (
    Change,
    Doubt,
    Holding,
    Portfolio,
    Share,
    Status,
    Why,
)
from accounts.services.portfolio import DAY
from providers.money import Asset, MoneyError

from .base import Api, invalid
from .fields import Moment, MoneySerializer
from .reading import PLAIN_UUID


class DoubtSerializer(serializers.Serializer):
    """An account that a figure lacks or doubts, with its last good value."""

    account = serializers.UUIDField()
    name = serializers.CharField()
    provider = serializers.CharField()
    why = serializers.ChoiceField([why.value for why in Why])
    last_good = MoneySerializer(allow_null=True)
    as_of = Moment(allow_null=True)


class ShareSerializer(serializers.Serializer):
    value = MoneySerializer(allow_null=True, help_text="Null where nobody knows.")
    percent = serializers.CharField(allow_null=True, help_text="Of the total.")
    accounts = serializers.IntegerField()
    partial = serializers.BooleanField(help_text="An account is not counted.")


class ProviderShareSerializer(ShareSerializer):
    provider = serializers.CharField()


class AssetShareSerializer(ShareSerializer):
    asset = serializers.CharField()
    held = MoneySerializer(allow_null=True)


class ChangeSerializer(serializers.Serializer):
    """How the same accounts changed in 24 hours, by the rates of now."""

    since = Moment()
    then, now = MoneySerializer(allow_null=True), MoneySerializer(allow_null=True)
    difference = MoneySerializer(allow_null=True)
    percent = serializers.CharField(allow_null=True, help_text="Null from zero.")
    left_out = DoubtSerializer(many=True)


class UsedRateSerializer(serializers.Serializer):
    base, quote, value = (serializers.CharField() for _ in range(3))
    as_of = Moment()
    source = serializers.CharField()
    stale = serializers.BooleanField()


class PointSerializer(serializers.Serializer):
    at = Moment()
    total = MoneySerializer()


class HistorySerializer(serializers.Serializer):
    """The worth over time by the rates of now, where it changed.

    A line ends where an account joins or leaves: the next is not comparable.
    """

    since, until = Moment(), Moment()
    lines = serializers.ListField(child=PointSerializer(many=True))


class PortfolioSerializer(serializers.Serializer):
    workspace = serializers.UUIDField()
    base = serializers.CharField(allow_null=True, help_text="Null: no account yet.")
    as_of = Moment()
    total = MoneySerializer(allow_null=True, help_text="Null where nobody knows.")
    status = serializers.ChoiceField([status.value for status in Status])
    complete = serializers.BooleanField(help_text="Nothing is missing, nothing old.")
    missing = DoubtSerializer(many=True)
    providers = ProviderShareSerializer(many=True)
    assets = AssetShareSerializer(many=True)
    change = ChangeSerializer()
    rates = UsedRateSerializer(many=True)
    history = HistorySerializer(allow_null=True, help_text="With `range` only.")


class PortfolioView(Api):
    @extend_schema(
        operation_id="portfolio",
        parameters=[
            OpenApiParameter("workspace", str, description="Needed with several."),
            OpenApiParameter(
                "base", str, description="GBP or GBP/2; the workspace's if not told."
            ),
            OpenApiParameter("range", str, enum=list(LENGTHS), description="History."),
        ],
        responses=PortfolioSerializer,
    )
    def get(self, request):
        """Say what everything is worth together, and what that figure lacks."""
        workspace = self.workspace(told_workspace(request))
        base, length = told_base(request, workspace), told_range(request)
        table = services.table_of(workspace)
        found = services.portfolio_of(workspace, base, table=table)
        history = None
        if length is not None:
            course = services.worth_over_time(
                workspace, base, length, until=found.moment, table=table
            )
            history = drawn(course, found.moment - length, found.moment, base)
        told = PortfolioSerializer(
            answer(found) | {"workspace": workspace.pk, "history": history}
        )
        return Response(told.data)


def told_workspace(request) -> UUID | None:
    """Return the id that is asked for, if one is; raises ValidationError."""
    told = request.query_params.get("workspace")
    if told is not None and not PLAIN_UUID.fullmatch(told):
        raise invalid("workspace", "This is no id.")
    return UUID(told) if told else None


def told_base(request, workspace: Workspace) -> Asset | None:
    """Return the asset that is asked for, or the workspace's; raises ValidationError."""
    told = request.query_params.get("base")
    if told is None:
        return services.base_of(workspace)
    try:
        found = Asset.parse(told if "/" in told else f"{told}/0")
    except MoneyError as error:
        raise invalid("base", str(error)) from error
    found = found if "/" in told else services.spelt_out(workspace, told)
    if found is None:
        raise invalid("base", f"Say how many decimals {told} has, such as {told}/2.")
    return found


def told_range(request) -> timedelta | None:
    """Return how much history is asked for; raises ValidationError."""
    told = request.query_params.get("range")
    if told is not None and told not in LENGTHS:
        raise invalid("range", f"One of {', '.join(LENGTHS)}.", "invalid_choice")
    return LENGTHS[told] if told else None


def answer(found: Portfolio) -> dict[str, Any]:
    """Return a portfolio in JSON: amounts as money, percentages as texts."""
    base = found.base
    return {
        "base": base and str(base),
        "as_of": found.moment,
        "total": amount(found.total, base),
        "status": found.status.value,
        "complete": found.status == Status.OK,
        "missing": doubts(found.doubts),
        "providers": [
            {"provider": share.name, **part(share, base)}
            for share in found.shares(attrgetter("provider"))
        ],
        "assets": [
            {
                "asset": str(share.name),
                "held": amount(share.held, share.name),
                **part(share, base),
            }
            for share in found.shares(attrgetter("asset"))
        ],
        "change": change(found),
        "rates": [used(rate, found.moment) for rate in found.rates],
    }


def amount(minor: int | None, asset: Asset | None) -> dict[str, str] | None:
    return None if minor is None or asset is None else money(minor, asset)


def text(percent: Decimal | None) -> str | None:
    return None if percent is None else f"{percent:f}"


def part(share: Share, base: Asset | None) -> dict[str, Any]:
    return {
        "value": amount(share.value, base),
        "percent": text(share.percent),
        "accounts": len(share.holdings),
        "partial": share.partial,
    }


def doubts(found: Iterable[Doubt]) -> list[dict[str, Any]]:
    return [doubt_of(one.holding, one.why) for one in found]


def doubt_of(holding: Holding, why: Why) -> dict[str, Any]:
    row: Account = holding.key
    known = getattr(row, "balance", None)
    return {
        "account": row.pk,
        "name": str(row),
        "provider": row.provider,
        "why": why.value,
        "last_good": amount(holding.total, holding.asset),
        "as_of": known and known.as_of,
    }


def change(found: Portfolio) -> dict[str, Any]:
    told: Change | None = found.change
    figures = {
        name: amount(told and getattr(told, name), found.base)
        for name in ("then", "now", "difference")
    }
    return {
        "since": found.moment - DAY,
        **figures,
        "percent": text(told.percent) if told else None,
        "left_out": doubts(found.not_compared),
    }


def used(rate: Rate, moment: datetime) -> dict[str, Any]:
    value = rounded(rate.value, PLACES)
    return {
        "base": rate.base,
        "quote": rate.quote,
        "value": plain(value),
        "as_of": rate.as_of,
        "source": rate.source,
        "stale": rate.is_stale(moment),
    }


def drawn(
    course: Course, since: datetime, until: datetime, base: Asset | None
) -> dict[str, Any]:
    """Return a course as lines of points: where the worth changed, and where each ends."""
    step = (until - since) / course.columns
    lines = []
    for run in course.runs:
        points = [(column.at, column.last) for column in run.columns]
        if run.end > points[-1][0]:
            points.append((run.end, points[-1][1]))
        lines.append(
            [{"at": since + at * step, "total": amount(n, base)} for at, n in points]
        )
    return {"since": since, "until": until, "lines": lines}
