"""Whose rows a caller sees: those of their workspaces, or of the one a key is for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q


def narrow(user: Any, workspace_id: UUID) -> None:
    """Let `user`, this object only, see no other workspace than this one."""
    user.only_workspace_id = workspace_id


def narrowed_to(user: Any) -> UUID | None:
    """Return the one workspace that this caller sees; None means all of the user's."""
    return getattr(user, "only_workspace_id", None)


def seen_by(user: Any, way: str = "workspace") -> Q:
    """Return the condition on rows whose workspace is at the end of `way`."""
    # In one condition: two would be two joins, and two different memberships.
    membership = "__".join(filter(None, [way, "memberships"]))
    only = narrowed_to(user)
    there = {} if only is None else {f"{membership}__workspace": only}
    return Q(**{f"{membership}__user": user}, **there)
