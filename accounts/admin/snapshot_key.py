"""Names that clients and providers gave to snapshots."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.models import SnapshotKey

from . import show
from .base import HistoryAdmin


@admin.register(SnapshotKey)
class SnapshotKeyAdmin(HistoryAdmin):
    """Each stands for one snapshot, as long as that is kept."""

    workspace = "account__workspace"
    list_display = ["key", "scope", "account", "moment", "replays"]
    list_filter = ["scope", ("superseded_at", admin.EmptyFieldListFilter)]
    list_select_related = ["account"]
    search_fields = ["key", "account__name"]
    fieldsets = [
        (None, {"fields": ["key", ("scope", "client"), "account_link"]}),
        (
            None,
            {
                "fields": [
                    "snapshot",
                    ("created", "replays"),
                    "superseded_at",
                    "fingerprint",
                ]
            },
        ),
    ]

    @admin.display(description="Snapshot of", ordering="as_of")
    def moment(self, row: SnapshotKey) -> str:
        return show.exact(row.as_of)

    @admin.display(description="Account")
    def account_link(self, row: SnapshotKey) -> SafeString:
        return show.link(row.account)

    @admin.display(description="Snapshot")
    def snapshot(self, row: SnapshotKey) -> SafeString | str:
        found = row.account.snapshots.filter(as_of=row.as_of).first()
        return show.link(found) if found else show.NOTHING
