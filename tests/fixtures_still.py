"""One institution that stands still in time, and Alex who is a customer there.

Imported by the conftests of the providers' folders: no socket lies between the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import providers
from providers.base import Provider
from providers.sandbox import registry
from providers.sandbox.inside import sender
from providers.sandbox.institution import Customer, Institution
from providers.sandbox.wire import Asked
from providers.wire import Call, drive

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FOLDER = Path(providers.__file__).parent


def still(slug: str) -> Institution:
    """Return an institution where time passes only when a test lets it."""
    bank = registry.create(slug)
    bank.clock.freeze(NOW)
    return bank


def answered(bank: Institution, *asked: Any) -> tuple[int, Any]:
    """Return the status and the JSON of what is answered to `Asked(*asked)`."""
    answer = bank.answer(Asked(*asked))
    return answer.status, json.loads(answer.body)


def documented(slug: str, name: str) -> Any:
    """Return what an institution documents, as it is kept beside the samples."""
    return json.loads((FOLDER / slug / f"samples/documented/{name}.json").read_text())


@pytest.fixture
def slug(request: pytest.FixtureRequest) -> str:
    """The provider in whose folder the test lies."""
    return request.path.parent.parent.name


@pytest.fixture
def bank(slug: str) -> Institution:
    return still(slug)


@pytest.fixture
def alex(bank: Institution) -> Customer:
    return bank.demo_world()


@pytest.fixture
def adapter(slug: str, alex: Customer) -> Provider:
    return providers.load(slug)(alex.credentials)


@pytest.fixture
def ask(bank: Institution, adapter: Provider) -> Callable[..., Any]:
    """Run a call of Alex's adapter, or of another one."""

    def ask(call: Callable[[Any], Call[Any]], by: Provider | None = None) -> Any:
        by = by or adapter
        return drive(call(by), sender(by, bank))

    return ask
