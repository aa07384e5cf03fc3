"""Starling on this machine: the same wire protocol, as strict as the bank."""

from __future__ import annotations

from .bank import Starling as Sandbox

__all__ = ["Sandbox"]
