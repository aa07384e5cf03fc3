from __future__ import annotations

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from unfold.admin import TabularInline

from accounts.models import Membership, Workspace
from providers.money import Asset, MoneyError

from .base import Role, ScopedAdmin, may


class WorkspaceForm(forms.ModelForm):
    def clean_base_asset(self) -> str:
        text = self.cleaned_data["base_asset"].strip()
        try:
            return str(Asset.parse(text)) if text else ""
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from error


class MembershipInline(TabularInline):
    """Who may do what in a workspace; its admins decide."""

    model = Membership
    extra = 0
    fields = ["user", "role"]

    def has_view_permission(self, request, obj=None) -> bool:
        return may(request, Role.VIEWER, obj and obj.pk)

    def has_change_permission(self, request, obj=None) -> bool:
        return may(request, Role.ADMIN, obj and obj.pk)

    has_add_permission = has_delete_permission = has_change_permission

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if not request.user.is_superuser:
            # Only people one already shares a workspace with: no list of everybody.
            shared = Membership.objects.filter(user=request.user).values("workspace")
            kwargs["queryset"] = (
                get_user_model()
                .objects.filter(memberships__workspace__in=shared)
                .distinct()
            )
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Workspace)
class WorkspaceAdmin(ScopedAdmin):
    """Workspaces: made by superusers, kept by their admins."""

    workspace = ""
    may_change = True
    change_role = Role.ADMIN
    form = WorkspaceForm
    fields = ["name", "base_asset", "dry_run"]
    list_display = ["name", "people", "created"]
    search_fields = ["name"]
    inlines = [MembershipInline]

    def has_add_permission(self, request) -> bool:
        return request.user.is_superuser

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("memberships__user")

    @admin.display(description="Members")
    def people(self, row: Workspace) -> str:
        return ", ".join(f"{m.user} ({m.role})" for m in row.memberships.all())
