"""Fields that accept one spelling. DRF's own read "1_000", " 5 " and exotic digits."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django.core.validators import MaxLengthValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.moneyjson import money, parse_money
from providers.money import MoneyError

from .reading import PLAIN_UUID, moment


class MoneySerializer(serializers.Serializer):
    """An exact amount. `minor` counts the asset's smallest unit; a number is refused."""

    asset = serializers.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,19}/[0-9]{1,2}$")
    minor = serializers.RegexField(r"^-?(0|[1-9][0-9]*)$", required=False)
    amount = serializers.RegexField(r"^-?[0-9]+(\.[0-9]+)?$", required=False)

    class Meta:
        ref_name = "Money"


@extend_schema_field(MoneySerializer)
class MoneyOut(serializers.Field):
    """An amount of the row, with the row's own asset."""

    def __init__(self, *, asset: str = "asset", **kwargs: Any) -> None:
        self.asset_source = asset.split(".")
        super().__init__(**kwargs | {"read_only": True})

    def get_attribute(self, instance):
        minor = super().get_attribute(instance)
        if minor is None:
            return None
        for name in self.asset_source:
            instance = getattr(instance, name)
        return money(int(minor), instance)

    def to_representation(self, value):
        return value


@extend_schema_field(MoneySerializer)
class MoneyIn(serializers.Field):
    """A money object of strings; the parent serializer's context names its asset."""

    def to_internal_value(self, data: Any) -> int:
        try:
            return parse_money(data, asset=self.context.get("asset"))
        except MoneyError as error:
            raise serializers.ValidationError(str(error), code="money") from error


class Text(serializers.CharField):
    """A string; a number is none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Plain(Text):
    """A plain decimal, as a string, because a JSON number may be a float."""

    def __init__(
        self, *, digits: int, decimals: int, above_zero: bool = False, **kwargs: Any
    ) -> None:
        self.digits, self.decimals, self.above_zero = digits, decimals, above_zero
        self.shape = re.compile(
            rf"[0-9]{{1,{digits}}}(\.[0-9]{{1,{decimals}}})?", re.ASCII
        )
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        text = super().to_internal_value(data)
        fits = self.shape.fullmatch(text) is not None
        if not fits or (self.above_zero and not Decimal(text)):
            least = "above 0" if self.above_zero else "of 0 or more"
            most = f"{self.digits} digits and {self.decimals} decimals"
            raise serializers.ValidationError(f"A decimal {least} with at most {most}.")
        return Decimal(text)


class Choice(serializers.ChoiceField):
    """One of the named strings; a number is none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.BOOL)
class Flag(serializers.Field):
    """true or false; "yes" and 1 are neither."""

    default_error_messages = {"invalid": "This is true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data

    def to_representation(self, value: bool) -> bool:
        return value


class Whole(serializers.Field):
    """A JSON integer between two bounds; "5", 5.0 and true are none."""

    default_error_messages = {"invalid": "A whole number from {least} to {most}."}

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        self.least, self.most = least, most
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int or not self.least <= data <= self.most:
            self.fail("invalid", least=self.least, most=self.most)
        return data

    def to_representation(self, value: int) -> int:
        return value


class Id(serializers.UUIDField):
    """An id as we write it: with hyphens, as a string."""

    def to_internal_value(self, data: Any):
        if not isinstance(data, str) or not PLAIN_UUID.fullmatch(data):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class Moment(serializers.Field):
    """An RFC 3339 time; without an offset nobody knows when that is."""

    default_error_messages = {
        "invalid": "An RFC 3339 time, such as 2026-01-31T09:00:00Z."
    }

    def to_internal_value(self, data: Any):
        found = moment(data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid")
        return found

    def to_representation(self, value) -> str:
        return value.isoformat()


class Credentials(serializers.DictField):
    """What a person types in to connect: strings by name, never shown again."""

    child = Text(max_length=8192, trim_whitespace=False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"write_only": True})
        self.validators.append(MaxLengthValidator(30))


class StrictSerializer(serializers.Serializer):
    """Refuses what it does not know, so that no misspelt field is silently dropped."""

    def to_internal_value(self, data: Any):
        if isinstance(data, dict):
            self.refuse_unknown(data)
        return super().to_internal_value(data)

    def refuse_unknown(self, data: dict[str, Any]) -> None:
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = {
            name: [serializers.ErrorDetail("There is no such field.", "unknown_field")]
            for name in data
            if name not in known
        }
        if unknown:
            raise serializers.ValidationError(unknown)


class Nothing(StrictSerializer):
    """A body without fields."""
