"""Calls to several connections that go out at once are answered as each would be alone."""

from __future__ import annotations

import pytest

from accounts import services
from accounts.models import Connection
from automation.services.routes import place
from providers.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    Unavailable,
)

from .test_tokens import asked_for_tokens, refresh_elsewhere

pytestmark = pytest.mark.django_db


def observe(provider):
    return provider.observe()


def asked(connections, make=observe):
    """Return what each connection answered, in order, and in how many chunks."""
    found, chunks = {}, 0
    for chunk in services.call_each([(each, make) for each in connections]):
        assert chunk
        found.update(chunk)
        chunks += 1
    return [found[place] for place in range(len(connections))], chunks


def test_each_hears_its_own_answer(people):
    everybody = people(5, pots=1)

    answers, _ = asked([connection for _, connection in everybody])

    accounts = [{r.external_id for r in answer.readings} for answer in answers]
    assert accounts == [{h.external_id for h in c.holdings} for c, _ in everybody]


def test_no_answer_waits_for_a_slower_one(people, bank):
    everybody = people(3)
    bank.fault("delay", seconds=1.0, times=1)

    answers, chunks = asked([connection for _, connection in everybody])

    assert all(answer.readings for answer in answers)
    assert chunks > 1


def test_a_rejected_token_is_renewed_and_the_same_call_is_made_again(people, bank):
    everybody = people(3)
    bank.expire(everybody[1][0].name)
    seen = asked_for_tokens(bank)

    answers, _ = asked([connection for _, connection in everybody])

    assert all(answer.readings for answer in answers)
    assert len(seen) == 1


def test_who_cannot_have_a_new_token_is_told_so_and_no_other(people, bank):
    everybody = people(3)
    bank.expire(everybody[1][0].name)
    refresh_elsewhere(bank, everybody[1][1])

    answers, _ = asked([connection for _, connection in everybody])

    assert isinstance(answers[1], AuthenticationFailed)
    assert answers[0].readings
    assert answers[2].readings
    assert Connection.objects.get(pk=everybody[1][1].pk).health == "reconnect_needed"


def test_a_connection_that_has_no_provider_is_named_and_spoils_no_other(people):
    everybody = [connection for _, connection in people(3)]
    everybody[0].provider = "nowhere"

    answers, _ = asked(everybody)

    assert answers[0].code == "unknown_provider"
    assert answers[1].readings
    assert answers[2].readings


@pytest.mark.parametrize(
    ("fault", "error"), [("act_then_drop", OutcomeUnknown), ("5xx", OutcomeUnknown)]
)
def test_what_may_have_moved_money_is_unknown_and_sent_once(
    people, bank, account_of, fault, error
):
    ((customer, connection),) = people(1, pots=1)
    services.sync([connection], "manual")
    main, pot = (account_of(held.external_id) for held in customer.holdings[:2])
    bank.pay(main.external_id, 100)
    seen, speak = [], bank.answer

    def order(provider):
        return provider.transfer(place(main), place(pot), 7, dedupe_id="the same")

    method = next(order(connection.adapter)).method
    bank.fault(fault, method=method)

    def answer(request):
        seen.append(request.method)
        return speak(request)

    bank.answer = answer
    answers, _ = asked([connection], order)

    assert isinstance(answers[0], error)
    assert seen == [method]
    assert not isinstance(answers[0], Unavailable)


def test_nobody_is_asked_where_there_is_nothing_to_ask():
    assert asked([]) == ([], 0)
