"""Money that no institution reports, such as cash: a person types what it is."""

from __future__ import annotations

from .typed import Manual as Provider

__all__ = ["Provider"]
