"""Events: written with what they tell, routed to who wants them, delivered in the end."""

from __future__ import annotations

from . import watches  # noqa: F401 - they are known by being imported
from .channels import (
    add_channel,
    check_address,
    replace_key,
    send_test,
)
from .conditions import Found, look_for_conditions, watch
from .delivering import deliver
from .messages import event_data
from .outgoing import CannotReach
from .routing import route
from .telling import forget_old, listened_to, tell, tell_changes

__all__ = [
    "CannotReach",
    "Found",
    "add_channel",
    "check_address",
    "deliver",
    "event_data",
    "forget_old",
    "listened_to",
    "look_for_conditions",
    "replace_key",
    "route",
    "send_test",
    "tell",
    "tell_changes",
    "watch",
]
