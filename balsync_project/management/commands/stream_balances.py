from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from accounts.services.streaming import Supervisor
from balsync_project import heartbeats


class Command(BaseCommand):
    help = (
        "Holds open the streams of every connection that has any, until it is told to "
        "stop. More such processes may run: each stream is held by one of them."
    )

    def handle(self, **options: Any) -> None:
        supervisor = Supervisor(alive=lambda: heartbeats.write("stream"))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        supervisor.run()
