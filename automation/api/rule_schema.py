"""How a rule looks in JSON: for readers of the documentation, who write rules.

What is accepted is decided in one place for API, admin and import: `write_rule`.
"""

from __future__ import annotations

from rest_framework import serializers

from accounts.api.fields import MoneySerializer
from automation.models import Rule, RuleLeg, Trigger

SHARE = r"^(0\.[0-9]*[1-9][0-9]*|1(\.0+)?)$"


def a_share() -> serializers.Field:
    return serializers.RegexField(
        SHARE, required=False, allow_null=True, help_text="More than 0, at most 1."
    )


def money_object() -> serializers.Field:
    return MoneySerializer(required=False, allow_null=True)


class LegSerializer(serializers.Serializer):
    """One line of a rule: an account, its part in it, and how much."""

    account = serializers.UUIDField(required=False)
    accounts = serializers.ChoiceField(
        RuleLeg.Accounts.choices,
        required=False,
        help_text="Instead of an account, in a goal leg: every pot with a goal.",
    )
    role = serializers.CharField()
    order = serializers.IntegerField(required=False)
    strategy = serializers.CharField(required=False)
    amount = money_object()
    share = a_share()
    keep = money_object()
    keep_share = a_share()
    floor = money_object()
    target = money_object()
    low = money_object()
    high = money_object()
    cap = money_object()
    max_share = a_share()
    min_move = money_object()
    unit = money_object()
    multiplier = serializers.IntegerField(required=False)
    due = serializers.DateField(required=False)


class TriggerSerializer(serializers.Serializer):
    """What makes a rule due; each kind takes its own fields only."""

    kind = serializers.ChoiceField(Trigger.Kind.choices)
    expression = serializers.CharField(required=False)
    day = serializers.CharField(required=False, help_text="1–31, or last.")
    weekday = serializers.IntegerField(required=False, help_text="1 is Monday.")
    nth = serializers.CharField(required=False, help_text="1–5, or last.")
    hour = serializers.IntegerField(required=False)
    minute = serializers.IntegerField(required=False)
    minutes = serializers.IntegerField(required=False)
    anchor = serializers.DateTimeField(required=False)
    business_day = serializers.ChoiceField(["none", "previous", "next"], required=False)
    calendar = serializers.CharField(required=False, help_text="Such as GB-ENG.")
    min_amount = money_object()
    max_amount = money_object()
    pattern = serializers.CharField(required=False)
    merchant = serializers.CharField(required=False)
    category = serializers.CharField(required=False)
    look_back_days = serializers.IntegerField(required=False)
    cooldown_days = serializers.IntegerField(required=False)
    start_day = serializers.IntegerField(required=False)
    end_day = serializers.IntegerField(required=False)
    account = serializers.UUIDField(required=False)
    above = money_object()
    below = money_object()
    rearm = money_object()
    rule = serializers.UUIDField(required=False)
    min_moved = money_object()


class PayCycleSerializer(serializers.Serializer):
    """When the owner is paid: on a day of each month, or by one of the triggers."""

    day = serializers.CharField(required=False, help_text="1–31, or last.")
    trigger = serializers.IntegerField(
        required=False, help_text="Its place among the triggers, from 0."
    )


class LimitsSerializer(serializers.Serializer):
    """Bounds that trim what moves."""

    min_move = money_object()
    per_move = money_object()
    per_run = money_object()
    per_day = money_object()
    per_rule = money_object()


class RuleWriteSerializer(serializers.Serializer):
    """What the owner wants done with money of one asset."""

    workspace = serializers.UUIDField(
        required=False, help_text="When creating, with several workspaces."
    )
    name = serializers.CharField()
    kind = serializers.ChoiceField(Rule.Kind.choices)
    enabled = serializers.BooleanField(required=False)
    priority = serializers.IntegerField(required=False, help_text="Lower goes first.")
    timezone = serializers.CharField(required=False)
    asset = serializers.CharField(
        required=False, help_text="If left out, that of the first account."
    )
    legs = LegSerializer(many=True)
    triggers = TriggerSerializer(many=True, required=False)
    limits = LimitsSerializer(required=False)
    rest = serializers.ChoiceField(Rule.Rest.choices, required=False)
    on_stale = serializers.ChoiceField(Rule.OnStale.choices, required=False)
    on_short = serializers.ChoiceField(
        Rule.OnShort.choices, required=False, allow_null=True
    )
    max_staleness_seconds = serializers.IntegerField(required=False)
    max_lateness_seconds = serializers.IntegerField(required=False)
    cooldown_seconds = serializers.IntegerField(required=False)
    plan_ttl_seconds = serializers.IntegerField(required=False)
    round_to = money_object()
    conditions = serializers.DictField(
        required=False,
        allow_null=True,
        help_text="Comparisons in all, any and not; else: skip, or a rule to run.",
    )
    pay_cycle = PayCycleSerializer(required=False, allow_null=True)
    depends_on = serializers.ListField(child=serializers.UUIDField(), required=False)
    notice_seconds = serializers.IntegerField(required=False)
    approval = serializers.ChoiceField(Rule.Approval.choices, required=False)
    tolerance = money_object()

    class Meta:
        ref_name = "RuleWrite"


class RuleProblemSerializer(serializers.Serializer):
    """Why a part of a rule does not work any more: a calendar or zone has changed."""

    field = serializers.CharField()
    message = serializers.CharField()


class RuleSerializer(RuleWriteSerializer):
    """A rule as it stands."""

    id = serializers.UUIDField()
    workspace = serializers.UUIDField()
    next_due_at = serializers.DateTimeField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    created = serializers.DateTimeField()
    updated = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    problems = RuleProblemSerializer(many=True)

    class Meta:
        ref_name = "Rule"
