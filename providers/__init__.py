"""Every folder here that exposes `Provider` is a provider; the folder's name is its slug."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from .base import Provider

__all__ = ["Provider", "load", "slugs"]


@cache
def slugs() -> tuple[str, ...]:
    """Return every provider's slug, found by folder: there is no list to keep."""
    clients = Path(__file__).parent.glob("*/client.py")
    return tuple(sorted(client.parent.name for client in clients))


@cache
def load(slug: str) -> type[Provider]:
    """Return the adapter of one provider; raises LookupError for an unknown slug."""
    if slug not in slugs():
        raise LookupError(
            f"No provider called {slug!r}; there are {', '.join(slugs())}"
        )
    adapter: type[Provider] = import_module(f"{__name__}.{slug}").Provider
    return adapter
