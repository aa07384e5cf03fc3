"""What a monitor reads: figures in Prometheus' text, worked out when they are asked for."""

from __future__ import annotations

from .page import metrics

__all__ = ["metrics"]
