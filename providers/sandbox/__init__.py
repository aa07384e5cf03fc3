"""Institutions on this machine that speak the real ones' protocols, for tests and demo."""

from __future__ import annotations

from .institution import Customer, Holding, Institution
from .registry import create, load, slugs
from .remote import Remote
from .server import Sandbox, serve

__all__ = [
    "Customer",
    "Holding",
    "Institution",
    "Remote",
    "Sandbox",
    "create",
    "load",
    "serve",
    "slugs",
]
