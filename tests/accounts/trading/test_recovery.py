"""A short recovery at the sandbox of every provider that reports trading."""

from __future__ import annotations

import pytest

from accounts.models import Workspace
from providers.drivers import configure
from providers.sandbox.server import serve
from tests.proofs import recovery

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slug", recovery.traders())
def test_everything_wiped_comes_back_exactly_and_nobody_is_turned_away(slug, settings):
    with serve(slug) as box:
        settings.PROVIDER_URLS = box.urls()

        def an_hour_passes() -> None:
            # There as here: what was asked before counts no more.
            box.clock.advance(3600)
            configure(None)

        found = recovery.recover(
            slug,
            box[slug],
            Workspace.objects.create(name="home"),
            trades=60,
            orders=40,
            between=an_hour_passes,
        )

    assert found.wrong == []
    assert found.counts["trades"] >= 60
    run, _ = found.readings["after wiping"]
    wiped = found.counts["trades"] + found.counts["orders"]
    assert run.corrections.count() >= wiped
