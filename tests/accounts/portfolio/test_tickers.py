"""Tickers are asked for everybody, and none of them takes the time of the others."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

import providers
from accounts import services
from accounts.models import Account, Connection, Workspace
from accounts.services import tickers
from providers.base import Observation, Provider, Quote, QuotesRates
from providers.errors import (
    AuthenticationFailed,
    ProviderError,
    RateLimited,
    Unavailable,
    UnexpectedResponse,
)

pytestmark = pytest.mark.django_db
BASES = ("EUR", "GBP", "USD")


class Ticker(Provider, QuotesRates):
    """Tells a price of everything, or what is planned for it."""

    name = "Ticker"
    hosts = {"api": "http://127.0.0.1:9"}
    fields = ()
    asked: list[str]  # the bases, one after the other
    error: ProviderError | None
    takes = 0.0  # seconds

    def observe(self, known=()):
        yield []
        return Observation(())

    def quotes(self, codes, base):
        self.asked.append(base)
        CLOCK["now"] += self.takes
        if self.error is not None:
            raise self.error
        yield []
        # In crowns alone, which have a price in each base: all else needs a pivot.
        worth = [code for code in codes if code == "CZK" or base == "CZK"]
        return [Quote(code, base, Decimal(2)) for code in worth]


CLOCK = {"now": 0.0}


@pytest.fixture
def first():
    return type("First", (Ticker,), {"asked": [], "error": None})


@pytest.fixture
def second():
    return type("Second", (Ticker,), {"asked": [], "error": None})


@pytest.fixture(autouse=True)
def there(first, second, monkeypatch):
    """Let there be two providers that nobody finds by their folders."""
    found, load = {"first": first, "second": second}, providers.load
    monkeypatch.setattr(providers, "slugs", lambda: tuple(found))
    monkeypatch.setattr(providers, "load", lambda slug: found.get(slug) or load(slug))
    monkeypatch.setattr(tickers, "monotonic", lambda: CLOCK["now"])
    for base in BASES:
        home = Workspace.objects.create(name=base, base_asset=f"{base}/2")
        for slug in found:
            row = Connection.objects.create(workspace=home, provider=slug)
            for code in ("AAA", "CZK"):
                Account.objects.create(
                    workspace=home,
                    connection=row,
                    provider=slug,
                    external_id=f"{base} {slug} {code}",
                    asset=f"{code}/2",
                )


def test_each_provider_is_asked_in_every_base_and_then_over_a_pivot(first, second):
    # The pivot comes from the first one: nothing is left for the second.
    assert services.refresh_rates() == 2 * 3 + 3

    assert Counter(first.asked) == {**dict.fromkeys(BASES, 1), "CZK": 3}
    assert Counter(second.asked) == dict.fromkeys(BASES, 1)


@pytest.mark.parametrize("error", [Unavailable(), RateLimited()])
def test_provider_that_is_away_is_asked_once_in_a_turn(first, second, error):
    first.error = error

    assert services.refresh_rates() == 3 + 3

    assert len(first.asked) == 1
    assert Counter(second.asked) == {**dict.fromkeys(BASES, 1), "CZK": 3}
    first.error = None
    services.refresh_rates()  # the next turn begins anew
    assert len(first.asked) > 1


@pytest.mark.parametrize("error", [AuthenticationFailed(), UnexpectedResponse()])
def test_what_fails_for_one_connection_is_tried_over_the_others(first, error):
    first.error = error

    services.refresh_rates()

    assert Counter(first.asked) == dict.fromkeys(BASES, 1)


def test_provider_that_is_slow_leaves_the_others_their_time(first, second):
    first.takes = tickers.TURN / 2 / 2 + 0.1

    services.refresh_rates()

    assert len(first.asked) == 2
    assert set(second.asked) >= set(BASES)


def test_call_may_take_no_longer_than_what_is_left(first, monkeypatch):
    given = []

    class Driver:
        def run(self, provider, call, *, deadline):
            given.append(deadline)
            CLOCK["now"] += deadline
            return []

    monkeypatch.setattr(tickers, "blocking", lambda slug: Driver())
    began = CLOCK["now"]

    services.refresh_rates()

    assert CLOCK["now"] - began <= tickers.TURN
    assert max(given) <= first.deadline
