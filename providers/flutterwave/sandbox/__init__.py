"""Flutterwave on this machine: both versions of its wire protocol, as strict as it is."""

from __future__ import annotations

from .shop import Flutterwave as Sandbox

__all__ = ["Sandbox"]
