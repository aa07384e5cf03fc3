"""The envelope that every answer of either version comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.fields import rows


def rows_of(body: Any) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list that was asked for; raises where it went wrong."""
    if body["status"] != "success":
        raise ValueError(f"It says {body.get('message')!r:.200}")
    return rows(body, "data")
