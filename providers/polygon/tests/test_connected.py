"""Tokens that cannot be told, from the chain to what balsync says of everything."""

from __future__ import annotations

import pytest

from accounts import services
from accounts.models import Workspace
from providers.polygon.sandbox.world import USDC
from providers.sandbox import serve
from tests.conftest import valkey

__all__ = ["valkey"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def bank(settings):
    with serve("polygon") as box:
        settings.PROVIDER_URLS = box.urls()
        yield box["polygon"]


def test_token_that_was_never_told_leaves_the_whole_partial_and_is_named(bank):
    home, alex = Workspace.objects.create(name="home"), bank.demo_world()
    bank.fail_token(USDC, "empty")
    connection = services.connect(home, "polygon", alex.credentials)

    def look():
        (run,) = services.sync([connection], "manual")
        connection.refresh_from_db()
        return run.status, services.portfolio_of(home, services.base_of(home)).whole

    assert look() == ("partial", False)
    assert connection.accounts.count() == 6
    assert connection.error_code == "incomplete"
    assert connection.error == (
        "USDC: Its decimals are not known. Nothing came back: no contract is there"
    )
    bank.heal_token(USDC)
    bank.mine(5)
    assert look() == ("ok", True)
    assert connection.error == ""
    assert connection.accounts.count() == 8
