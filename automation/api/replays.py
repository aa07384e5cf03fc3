from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api.base import OPERATOR
from accounts.api.fields import Flag, MoneySerializer, StrictSerializer
from accounts.api.idempotency import idempotent
from accounts.api.problems import Problem
from accounts.api.reading import moment
from automation import services

from .plans import MoveSerializer, ReadingSerializer, StepSerializer
from .rules import Rules

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class NotReplayable(Problem):
    """This stretch cannot be replayed."""


@extend_schema_field({"type": "string", "example": "2026-01-31"})
class DayOrMoment(serializers.Field):
    """A day in the rule's zone, or an RFC 3339 time; `last`: the end of that day."""

    default_error_messages = {
        "invalid": "A day such as 2026-01-31, or a time such as 2026-01-31T09:00:00Z."
    }

    def __init__(self, *, last: bool = False, **kwargs: Any) -> None:
        self.last = last
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> datetime:
        found = moment(data) if isinstance(data, str) else None
        if found is None and isinstance(data, str) and DAY.fullmatch(data):
            found = self.day(data)
        if found is None:
            self.fail("invalid")
        return found

    def day(self, text: str) -> datetime | None:
        try:
            day = date.fromisoformat(text) + timedelta(days=self.last)
            zone = ZoneInfo(self.context["rule"].timezone)
            return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


class ReplayRequest(StrictSerializer):
    """At most 400 days; `until` is at most now.

    `carry`, true by default: what an occurrence would have moved is missing or there
    for the next. Else each stands alone, on the balances as they really were.
    """

    since = DayOrMoment()
    until = DayOrMoment(last=True)
    carry = Flag(required=False)


class ReplayRowSerializer(serializers.Serializer):
    """One occurrence: due when, decided when, and what would have moved."""

    at = serializers.DateTimeField()
    due = serializers.DateTimeField()
    key = serializers.CharField()
    trigger = serializers.CharField()
    why = serializers.CharField()
    outcome = serializers.CharField()
    reason = serializers.CharField()
    total = MoneySerializer()
    moves = MoveSerializer(many=True)
    readings = ReadingSerializer(many=True)
    trace = StepSerializer(many=True)


class AccountTotalSerializer(serializers.Serializer):
    account = serializers.UUIDField()
    into = MoneySerializer()
    out_of = MoneySerializer()


class ReplayTotalsSerializer(serializers.Serializer):
    occurrences = serializers.IntegerField()
    moved = MoneySerializer()
    outcomes = serializers.DictField(child=serializers.IntegerField())
    accounts = AccountTotalSerializer(many=True)


class ReplaySerializer(serializers.Serializer):
    """What a rule would have done. `not_played`: triggers that come from outside."""

    rule = serializers.UUIDField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    carry = serializers.BooleanField()
    rows = ReplayRowSerializer(many=True)
    totals = ReplayTotalsSerializer()
    not_played = serializers.ListField(child=serializers.CharField())


class RuleReplay(Rules):
    roles = {"POST": OPERATOR}

    @extend_schema(request=ReplayRequest, responses=ReplaySerializer)
    @idempotent()
    def post(self, request, pk):
        """Say what the rule would have done over stored history; nothing moves.

        Every occurrence is planned on the newest balances that were stored by then; an
        account is unknown before its first. A disabled rule is replayed as if enabled.
        """
        rule = self.get_object()
        told = self.body(ReplayRequest, rule=rule)
        try:
            found = services.replay(rule, **told)
        except services.ReplayError as error:
            wrong = {"field": "since", "code": error.code, "detail": str(error)}
            raise NotReplayable(str(error), errors=[wrong]) from error
        return Response(services.replay_data(rule, found))
