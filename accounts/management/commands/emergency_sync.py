from __future__ import annotations

from typing import Any

from accounts.management.commands.sync import Command as Sync
from accounts.models import SyncRun


class Command(Sync):
    help = "Reads everything again here and now, and waits; rate limits are kept."
    kind = SyncRun.Kind.EMERGENCY

    def handle(self, **options: Any) -> None:
        super().handle(**options | {"wait": True})
