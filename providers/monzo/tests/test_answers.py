"""How the bank's answers are read, and what it leaves open."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.base import Place
from providers.monzo import Provider
from providers.wire import Response, drive

ACCOUNT = {"id": "acc_1", "type": "uk_retail", "currency": "GBP"}
BALANCE = {"balance": 100, "total_balance": 100, "currency": "GBP", "spend_today": 0}
POT = {
    "id": "pot_1",
    "name": "Rent",
    "style": "",
    "balance": 50,
    "currency": "GBP",
    "deleted": False,
}


def answered(*bodies):
    """Return something that answers requests with these, in order."""
    waiting = iter(bodies)

    def answer(request):
        body = next(waiting)
        status, body = body if isinstance(body, tuple) else (200, body)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(status, {}, raw)

    return answer


def observed(*bodies):
    return drive(Provider({"access_token": "t"}).observe(), answered(*bodies))


def test_accounts_that_hold_no_money_and_closed_ones_are_left_alone():
    kinds = ["uk_prepaid", "uk_rewards", "uk_loan", "uk_monzo_flex", "uk_new_thing"]
    rows = [{**ACCOUNT, "id": kind, "type": kind} for kind in kinds]
    rows += [{**ACCOUNT, "id": "acc_old", "closed": True}, ACCOUNT]

    seen = observed({"accounts": rows}, BALANCE, {"pots": []})

    assert [r.external_id for r in seen.readings] == ["acc_1"]


def test_nobody_without_accounts_is_asked_further():
    seen = observed({"accounts": []})

    assert (list(seen.readings), seen.complete) == ([], True)


@pytest.mark.parametrize(
    ("balance", "pots"),
    [
        ({**BALANCE, "balance": "100"}, {"pots": []}),
        ({**BALANCE, "balance": 1.5}, {"pots": []}),
        ({**BALANCE, "balance": True}, {"pots": []}),
        ({**BALANCE, "balance": None}, {"pots": []}),
        ({**BALANCE, "currency": "USD"}, {"pots": []}),
        ({**BALANCE, "currency": "XXX"}, {"pots": []}),
        ({"error": "sorry"}, {"pots": []}),
        (BALANCE, {"pots": None}),
        (BALANCE, {}),
        (BALANCE, {"pots": [{**POT, "balance": -1}]}),
        (BALANCE, {"pots": [{**POT, "currency": "EUR"}]}),
        (BALANCE, {"pots": [{**POT, "deleted": "no"}]}),
        (BALANCE, {"pots": [{**POT, "id": ""}]}),
        (BALANCE, {"pots": [{**POT, "goal_amount": -5}]}),
        (BALANCE, b"<html>"),
        (BALANCE, (403, {"code": "forbidden.pots"})),
        ((504, b""), {"pots": []}),
        ((429, b""), {"pots": []}),
    ],
)
def test_account_that_answers_nonsense_is_unknown_and_the_others_stand(balance, pots):
    listed = {"accounts": [ACCOUNT, {**ACCOUNT, "id": "acc_2"}]}

    seen = observed(listed, balance, pots, BALANCE, {"pots": []})

    found = {r.external_id: r for r in seen.readings}
    assert set(found) == {"acc_1", "acc_2"}
    assert (found["acc_1"].total, found["acc_1"].available) == (None, None)
    assert found["acc_1"].error
    assert found["acc_2"].total == 100
    assert not seen.complete


def test_when_every_account_fails_the_reason_is_raised():
    with pytest.raises(errors.RateLimited):
        observed({"accounts": [ACCOUNT]}, (429, b""), {"pots": []})


def test_dead_token_is_never_one_accounts_affair():
    listed = {"accounts": [ACCOUNT, {**ACCOUNT, "id": "acc_2"}]}
    evicted = (401, {"code": "unauthorized.bad_access_token.evicted"})

    with pytest.raises(errors.AuthenticationFailed):
        observed(listed, BALANCE, {"pots": []}, evicted, {"pots": []})


def test_account_listed_twice_is_nonsense():
    with pytest.raises(errors.UnexpectedResponse):
        observed({"accounts": [ACCOUNT, ACCOUNT]})


def test_overdraft_is_a_balance_below_zero():
    body = {**BALANCE, "balance": -250, "total_balance": -250}

    (reading,) = observed({"accounts": [ACCOUNT]}, body, {"pots": []}).readings

    assert (reading.total, reading.available) == (-250, -250)


def test_yen_have_no_decimals():
    body = {**BALANCE, "currency": "JPY"}
    listed = {"accounts": [{**ACCOUNT, "currency": "JPY"}]}

    (reading,) = observed(listed, body, {"pots": []}).readings

    assert str(reading.asset) == "JPY/0"


def test_total_that_does_not_add_up_is_shown_as_it_is():
    (figure,) = observed({"accounts": [ACCOUNT]}, BALANCE, {"pots": [POT]}).invariants

    assert (figure.expected, figure.actual) == (100, 150)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "bad_request.insufficient_funds.new_ending", errors.InsufficientFunds),
        (403, "forbidden.insufficient_permissions.x", errors.ConsentNeeded),
        (401, "unauthorized.bad_access_token.expired", errors.AuthenticationFailed),
        (401, "", errors.AuthenticationFailed),
        (403, "forbidden.whatever", errors.AccountUnusable),
        (403, "", errors.AccountUnusable),
        (404, "not_found.pot", errors.AccountUnusable),
        (404, "", errors.AccountUnusable),
        (400, "bad_request.pot_deleted", errors.AccountUnusable),
        (400, "bad_request.bad_param.amount", errors.Refused),
        (405, "bad_request.method_not_allowed", errors.Refused),
        (429, "too_many_requests", errors.RateLimited),
        (500, "internal_service", errors.OutcomeUnknown),
        (504, "unauthorized", errors.OutcomeUnknown),
        (302, "", errors.OutcomeUnknown),
    ],
)
def test_errors_of_a_transfer_go_by_the_beginning_of_their_code(status, code, error):
    call = Provider({"access_token": "t"}).transfer(
        Place("acc_1", "current"), Place("pot_1", "pot", "acc_1"), 1, dedupe_id="d"
    )

    with pytest.raises(errors.ProviderError) as raised:
        drive(call, answered((status, {"code": code} if code else b"")))

    assert type(raised.value) is error


def test_pot_id_cannot_leave_its_place_in_the_path():
    call = Provider({"access_token": "t"}).transfer(
        Place("acc_1", "current"), Place("../x?y", "pot", "acc_1"), 1, dedupe_id="d"
    )

    assert next(call).path == "/pots/..%2Fx%3Fy/deposit"
