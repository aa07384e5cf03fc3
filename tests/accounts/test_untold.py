"""What cannot be told at all, from the chain to what balsync says of everything."""

from __future__ import annotations

import pytest

from accounts import services
from accounts.models import Workspace
from providers.sandbox import registry, serve

FAILING = [s for s in registry.slugs() if "fail_token" in registry.load(s).happenings]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture(params=FAILING)
def bank(request, settings):
    with serve(request.param) as box:
        settings.PROVIDER_URLS = box.urls()
        yield box[request.param]


def test_token_that_was_never_told_leaves_the_whole_partial_and_is_named(bank):
    home, alex = Workspace.objects.create(name="home"), bank.demo_world()
    token, code = alex.account.external_id.rpartition(":")[2], alex.account.asset
    bank.do("fail_token", token=token, how="empty")
    connection = services.connect(home, bank.slug, alex.credentials)

    def look():
        (run,) = services.sync([connection], "manual")
        connection.refresh_from_db()
        whole = services.portfolio_of(home, services.base_of(home)).whole
        return run.status, whole, connection.error_code

    assert look() == ("partial", False, "incomplete")
    assert connection.error.startswith(f"{code.partition('/')[0]}: ")
    untold = connection.accounts.filter(external_id__endswith=f":{token}")
    assert not untold.exists()
    bank.do("heal_token", token=token)
    bank.do("mine", blocks=5)
    assert look() == ("ok", True, "")
    assert untold.exists()
