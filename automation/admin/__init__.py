"""The pages of rules, their runs and every transfer: one module per noun."""

from __future__ import annotations

from . import rule, run, transfer

__all__ = ["rule", "run", "transfer"]
