from __future__ import annotations

from django.contrib import admin

from accounts.models import BalanceSnapshot

from . import show
from .base import HistoryAdmin


@admin.register(BalanceSnapshot)
class BalanceSnapshotAdmin(HistoryAdmin):
    """Past balances; the database itself refuses to change them."""

    workspace = "account__workspace"
    list_display = ["moment", "account", "total_money", "available_money", "source"]
    list_display_links = ["moment"]
    list_filter = ["source", "account__provider"]
    list_select_related = ["account"]
    search_fields = ["account__name", "account__external_id"]
    date_hierarchy = "as_of"
    fieldsets = [
        (None, {"fields": ["account_link", "as_of", "source"]}),
        (None, {"fields": ["total_money", "available_money", "held_money"]}),
    ]

    @admin.display(description="True at", ordering="as_of")
    def moment(self, row: BalanceSnapshot) -> str:
        return show.exact(row.as_of)

    @admin.display(description="Account")
    def account_link(self, row: BalanceSnapshot) -> str:
        return show.link(row.account)

    @admin.display(description="Total", ordering="total")
    def total_money(self, row: BalanceSnapshot) -> str:
        return show.money(row.total, row.account.asset)

    @admin.display(description="Available", ordering="available")
    def available_money(self, row: BalanceSnapshot) -> str:
        return show.money(row.available, row.account.asset)

    @admin.display(description="Held")
    def held_money(self, row: BalanceSnapshot) -> str:
        return show.money(row.held, row.account.asset)
