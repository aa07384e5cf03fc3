from __future__ import annotations

from typing import Any

from accounts import services
from accounts.management.base import Command as Base


class Command(Base):
    help = "Seals every secret again with the newest key; may be stopped and repeated."

    def handle(self, **options: Any) -> None:
        done = services.rotate_keys()
        lines = [f"{done.sealed} sealed again, {done.current} were already"]
        lines += [
            f"{pk} cannot be opened: its key is missing" for pk in done.unreadable
        ]
        answer = {"sealed": done.sealed, "current": done.current}
        unreadable = [str(pk) for pk in done.unreadable]
        self.tell({**answer, "unreadable": unreadable}, lines, **options)
