"""How a plan looks in JSON: what was read, what would move, and why."""

from __future__ import annotations

from rest_framework import serializers

from accounts.api.fields import MoneySerializer


class ReadingSerializer(serializers.Serializer):
    """What an account held when it was decided; null is unknown."""

    account = serializers.UUIDField()
    available = MoneySerializer(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.IntegerField(allow_null=True)
    source = serializers.CharField()

    class Meta:
        ref_name = "PlanReading"


class MoveSerializer(serializers.Serializer):
    """Money that goes from one account to another."""

    source = serializers.UUIDField()
    target = serializers.UUIDField()
    money = MoneySerializer()


class StepSerializer(serializers.Serializer):
    """One thing that was decided, in words."""

    step = serializers.CharField()
    account = serializers.UUIDField(allow_null=True)
    text = serializers.CharField()
    amount = MoneySerializer(allow_null=True)


class PlanSerializer(serializers.Serializer):
    """What a rule would do now, and why."""

    plan_hash = serializers.CharField()
    outcome = serializers.CharField()
    reason = serializers.CharField()
    readings = ReadingSerializer(many=True)
    moves = MoveSerializer(many=True)
    trace = StepSerializer(many=True)
