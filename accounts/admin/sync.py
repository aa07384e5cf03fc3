from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Correction, SyncRun

from . import show
from .base import HistoryAdmin, Panel
from .following import Followed

MOST_SHOWN = 100  # corrections on the page of a sync; its report has all


@admin.register(SyncRun)
class SyncRunAdmin(Followed, HistoryAdmin):
    """What each sync asked, found and changed."""

    workspace = "connection__workspace"
    list_display = ["moment", "connection", "kind", "state", "took", "requests"]
    list_display_links = ["moment"]
    list_filter = ["status", "kind", "connection__provider"]
    list_select_related = ["connection"]
    search_fields = ["connection__label", "error"]
    date_hierarchy = "created"
    fieldsets = [
        (None, {"fields": ["connection_link", "kind", "state", "requests"]}),
        ("When", {"fields": ["created", "started", "finished", "took"]}),
        ("What went wrong", {"fields": ["error_code", "error"]}),
    ]

    @admin.display(description="Asked for", ordering="created")
    def moment(self, row: SyncRun) -> str:
        return show.exact(row.created)

    @admin.display(description="Connection")
    def connection_link(self, row: SyncRun) -> str:
        return show.link(row.connection)

    @admin.display(description="Status", ordering="status")
    def state(self, row: SyncRun) -> str:
        return show.status(row.status, row.error)

    @admin.display(description="Took")
    def took(self, row: SyncRun) -> str:
        if row.started is None or row.finished is None:
            return show.NOTHING
        seconds = (row.finished - row.started).total_seconds()
        return f"{seconds * 1000:.0f} ms" if seconds < 10 else show.span(seconds)

    def panels(self, request, row: SyncRun) -> Iterable[Panel]:
        yield results_panel(row)
        more = self.history_list(Correction, sync__id__exact=row.pk)
        changed = row.corrections.select_related("account")
        yield corrections_panel(changed[:MOST_SHOWN], more)


def results_panel(run: SyncRun) -> Panel:
    """Return what a sync found, account by account."""
    assets = dict(run.connection.accounts.values_list("external_id", "asset"))
    rows = [
        [
            found.get("name") or found.get("account"),
            show.status(found.get("status", "")),
            show.noted(str(found.get("total") or ""), assets.get(found["account"], "")),
            found.get("error") or "; ".join(found.get("warnings", ())) or show.NOTHING,
        ]
        for found in run.results
    ]
    return Panel("Accounts", ["Account", "Status", "Total", "Error"], rows)


def corrections_panel(rows: QuerySet[Correction], more: str = "") -> Panel:
    """Return what syncs changed, and why."""
    return Panel(
        "Corrections",
        ["When", "About", "Field", "Old", "New", "Difference", "Severity", "Why"],
        [
            [
                show.when(row.created),
                subject(row),
                row.field,
                noted(row, row.old),
                noted(row, row.new),
                noted(row, row.difference),
                show.status(row.severity),
                row.reason,
            ]
            for row in rows
        ],
        empty="Nothing was changed.",
        more=more,
        more_text="All corrections",
        right=("Old", "New", "Difference"),
    )


def subject(row: Correction) -> SafeString | str:
    """Return what a correction is about."""
    if row.account is not None:
        return show.link(row.account)
    route = f"admin:accounts_{row.subject_kind}_change"
    words = f"{row.subject_kind} {row.subject}"
    return format_html(
        '<a class="bs-link" href="{}">{}</a>',
        reverse(route, args=[row.subject_id]),
        words,
    )


AMOUNTS = frozenset({"total", "available", "held", "goal", "balance"})


def noted(row: Correction, text: str) -> str:
    """Return one side of a correction; amounts as money."""
    if row.account is None or row.field not in AMOUNTS:
        return text
    return show.noted(text, row.account.asset)


@admin.register(Correction)
class CorrectionAdmin(HistoryAdmin):
    """What syncs changed and why."""

    workspace = "sync__connection__workspace"
    list_display = ["moment", "about", "field", "was", "is_now", "by", "grade"]
    list_display_links = ["moment"]
    list_filter = ["severity", "subject_kind", "field"]
    list_select_related = ["account", "sync__connection"]
    search_fields = ["account__name", "subject", "reason"]
    date_hierarchy = "created"
    fieldsets = [
        (None, {"fields": ["about", "sync_link", "moment", "grade"]}),
        (None, {"fields": ["field", "was", "is_now", "by", "reason"]}),
    ]

    @admin.display(description="When", ordering="created")
    def moment(self, row: Correction) -> str:
        return show.exact(row.created)

    @admin.display(description="About", ordering="subject_kind")
    def about(self, row: Correction) -> str:
        return subject(row)

    @admin.display(description="Sync")
    def sync_link(self, row: Correction) -> str:
        return show.link(row.sync, show.exact(row.sync.created))

    @admin.display(description="Old")
    def was(self, row: Correction) -> str:
        return noted(row, row.old)

    @admin.display(description="New")
    def is_now(self, row: Correction) -> str:
        return noted(row, row.new)

    @admin.display(description="Difference")
    def by(self, row: Correction) -> str:
        return noted(row, row.difference)

    @admin.display(description="Severity", ordering="severity")
    def grade(self, row: Correction) -> str:
        return show.status(row.severity)
