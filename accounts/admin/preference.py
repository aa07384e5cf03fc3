"""What one wants to hear of, when and from which amount on, and where."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.shortcuts import redirect
from unfold.admin import TabularInline

from accounts.events import KINDS
from accounts.models import Account, Channel, Preference, Threshold
from accounts.services import events
from providers.money import MoneyError

from . import inputs, show
from .base import Panel, Role, ScopedAdmin, may, tell, verb, warn
from .event import deliveries_panel


class KindsForm(forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        label="Tell me when", required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Preference
        fields = ["kinds", "timezone", "quiet_from", "quiet_until"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kinds"].choices = [(k.name, k.label) for k in KINDS.values()]
        if self.instance._state.adding:
            self.initial["kinds"] = [k.name for k in KINDS.values() if k.wanted]


class ThresholdForm(forms.ModelForm):
    """Amounts are typed in whole units of the account's asset."""

    low = inputs.AmountField(required=False, label="Less than")
    change = inputs.AmountField(required=False, label="Changes by")

    class Meta:
        model = Threshold
        fields = ["account", "low", "change", "change_percent"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            for name in ("low", "change"):
                if (value := getattr(self.instance, name)) is not None:
                    unit = self.instance.account.unit
                    self.initial[name] = unit.major(value)

    def clean(self) -> dict:
        cleaned = super().clean()
        account = cleaned.get("account")
        for name in ("low", "change") if account else ():
            cleaned[name] = self._minor(name, account, cleaned.get(name))
        return cleaned

    def _minor(self, name: str, account: Account, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            minor = account.unit.minor(text)
        except MoneyError as error:
            self.add_error(name, str(error))
            return None
        if name == "change" and minor < 0:
            self.add_error(name, "This is how much, up or down: not less than nothing.")
        return minor


class ThresholdInline(TabularInline):
    """From which amounts on a person wants to hear of an account."""

    model = Threshold
    form = ThresholdForm
    extra = 0

    def has_view_permission(self, request, obj=None) -> bool:
        return may(request, Role.VIEWER, obj and obj.workspace_id)

    has_add_permission = has_change_permission = has_view_permission
    has_delete_permission = has_view_permission

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "account":
            kwargs["queryset"] = Account.objects.open().of(request.user).distinct()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ChannelForm(forms.Form):
    """Where to reach a person. The address is checked, sealed and never shown again."""

    kind = inputs.choice(Channel.Kind.choices)
    name = inputs.text(max_length=100)
    address = inputs.text(
        max_length=2000,
        help_text="https://… · me@example.com · slack://…, discord://…, pover://…, "
        "gchat://…, pbul://…",
    )

    def __init__(self, *args, row: Preference, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.row = row

    def clean(self) -> dict:
        typed = super().clean()
        if {"kind", "address"} <= typed.keys():
            try:
                events.check_address(typed["kind"], typed["address"])
            except events.CannotReach as error:
                raise ValidationError(str(error)) from error
        return typed


class OwnAdmin(ScopedAdmin):
    """Rows of the user alone: nobody else's, not even a superuser's to change."""

    owner = "user"

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.filter(**{self.owner: request.user}).distinct()


@admin.register(Preference)
class PreferenceAdmin(OwnAdmin):
    """What one wants to hear of, when, and where."""

    form = KindsForm
    inlines = [ThresholdInline]
    may_add = may_change = True
    add_role = change_role = Role.VIEWER
    verbs = ("add_channel",)
    list_display = ["workspace", "timezone", "quiet_from", "quiet_until"]
    fieldsets = [
        (None, {"fields": ["workspace", "kinds"]}),
        ("Quiet hours", {"fields": ["timezone", ("quiet_from", "quiet_until")]}),
    ]

    def get_readonly_fields(self, request, obj=None):
        return ["workspace"] if obj else []

    def get_inlines(self, request, obj):
        return self.inlines if obj else []

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "workspace":
            return inputs.workspace(request, Role.VIEWER)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request, obj, form, change) -> None:
        obj.user = request.user
        super().save_model(request, obj, form, change)

    def panels(self, request, row: Preference) -> Iterable[Panel]:
        yield Panel(
            "Channels",
            ["Channel", "Kind", "Where", "On"],
            [
                [
                    show.link(channel),
                    channel.get_kind_display(),
                    channel.shown,
                    show.status("ok" if channel.enabled else "off"),
                ]
                for channel in row.channels.all()
            ],
            empty="Nothing is sent until there is one.",
        )

    @verb("Add channel", role=Role.VIEWER, form=ChannelForm)
    def add_channel(self, request, row: Preference, **typed: str) -> None:
        try:
            with transaction.atomic():
                made, key = events.add_channel(row, **typed)
        except IntegrityError:
            warn(request, f"There is a channel {typed['name']} already.")
            return
        tell(request, f"{made} is added. Send a test from its page.")
        if key:
            tell(request, f"It signs with {key} – copy it now: it is not shown again.")


class ChannelKindsForm(forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        label="Only these",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all that the settings choose.",
    )

    class Meta:
        model = Channel
        fields = ["name", "enabled", "kinds"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kinds"].choices = [(k.name, k.label) for k in KINDS.values()]


def signs(row: Channel) -> bool:
    return row.kind == Channel.Kind.WEBHOOK


@admin.register(Channel)
class ChannelAdmin(OwnAdmin):
    """Where one is told. Its address is never shown."""

    workspace = "preference__workspace"
    owner = "preference__user"
    form = ChannelKindsForm
    may_change = True
    change_role = Role.VIEWER
    verbs = ("send_test", "replace_key", "remove")
    list_display = ["name", "kind", "shown", "enabled"]
    readonly_fields = ["kind", "shown", "old_key_until"]
    fieldsets = [
        (None, {"fields": [("kind", "shown"), "name", "enabled", "kinds"]}),
        ("Signing", {"fields": ["old_key_until"]}),
    ]

    def panels(self, request, row: Channel) -> Iterable[Panel]:
        newest = row.deliveries.select_related("recipient", "event")[:20]
        yield deliveries_panel(newest)

    @verb("Send a test", tone="main", role=Role.VIEWER)
    def send_test(self, request, row: Channel) -> None:
        events.send_test(row)
        tell(request, "A test is on its way. What came of it is shown below.")

    @verb(
        "New signing key",
        role=Role.VIEWER,
        hint="The old one signs as well for a day",
        shown=signs,
    )
    def replace_key(self, request, row: Channel) -> None:
        key = events.replace_key(row)
        tell(request, f"It signs with {key} – copy it now: it is not shown again.")

    @verb("Remove", tone="bad", role=Role.VIEWER, hint="Erases its address")
    def remove(self, request, row: Channel):
        row.delete()
        tell(request, f"{row.name} is removed.")
        return redirect(show.page(row.preference))
