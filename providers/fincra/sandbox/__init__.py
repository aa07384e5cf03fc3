"""Fincra on this machine: the same answers, as strict as documented."""

from __future__ import annotations

from .business import Fincra as Sandbox

__all__ = ["Sandbox"]
