"""A rule that moves ten pounds whenever its triggers say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import TestCase
from django.utils.timezone import now

import providers
from accounts import services as accounts
from automation import services, tasks
from automation.models import Rule, Trigger
from providers.base import TakesTypedBalances
from tests.automation.conftest import gbp, leg

TYPED = next(
    s for s in providers.slugs() if issubclass(providers.load(s), TakesTypedBalances)
)


@pytest.fixture
def rule_with(alice) -> Callable[..., Rule]:
    """Write a rule from Alice's account to her first pot, with these triggers."""

    def write(*triggers: dict[str, Any], pot: int = 0, **more: Any) -> Rule:
        return alice.rule(
            "topup",
            leg(alice.main, "source"),
            leg(alice.pots[pot], "target", strategy="fixed", amount=gbp(10_00)),
            triggers=list(triggers),
            **more,
        )

    return write


@pytest.fixture
def hear(alice) -> Callable[[], None]:
    """Sync Alice's connection, and let the news of it reach everybody."""

    def sync() -> None:
        with TestCase.captureOnCommitCallbacks(execute=True):
            alice.sync()

    return sync


@pytest.fixture
def deaf(alice) -> Callable[[], None]:
    """Sync Alice's connection, and lose the news of it."""

    def sync() -> None:
        with TestCase.captureOnCommitCallbacks(execute=False):
            alice.sync()

    return sync


def look() -> list[str]:
    """Let beat look at what news woke, and return the keys of what it starts."""
    return [run.key for run in services.dispatch_due_rules()]


def look_later() -> list[str]:
    """Let beat look when all triggers look by themselves."""
    Trigger.objects.exclude(next_at=None).update(next_at=now())
    return look()


def beat() -> None:
    """Let beat look, and the workers do what it queues."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.dispatch_due_rules()


@pytest.fixture
def typed(workspace):
    """An account of another provider, in another asset, whose balance is typed."""
    connection = accounts.connect(workspace, TYPED, {})
    return accounts.create_typed_account(connection, "Coins", "BTC/8")
