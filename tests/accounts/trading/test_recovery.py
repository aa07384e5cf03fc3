"""A short recovery at the sandbox of every provider that reports trading."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from accounts.models import Workspace
from providers.drivers import configure
from providers.sandbox.server import serve
from tests.proofs import recovery

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slug", recovery.traders())
def test_everything_wiped_comes_back_exactly_and_nobody_is_turned_away(
    slug, settings, tmp_path
):
    @contextmanager
    def opened_anew():
        """Yield it with all that it remembers but what was counted; so do we forget."""
        configure(None)
        with serve(slug, state=tmp_path) as box:
            yield box

    settings.PROVIDER_URLS = {}
    home = Workspace.objects.create(name="home")
    found = recovery.recover(slug, home, opened_anew, trades=60, orders=40)

    assert found.wrong == []
    run, _ = found.readings["after wiping"]
    wiped = found.counts["trades"] + found.counts["orders"]
    assert run.corrections.count() >= wiped
