from __future__ import annotations

import json

from django.contrib import admin
from django.utils.html import format_html

from accounts.models import Transaction

from . import show
from .base import HistoryAdmin


@admin.register(Transaction)
class TransactionAdmin(HistoryAdmin):
    """Movements as the providers report them."""

    workspace = "account__workspace"
    list_display = ["moment", "account", "what", "amount_money", "category", "state"]
    list_display_links = ["moment"]
    list_filter = ["category", "account__provider"]
    list_select_related = ["account"]
    search_fields = ["description", "counterparty", "merchant", "external_id"]
    date_hierarchy = "created"
    fieldsets = [
        (None, {"fields": ["account_link", "amount_money", "state", "what"]}),
        ("Who", {"fields": ["counterparty", "merchant", "category", "description"]}),
        ("When", {"fields": ["created", "settled", "declined"]}),
        ("Traces", {"fields": ["external_id", "pot", "dedupe_id", "details"]}),
    ]

    @admin.display(description="Created", ordering="created")
    def moment(self, row: Transaction) -> str:
        return show.exact(row.created)

    @admin.display(description="Account")
    def account_link(self, row: Transaction) -> str:
        return show.link(row.account)

    @admin.display(description="What")
    def what(self, row: Transaction) -> str:
        return row.counterparty or row.merchant or row.description or row.external_id

    @admin.display(description="Amount", ordering="amount")
    def amount_money(self, row: Transaction) -> str:
        return show.change(row.amount, row.asset)

    @admin.display(description="State")
    def state(self, row: Transaction) -> str:
        if row.declined:
            return show.label("declined", "bad", row.declined)
        return show.label("settled", "ok") if row.settled else show.label("pending")

    @admin.display(description="Metadata")
    def details(self, row: Transaction) -> str:
        text = json.dumps(row.metadata, indent=2, ensure_ascii=False)
        return format_html('<pre class="bs-pre">{}</pre>', text)
