"""Every folder here that exposes `Provider` is a provider; the folder's name is its slug."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from .base import Provider

__all__ = ["Provider", "load", "slugs"]


@cache
def slugs() -> tuple[str, ...]:
    """Return every provider's slug, found by folder: there is no list to keep."""
    folders = (m.name for m in pkgutil.iter_modules(__path__) if m.ispkg)
    return tuple(sorted(name for name in folders if _exposes_provider(name)))


def _exposes_provider(folder: str) -> bool:
    module = import_module(f"{__name__}.{folder}")
    return "Provider" in getattr(module, "__all__", ())


@cache
def load(slug: str) -> type[Provider]:
    """Return the adapter of one provider; raises LookupError for an unknown slug."""
    if slug not in slugs():
        raise LookupError(
            f"No provider called {slug!r}; there are {', '.join(slugs())}"
        )
    adapter: type[Provider] = import_module(f"{__name__}.{slug}").Provider
    return adapter
