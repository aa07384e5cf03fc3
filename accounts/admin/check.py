"""What is checked in a workspace, and from when on a difference counts."""

from __future__ import annotations

from django.contrib import admin
from django.shortcuts import redirect
from django.urls import reverse

from accounts.models import Account, CheckSetting, DriftSetting
from accounts.validator import RULES

from . import inputs, show
from .base import Role, ScopedAdmin, tell, verb

USUAL = "; ".join(
    f"{rule.label}: {rule.threshold:f} {rule.unit}"
    + ("" if rule.fiat is None else f" ({rule.fiat:f} for money of states)")
    for rule in RULES.values()
    if rule.adjustable
)


class SettingAdmin(ScopedAdmin):
    """Settings of a workspace: read by its members, kept by its admins."""

    may_add = may_change = True
    change_role = Role.ADMIN
    verbs = ("remove",)

    def get_readonly_fields(self, request, obj=None):
        return ["workspace"] if obj else []

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "workspace":
            return inputs.workspace(request)
        if db_field.name == "account" and not request.user.is_superuser:
            kwargs["queryset"] = Account.objects.open().of(request.user).distinct()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @verb("Remove", tone="bad", role=Role.ADMIN, hint="What is usual holds again")
    def remove(self, request, row):
        row.delete()
        tell(request, f"{row} is removed.")
        meta = self.opts
        return redirect(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"))


@admin.register(CheckSetting)
class CheckSettingAdmin(SettingAdmin):
    """Rules that a workspace wants otherwise than usual."""

    list_display = ["name", "workspace", "kind", "asset", "enabled", "grade", "limit"]
    list_filter = ["rule", "enabled"]
    list_select_related = ["workspace"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "workspace",
                    "rule",
                    ("kind", "asset"),
                    ("enabled", "severity"),
                    "threshold",
                ],
                "description": f"Usual thresholds. {USUAL}.",
            },
        )
    ]

    @admin.display(description="Rule", ordering="rule")
    def name(self, row: CheckSetting) -> str:
        return row.get_rule_display()

    @admin.display(description="Severity")
    def grade(self, row: CheckSetting) -> str:
        return show.status(row.severity or RULES[row.rule].severity)

    @admin.display(description="Threshold")
    def limit(self, row: CheckSetting) -> str:
        if row.threshold is None:
            return show.NOTHING
        return f"{row.threshold:f} {RULES[row.rule].unit}"


@admin.register(DriftSetting)
class DriftSettingAdmin(SettingAdmin):
    """From when on a difference counts, and what becomes of it."""

    list_display = [
        "__str__",
        "workspace",
        "least",
        "percent",
        "high",
        "critical",
        "correction",
        "protect",
    ]
    list_select_related = ["workspace", "account"]
    fieldsets = [
        (None, {"fields": ["workspace", ("account", "asset")]}),
        (
            "When a difference counts",
            {"fields": [("least", "percent"), ("high", "critical")]},
        ),
        ("Changes of the balance", {"fields": ["changes", "correction"]}),
        ("Protection", {"fields": [("protect", "clean_syncs")]}),
    ]
