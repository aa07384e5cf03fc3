"""A bank in this process, reached over HTTP; imported by the conftests that want it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import providers
from accounts.models import Workspace
from providers.base import Authorizes, ListsMovements, MovesMoney
from providers.sandbox import registry
from providers.sandbox.institution import Institution
from providers.sandbox.server import Sandbox, serve

PORTS = (Authorizes, ListsMovements, MovesMoney)
BANKS = [
    slug
    for slug in registry.slugs()
    if all(issubclass(providers.load(slug), port) for port in PORTS)
]
BANK = BANKS[0]
# What decides whether a bank is like any other is tried at each of them.
at_every_bank = pytest.mark.parametrize("sandbox", BANKS, indirect=True)


@pytest.fixture
def sandbox(request, settings) -> Iterator[Sandbox]:
    """The first bank there is, or the one that a test names."""
    with serve(getattr(request, "param", BANK)) as running:
        settings.PROVIDER_URLS = running.urls()
        yield running


@pytest.fixture
def bank(sandbox) -> Institution:
    return only(sandbox)


def only(sandbox: Sandbox) -> Institution:
    """Return the one institution of a sandbox that plays no other."""
    (found,) = sandbox.institutions.values()
    return found


@pytest.fixture
def workspace(db) -> Workspace:
    return Workspace.objects.create(name="home")
