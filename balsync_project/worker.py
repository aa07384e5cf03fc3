from __future__ import annotations

from typing import Any

from celery import bootsteps
from django.conf import settings

from . import heartbeats


class Heartbeat(bootsteps.StartStopStep):
    """Tells that this worker consumes its queues; silent while it has no broker."""

    requires = {"celery.worker.consumer.tasks:Tasks"}

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Tell now, and again and again from the worker's own loop."""
        queues = [queue.name for queue in parent.task_consumer.queues]
        tell(queues)
        every = settings.HEARTBEAT_EVERY.total_seconds()
        self._timer = parent.timer.call_repeatedly(every, tell, (queues,))

    def stop(self, parent: Any) -> None:
        """Fall silent: the connection is gone, or the worker stops."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def tell(queues: list[str]) -> None:
    """Write one heartbeat for each queue."""
    for queue in queues:
        heartbeats.write(f"worker-{queue}")
