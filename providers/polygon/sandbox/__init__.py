"""Polygon on this machine: a chain of blocks with a node before it, as strict as one."""

from __future__ import annotations

from .node import Polygon as Sandbox

__all__ = ["Sandbox"]
