"""Finds the institutions by folder, like the providers they stand behind."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import providers

from .clock import Clock
from .institution import Institution


def slugs() -> tuple[str, ...]:
    """Return the slugs of all providers that have a sandbox."""
    return tuple(s for s in providers.slugs() if find_spec(f"providers.{s}.sandbox"))


def load(slug: str) -> type[Institution]:
    """Return the institution behind one provider; raises ModuleNotFoundError."""
    found: type[Institution] = import_module(f"providers.{slug}.sandbox").Sandbox
    found.slug = slug
    return found


def create(
    slug: str, state: Path | None = None, clock: Clock | None = None
) -> Institution:
    """Open one institution, with what it kept in the folder `state`."""
    return load(slug)(state / f"{slug}.jsonl" if state else None, clock)
