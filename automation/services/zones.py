"""Time zones to choose from, and the one that a workspace is used to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from automation.models import Rule

TECHNICAL = ("Etc/", "SystemV/", "posix/", "right/")


@cache
def zones() -> tuple[str, ...]:
    """Return the zones that people live in, by name, and UTC."""
    named = {z for z in available_timezones() if "/" in z}
    return *sorted(z for z in named if not z.startswith(TECHNICAL)), "UTC"


def usual_zone(workspaces: Iterable[Any]) -> str:
    """Return the zone of the newest rule there; nothing where there is no rule."""
    rules = Rule.objects.in_use().filter(workspace__in=workspaces)
    newest = rules.order_by("-created").values_list("timezone", flat=True).first()
    return newest or ""
