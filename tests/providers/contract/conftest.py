"""A bank of each kind, and each way there is to ask it."""

from __future__ import annotations

import pytest

import providers
from providers import sandbox
from providers.drivers import Blocking, Fleet, configure
from providers.sandbox.inside import sender
from providers.wire import drive

from .parties import place


@pytest.fixture(scope="module")
def box():
    with sandbox.serve() as box:
        yield box


@pytest.fixture(scope="module")
def fleet():
    fleet = Fleet()
    yield fleet
    fleet.close()


@pytest.fixture
def bank(box, slug):
    box.clock.reset()
    box[slug].reset()
    configure(None)  # what one test broke must not keep the next one out
    return box[slug]


@pytest.fixture
def adapter(bank, box, slug):
    return providers.load(slug)(bank.credentials(), box.hosts(slug))


@pytest.fixture(params=["inside", "blocking", "fleet"])
def run(request, adapter, bank, fleet):
    """Run a call in each way there is: without a socket, and with both drivers."""

    def in_fleet(call):
        (answer,) = fleet.run_all([(adapter, call)], seconds=10)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    blocking = Blocking()
    yield {
        "inside": lambda call: drive(call, sender(adapter, bank)),
        "blocking": lambda call: blocking.run(adapter, call),
        "fleet": in_fleet,
    }[request.param]
    blocking.close()


@pytest.fixture
def ask(adapter, bank):
    """Run a call without a socket, where the way it is run cannot matter."""
    return lambda call: drive(call, sender(adapter, bank))


@pytest.fixture
def ends(bank):
    """The main account, and a pot money may come out of."""
    customer = bank.demo_world()
    return place(customer.account), place(customer.pots[0])
