"""Money moves once for one dedupe id, whatever happens to the answer."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from providers import errors
from providers.base import MovesMoney
from providers.sandbox.faults import ACTIONS, Fault
from providers.sandbox.inside import sender
from providers.sandbox.wire import Answer
from providers.wire import drive

from .parties import able, place

OF_FIGURES = {"nan", "negative", "wrong_currency"}


@pytest.fixture
def answer_to_a_move(bank, adapter, ends):
    """What the bank says to a move where nothing goes wrong."""
    send, told = sender(adapter, bank), []

    def keep(request):
        answer = send(request)
        if request.may_move_money:
            told.append(Answer(answer.body))
        return answer

    drive(adapter.transfer(*ends, 100, dedupe_id="well"), keep)
    (found,) = told
    return found


def spoils(action, answer):
    """Say whether there is anything in an answer that this fault makes wrong."""
    return as_read(ACTIONS[action](Fault(action), lambda: answer)) != as_read(answer)


def as_read(answer):
    return json.loads(answer.body)


@able(MovesMoney)
def test_transfer_moves_once_however_often_it_is_sent(bank, adapter, run, ends):
    account, pot = ends
    held = bank.balance(account.external_id), bank.balance(pot.external_id)

    receipts = [
        run(adapter.transfer(account, pot, 1234, dedupe_id="one")) for _ in range(3)
    ]

    (entry,) = bank.moved("one")
    assert (entry.source, entry.target) == (account.external_id, pot.external_id)
    assert entry.amount == 1234
    assert bank.balance(account.external_id) == held[0] - 1234
    assert bank.balance(pot.external_id) == held[1] + 1234
    for receipt in receipts:
        assert receipt.balances.get(pot.external_id, held[1] + 1234) == held[1] + 1234
        assert receipt.reference


@able(MovesMoney)
def test_transfer_moves_back_as_well(bank, adapter, run, ends):
    account, pot = ends
    run(adapter.transfer(account, pot, 500, dedupe_id="in"))
    run(adapter.transfer(pot, account, 200, dedupe_id="out"))

    (entry,) = bank.moved("out")
    assert (entry.source, entry.amount) == (pot.external_id, 200)


@able(MovesMoney)
def test_two_dedupe_ids_are_two_transfers(bank, adapter, ask, ends):
    for dedupe_id in ("one", "two"):
        ask(adapter.transfer(*ends, 100, dedupe_id=dedupe_id))

    assert len(bank.moved("one") + bank.moved("two")) == 2


@able(MovesMoney)
@pytest.mark.parametrize(
    "action",
    [
        "act_then_drop",
        "act_then_500",
        "cut",
        "truncated",
        "garbage",
        "nan",
        "duplicate_keys",
        "negative",
        "wrong_currency",
    ],
)
def test_answer_lost_after_the_money_moved_is_unknown_and_not_paid_again(
    bank, adapter, run, ends, answer_to_a_move, action
):
    bank.fault(action)
    call = adapter.transfer(*ends, 100, dedupe_id="one")

    if action not in OF_FIGURES or spoils(action, answer_to_a_move):
        with pytest.raises(errors.OutcomeUnknown):
            run(call)
    else:
        # The answer tells no such figure, so none in it is wrong; others are true.
        receipt, pot = run(call), ends[1].external_id
        assert receipt.balances.get(pot) in (None, bank.balance(pot))
        assert (receipt.amount, receipt.asset) in ((None, None), (None, ends[1].asset))
    assert len(bank.moved("one")) == 1

    run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1


@able(MovesMoney)
def test_request_that_never_arrived_is_unknown_and_can_be_repeated(
    bank, adapter, run, ends
):
    bank.fault("drop_before")

    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert bank.moved("one") == []

    run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1


@able(MovesMoney)
def test_request_that_arrives_late_moves_once(box, bank, adapter, run, ends):
    bank.fault("late_apply", seconds=60)
    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert bank.moved("one") == []

    box.clock.advance(61)
    assert len(bank.moved("one")) == 1

    run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1


@able(MovesMoney)
def test_too_little_money_has_a_name_and_moves_nothing(bank, adapter, run, ends):
    before = bank.balances()
    too_much = bank.balance(ends[0].external_id) + 1

    with pytest.raises(errors.InsufficientFunds):
        run(adapter.transfer(*ends, too_much, dedupe_id="one"))

    assert bank.balances() == before


@able(MovesMoney)
def test_locked_source_and_closed_target_have_a_name(bank, adapter, ask):
    customer = bank.demo_world()
    account = place(customer.account)
    locked = next(place(h) for h in customer.holdings if h.locked)
    closed = next(place(h) for h in customer.holdings if h.closed and h.parent)
    before = bank.balances()

    for source, target in ((locked, account), (account, closed), (closed, account)):
        with pytest.raises(errors.AccountUnusable):
            ask(adapter.transfer(source, target, 100, dedupe_id="one"))

    assert bank.balances() == before


@able(MovesMoney)
@pytest.mark.parametrize(
    "code",
    [
        "insufficient_funds",
        "account_unusable",
        "refused",
        "authentication_failed",
        "consent_needed",
        "rate_limited",
    ],
)
def test_refusal_of_a_transfer_has_its_name_and_moved_nothing(
    bank, adapter, run, ends, code
):
    bank.fault("refuse", code=code)

    with pytest.raises(errors.ProviderError) as raised:
        run(adapter.transfer(*ends, 100, dedupe_id="one"))

    assert raised.value.code == code
    assert bank.moved("one") == []


@able(MovesMoney)
def test_rate_limit_says_when_to_come_back(bank, adapter, ask, ends):
    bank.fault("429", seconds=7)

    with pytest.raises(errors.RateLimited) as raised:
        ask(adapter.transfer(*ends, 100, dedupe_id="one"))

    assert raised.value.retry_after == 7


@able(MovesMoney)
def test_places_that_are_not_joined_are_refused_without_asking(bank, adapter, ends):
    account, pot = ends
    other = place(bank.demo_world().pots[1])
    assert adapter.moves(account, pot)
    assert adapter.moves(pot, account)

    for source, target in ((account, account), (pot, pot), (pot, other)):
        if adapter.moves(source, target):
            continue
        with pytest.raises(errors.Refused):
            next(adapter.transfer(source, target, 1, dedupe_id="one"))


@able(MovesMoney)
def test_only_the_request_that_moves_money_may_move_money(bank, adapter, ends):
    send, kinds = sender(adapter, bank), []

    def watch(request):
        kinds.append(request.may_move_money)
        return send(request)

    drive(adapter.observe(), watch)
    assert not any(kinds)
    drive(adapter.transfer(*ends, 100, dedupe_id="one"), watch)
    assert kinds.count(True) == 1


@able(MovesMoney)
def test_bank_that_forgets_its_dedupe_ids_can_be_played(box, bank, adapter, ask, ends):
    bank.configure(dedupe_horizon=3600.0)
    for pause in (0, 3599, 3602):
        box.clock.advance(pause)
        ask(adapter.transfer(*ends, 100, dedupe_id="one"))

    assert len(bank.moved("one")) == 2  # the reason why horizons are never passed


@able(MovesMoney)
def test_earlier_transfer_is_found_by_its_dedupe_id(bank, adapter, run, ends):
    since = bank.clock.now() - timedelta(minutes=1)
    assert run(adapter.movements_between(*ends, since=since)) == []

    bank.fault("act_then_drop", method="PUT")
    bank.fault("act_then_drop", method="POST")
    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    run(adapter.transfer(*ends, 100, dedupe_id="another"))
    bank.calm()

    first, second = run(adapter.movements_between(*ends, since=since))
    assert (first.dedupe_id, second.dedupe_id) == ("one", "another")
    assert first.external_id == bank.moved("one")[0].id
    assert (first.amount, first.declined) == (-100, "")


@able(MovesMoney)
@pytest.mark.parametrize("hidden", ["shows_dedupe", "shows_metadata"])
def test_a_transfer_whose_name_the_bank_keeps_to_itself_is_told_without_it(
    bank, adapter, ask, ends, hidden
):
    since = bank.clock.now() - timedelta(minutes=1)
    bank.configure(**{hidden: False})
    ask(adapter.transfer(*ends, 100, dedupe_id="one"))
    ask(adapter.transfer(*reversed(ends), 40, dedupe_id="two"))

    told = ask(adapter.movements_between(*ends, since=since))

    assert [(m.amount, m.dedupe_id) for m in told] == [(-100, ""), (40, "")]


@able(MovesMoney)
@pytest.mark.parametrize("code", ["refused", "account_unusable", "insufficient_funds"])
def test_refusal_to_look_back_is_no_refusal_of_the_transfer(
    bank, adapter, ask, ends, code
):
    bank.fault("refuse", code=code)

    with pytest.raises(errors.ProviderError) as raised:
        ask(adapter.movements_between(*ends, since=bank.clock.now()))

    assert not isinstance(raised.value, errors.Refused)
