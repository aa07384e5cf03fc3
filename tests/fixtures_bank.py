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
BANK = next(
    slug
    for slug in registry.slugs()
    if all(issubclass(providers.load(slug), port) for port in PORTS)
)


@pytest.fixture
def sandbox(settings) -> Iterator[Sandbox]:
    with serve(BANK) as running:
        settings.PROVIDER_URLS = running.urls()
        yield running


@pytest.fixture
def bank(sandbox) -> Institution:
    return sandbox[BANK]


@pytest.fixture
def workspace(db) -> Workspace:
    return Workspace.objects.create(name="home")
