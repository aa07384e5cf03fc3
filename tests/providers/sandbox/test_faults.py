"""Whatever can go wrong on the way can be planned, and goes wrong as planned."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from providers.sandbox.clock import Clock
from providers.sandbox.faults import ACTIONS, Fault, Plan
from providers.sandbox.institution import Customer, Holding, Institution
from providers.sandbox.ledger import OUTSIDE
from providers.sandbox.wire import Answer, Asked, Declined, Dropped


class Till(Institution):
    """The smallest institution: one purse, which can be looked into and filled."""

    slug = "till"
    routes = {("GET", "/purse"): "show", ("PUT", "/purse/{id}"): "fill"}
    happenings = ("greet",)

    def show(self, asked: Asked) -> Answer:
        held = self.ledger.balance("purse", self.seen())
        rows = [{"n": 1}, {"n": 2}]
        found = {"balance": held, "text_balance": str(held), "currency": "GBP"}
        return Answer.of({**found, "rows": rows, "now": self.clock.timestamp()})

    def fill(self, asked: Asked, id: str) -> Answer:
        if id != "purse":
            raise Declined(404, {"error": "no purse"})
        self.move(OUTSIDE, "purse", int(asked.form["amount"]))
        return self.show(asked)

    def greet(self, name: str) -> str:
        return f"Hello {name}"

    def add_customers(self, names, **wishes):
        self.ledger.open(self.open("purse", "GBP/2"))
        self.ledger.put(*(("users", name, 1) for name in names))
        return [self.customer(name) for name in names]

    def customer(self, name):
        return Customer(name, {}, [Holding("purse", "current", "Purse", "GBP/2")])

    def customers(self):
        return list(self.ledger.topic("users"))

    def refusal(self, code):
        return Answer.of({"said": code}, 418)


@pytest.fixture
def till():
    till = Till(clock=Clock())
    till.clock.freeze()
    till.demo_world()
    till.pay("purse", 500)
    return till


LOOK = Asked("GET", "/purse")
FORM = {"content-type": "application/x-www-form-urlencoded"}
FILL = Asked("PUT", "/purse/purse", "", FORM, b"amount=100")


def look(till):
    return json.loads(till.answer(LOOK).body)


def test_without_faults_all_is_well(till):
    assert till.answer(FILL).status == 200
    assert look(till)["balance"] == till.balance("purse") == 600


def test_unknown_fault_is_refused(till):
    with pytest.raises(ValueError, match="No fault"):
        till.fault("gremlins")


@pytest.mark.parametrize("action", ["drop_before", "act_then_drop", "late_apply"])
def test_dropped_answers_act_before_after_or_later(till, action):
    till.fault(action, seconds=10)

    with pytest.raises(Dropped):
        till.answer(FILL)

    assert till.balance("purse") == 500 + 100 * (action == "act_then_drop")
    till.clock.advance(11)
    assert till.balance("purse") == 500 + 100 * (action != "drop_before")


def test_late_request_may_be_answered_with_an_error_at_once(till):
    till.fault("late_apply", seconds=10, status=504)

    assert till.answer(FILL).status == 504
    assert till.balance("purse") == 500


def test_error_comes_after_the_money_moved(till):
    till.fault("act_then_500", status=504)

    assert till.answer(FILL).status == 504
    assert till.balance("purse") == 600


def test_refusal_acts_not_and_says_what_it_should(till):
    till.fault("refuse", status=409, body={"error": "no"}, headers={"X-Why": "so"})
    answer = till.answer(FILL)
    assert (answer.status, json.loads(answer.body)) == (409, {"error": "no"})
    assert answer.headers["X-Why"] == "so"

    till.fault("refuse", code="insufficient_funds")
    assert json.loads(till.answer(FILL).body) == {"said": "insufficient_funds"}
    assert till.balance("purse") == 500


def test_refusal_of_no_kind_is_a_plain_no_and_leaves_nothing_open(till):
    till.fault("refuse")

    assert json.loads(till.answer(FILL).body) == {"said": "refused"}
    assert till.balance("purse") == 500


EXACT = Decimal("90071992547409.93")  # no float holds this


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (
            "wrong_currency",
            '{"available_balance": 90071992547409.93, "currency": "USD"}',
        ),
        ("wrong_amount", '{"available_balance": 90071992547410.93, "currency": "NGN"}'),
        ("negative", '{"available_balance": -90071992547410.93, "currency": "NGN"}'),
        ("nan", '{"available_balance": NaN, "currency": "NGN"}'),
    ],
)
def test_number_with_a_fraction_is_written_exactly_and_spoiled_like_any(action, told):
    row = {"available_balance": EXACT, "currency": "NGN"}
    answer = Answer.of({"data": [row], "none": None})

    spoiled = ACTIONS[action](Fault(action), lambda: answer)

    assert b'"available_balance": 90071992547409.93' in answer.body
    assert spoiled.body.decode() == f'{{"data": [{told}], "none": null}}'


def test_rate_limit_names_its_seconds(till):
    till.fault("429", seconds=9)

    answer = till.answer(LOOK)

    assert (answer.status, answer.headers) == (429, {"Retry-After": "9"})


@pytest.mark.parametrize(
    ("action", "check"),
    [
        ("garbage", lambda body: body.startswith(b"<html>")),
        ("truncated", lambda body: not body.endswith(b"}")),
        ("duplicate_keys", lambda body: body.count(b'"balance"') == 2),
        ("nan", lambda body: b'"balance": NaN' in body),
        ("wrong_currency", lambda body: b'"currency": "USD"' in body),
        ("wrong_amount", lambda body: b'"balance": 501' in body),
        ("negative", lambda body: b'"balance": -501' in body),
        ("negative", lambda body: b'"text_balance": "-501"' in body),
        ("reordered", lambda body: b'[{"n": 2}, {"n": 1}]' in body),
    ],
)
def test_answer_is_spoiled_on_its_way(till, action, check):
    till.fault(action)

    assert check(till.answer(LOOK).body)
    assert look(till)["balance"] == 500


def test_any_value_can_be_replaced(till):
    till.fault("replace", value={"currency": None, "n": []})

    assert look(till)["currency"] is None


def test_answer_may_break_off_or_take_its_time(till):
    till.fault("cut")
    assert till.answer(LOOK).cut
    till.fault("delay", seconds=2.5)
    assert till.answer(LOOK).delay == 2.5


def test_clock_is_wrong_for_one_answer(till):
    right = till.clock.timestamp()
    till.fault("clock_skew", seconds=-300)

    assert look(till)["now"] == right - 300
    assert look(till)["now"] == right


def test_reads_lag_behind(till):
    till.clock.advance(60)
    till.answer(FILL)
    till.fault("read_lag", seconds=30)

    assert look(till)["balance"] == 500
    assert look(till)["balance"] == 600


def test_faults_strike_where_and_as_often_as_they_are_told(till):
    till.fault("garbage", method="PUT", path="/purse/", times=2, skip=1)
    assert [till.answer(LOOK).status for _ in range(3)] == [200] * 3

    struck = [till.answer(FILL).body.startswith(b"<html>") for _ in range(5)]

    assert struck == [False, True, True, False, False]
    assert till.plan.faults == []


def test_part_of_a_path_is_enough():
    assert Fault("garbage", path="*urs")._matches(LOOK)
    assert not Fault("garbage", path="urs")._matches(LOOK)


def test_chance_is_the_same_for_the_same_seed():
    def struck(seed):
        plan = Plan()
        plan.add(Fault("garbage", times=None, probability=0.3, seed=seed))
        return [plan.take(LOOK) is not None for _ in range(200)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 30 < sum(struck(1)) < 90


def test_endless_faults_end_when_they_are_taken_back(till):
    till.fault("garbage", times=None)
    assert all(till.answer(LOOK).body.startswith(b"<") for _ in range(3))

    till.calm()

    assert look(till)["balance"] == 500


def test_every_action_is_known_by_name():
    wanted = {
        "delay",
        "drop_before",
        "act_then_drop",
        "act_then_500",
        "late_apply",
        "refuse",
        "429",
        "5xx",
        "garbage",
        "truncated",
        "duplicate_keys",
        "nan",
        "wrong_currency",
        "wrong_amount",
        "negative",
        "clock_skew",
        "read_lag",
    }
    assert wanted <= set(ACTIONS)


def test_wrong_method_and_wrong_path_are_told_apart(till):
    assert till.answer(Asked("DELETE", "/purse/purse")).status == 405
    assert till.answer(Asked("POST", "/purse")).status == 405
    assert till.answer(Asked("GET", "/nothing")).status == 404
    assert (
        till.answer(Asked("PUT", "/purse/other", "", FORM, b"amount=1")).status == 404
    )


def test_form_is_only_a_form_when_it_says_so():
    assert FILL.form == {"amount": "100"}
    assert Asked("PUT", "/", "", {"content-type": "text/plain"}, b"a=1").form == {}
    with pytest.raises(ValueError, match="twice"):
        Asked("PUT", "/", "", FORM, b"a=1&a=2").form  # noqa: B018
    with pytest.raises(ValueError, match="twice"):
        Asked("GET", "/", "a=1&a=2").query  # noqa: B018


def test_only_known_things_happen(till):
    assert till.do("greet", name="Ann") == "Hello Ann"
    with pytest.raises(LookupError):
        till.do("reset")


def test_unknown_settings_are_refused(till):
    with pytest.raises(TypeError):
        till.configure(speed=9)


def test_reset_forgets_everybody(till):
    till.fault("garbage")
    till.reset()

    assert (till.customers(), till.movements(), till.plan.faults) == ([], [], [])
