"""Balances by stream: who holds each stream open, and what is written of it."""

from __future__ import annotations

from .supervisor import Supervisor

__all__ = ["Supervisor"]
