from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.safestring import SafeString
from django.utils.timezone import now
from unfold import widgets

from accounts import services
from accounts.models import Scope, SigningKey

from . import inputs, show
from .base import HistoryAdmin, Role, tell, verb, warn

MOST_DAYS = 3650
TONES = {"live": "ok", "expired": "warn"}


class SigningKeyForm(forms.Form):
    """What a key is called, may be about, and how long."""

    label = inputs.text(required=False, max_length=100, help_text="Who signs with it.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None holds another.",
    )
    days = inputs.number(
        required=False, min_value=1, max_value=MOST_DAYS, help_text="Empty: it stays."
    )

    def __init__(self, *args, request, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        mine = inputs.workspace(request)
        mine.queryset = mine.queryset.of(request.user)
        self.fields = {"workspace": mine} | self.fields


@admin.register(SigningKey)
class SigningKeyAdmin(HistoryAdmin):
    """Keys that sign requests: each acts for whoever made it, as far as its scopes go."""

    may_add = True
    verbs = ("rotate", "revoke")
    list_display = ["name", "user", "scopes_shown", "shown_state", "used", "ends"]
    list_select_related = ["user", "workspace"]
    search_fields = ["label"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("id", "shown_state"),
                    ("user", "workspace"),
                    ("label", "scopes_shown"),
                    ("created", "used"),
                    ("ends", "revoked"),
                ]
            },
        )
    ]

    def has_module_permission(self, request) -> bool:
        return self.allows(request, Role.ADMIN)

    def has_view_permission(self, request, obj=None) -> bool:
        return self.allows(request, Role.ADMIN, obj)

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        return rows.filter(
            workspace__memberships__user=request.user,
            workspace__memberships__role=Role.ADMIN,
        )

    @admin.display(description="Key", ordering="label")
    def name(self, row: SigningKey) -> str:
        return str(row)

    @admin.display(description="Scopes")
    def scopes_shown(self, row: SigningKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="State")
    def shown_state(self, row: SigningKey) -> SafeString:
        return show.label(row.state, TONES.get(row.state, ""))

    @admin.display(description="Last used", ordering="last_used_at")
    def used(self, row: SigningKey) -> SafeString:
        return show.when(row.last_used_at)

    @admin.display(description="Ends", ordering="expires_at")
    def ends(self, row: SigningKey) -> SafeString:
        return show.when(row.expires_at)

    @admin.display(description="Revoked", ordering="revoked_at")
    def revoked(self, row: SigningKey) -> SafeString:
        return show.when(row.revoked_at)

    def add_view(self, request, form_url="", extra_context=None) -> HttpResponse:
        """Ask what the key is for, make it, and show its secret this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        typed = request.POST if request.method == "POST" else None
        form = SigningKeyForm(typed, request=request)
        if form.is_bound and form.is_valid():
            try:
                return self.shown_once(request, *make(request.user, form.cleaned_data))
            except services.SigningKeyRefused as error:
                form.add_error(None, str(error))
        return self.page(request, form=form)

    def shown_once(self, request, key: SigningKey, secret: str) -> HttpResponse:
        """Note who made the key, and return the one page that holds its secret."""
        self.log_addition(request, key, "Made a signing key")
        return self.page(request, key=key, secret=secret, back=show.page(key))

    def page(self, request, **context) -> HttpResponse:
        template = "accounts/signing_key.html"
        return self.render_once(request, template, "Signing key", **context)

    @verb(
        "Rotate",
        tone="main",
        role=Role.ADMIN,
        hint="Make its successor; both are live until you revoke one",
        shown=lambda row: row.state == "live",
    )
    def rotate(self, request, row: SigningKey) -> HttpResponse | None:
        try:
            return self.shown_once(
                request, *services.succeed_signing_key(row, request.user)
            )
        except services.SigningKeyRefused as error:
            warn(request, str(error))
            return None

    @verb(
        "Revoke",
        tone="bad",
        role=Role.ADMIN,
        hint="At once and for good",
        shown=lambda row: row.state != "revoked",
    )
    def revoke(self, request, row: SigningKey) -> None:
        row.revoke()
        self.log_change(request, row, "Revoked a signing key")
        tell(request, f"{row} is revoked and its secret is erased.")


def make(user, typed: dict) -> tuple[SigningKey, str]:
    """Return the key that was asked for, and its secret; raises SigningKeyRefused."""
    days = typed["days"]
    return services.make_signing_key(
        typed["workspace"],
        user,
        typed["scopes"],
        label=typed["label"],
        expires_at=now() + timedelta(days=days) if days else None,
    )
