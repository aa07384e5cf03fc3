"""Filters of lists, as strict as bodies are."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from accounts.models import (
    Account,
    AuditEvent,
    Correction,
    Discrepancy,
    Event,
    Order,
    Position,
    QuarantinedReading,
    Severity,
    Side,
    Stream,
    SyncRun,
)

from .reading import PLAIN_UUID, moment


class AsItIs(forms.CharField):
    """A text whose blanks are part of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"strip": False})


class MomentField(AsItIs):
    def clean(self, value):
        text = super().clean(value)
        if not text:
            return None
        if (found := moment(text)) is None:
            raise forms.ValidationError(
                "An RFC 3339 time, such as 2026-01-31T09:00:00Z.", "invalid"
            )
        return found


class IdField(AsItIs):
    def clean(self, value):
        text = super().clean(value)
        if text and not PLAIN_UUID.fullmatch(text):
            raise forms.ValidationError("This is no id.", "invalid")
        return text


class FlagField(AsItIs):
    WORDS = {"": None, "true": True, "false": False}

    def clean(self, value):
        text = super().clean(value)
        if text not in self.WORDS:
            raise forms.ValidationError("This is true or false.", "invalid")
        return self.WORDS[text]


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):
    field_class = MomentField


@extend_schema_field(OpenApiTypes.UUID)
class IdFilter(django_filters.Filter):
    field_class = IdField


@extend_schema_field(OpenApiTypes.BOOL)
class FlagFilter(django_filters.Filter):
    field_class = FlagField


def words(choices, **options: Any) -> django_filters.ChoiceFilter:
    """Return a filter over the named strings."""
    return extend_schema_field({"type": "string", "enum": list(choices.values)})(
        django_filters.ChoiceFilter(choices=choices.choices, **options)
    )


@extend_schema_field(OpenApiTypes.STR)
class TextFilter(django_filters.CharFilter):
    """A name, exactly as it is stored."""

    field_class = AsItIs


class Between(django_filters.FilterSet):
    """Rows made within a time: `since` counts, `until` does not."""

    since = MomentFilter(field_name="created", lookup_expr="gte")
    until = MomentFilter(field_name="created", lookup_expr="lt")


class ConnectionFilter(django_filters.FilterSet):
    workspace = IdFilter(field_name="workspace_id")
    provider = TextFilter()
    archived = FlagFilter(method="by_archived", label="true: archived ones too")

    def filter_queryset(self, queryset):
        found = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["archived"] else found.in_use()

    def by_archived(self, queryset, name, value):
        return queryset


class AccountFilter(django_filters.FilterSet):
    workspace = IdFilter(field_name="workspace_id")
    connection = IdFilter(field_name="connection_id")
    parent = IdFilter(field_name="parent_id")
    provider = TextFilter()
    kind = TextFilter()
    role = TextFilter()
    asset = TextFilter()
    active = FlagFilter(field_name="active")

    class Meta:
        model = Account
        fields: list[str] = []


class MarketFilter(Between):
    """What happens in markets."""

    connection = IdFilter(field_name="connection_id")
    market = TextFilter()
    segment = TextFilter()


class OrderFilter(MarketFilter):
    status = words(Order.Status)
    side = words(Side)


class TradeFilter(MarketFilter):
    side = words(Side)


class PositionFilter(MarketFilter):
    side = words(Position.Side)
    derived = FlagFilter(field_name="derived")
    open = FlagFilter(method="by_open", label="true: not closed; false: closed")

    class Meta:
        model = Position
        fields: list[str] = []

    def by_open(self, queryset, name, value):
        return queryset.filter(closed_at__isnull=value)


class RateFilter(django_filters.FilterSet):
    workspace = IdFilter(field_name="workspace_id")
    base = TextFilter()
    quote = TextFilter()
    source = TextFilter()


class TransactionFilter(Between):
    account = IdFilter(field_name="account_id")


class SyncRunFilter(Between):
    connection = IdFilter(field_name="connection_id")
    kind = words(SyncRun.Kind)
    status = words(SyncRun.Status)


class StreamFilter(django_filters.FilterSet):
    connection = IdFilter(field_name="connection_id")

    class Meta:
        model = Stream
        fields: list[str] = []


class CorrectionFilter(Between):
    account = IdFilter(field_name="account_id")
    about = words(Correction.Subject, field_name="subject_kind")
    subject = IdFilter(field_name="subject_id")
    sync = IdFilter(field_name="sync_id")
    field = TextFilter()
    severity = words(Severity)

    class Meta:
        model = Correction
        fields: list[str] = []


class DiscrepancyFilter(Between):
    account = IdFilter(field_name="account_id")
    status = words(Discrepancy.Status)
    severity = words(Severity)


class QuarantineFilter(Between):
    account = IdFilter(field_name="account_id")
    connection = IdFilter(field_name="connection_id")
    rule = TextFilter()
    status = words(QuarantinedReading.Status)

    class Meta:
        model = QuarantinedReading
        fields: list[str] = []


class EventFilter(Between):
    workspace = IdFilter(field_name="workspace_id")
    kind = TextFilter()
    severity = words(Severity)
    subject = IdFilter(field_name="subject_id")

    class Meta:
        model = Event
        fields: list[str] = []


class AuditFilter(Between):
    workspace = IdFilter(field_name="workspace_id")
    action = TextFilter()
    kind = TextFilter(field_name="object_kind")
    object = TextFilter(field_name="object_id", label="The id of what it was done to")
    actor = TextFilter()
    via = words(AuditEvent.Via)

    class Meta:
        model = AuditEvent
        fields: list[str] = []
