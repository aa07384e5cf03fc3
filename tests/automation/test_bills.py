"""What left a bills pot since payday is put back, and only once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils.timezone import now

from accounts import services as accounts
from accounts.models import Account, Transaction
from automation import services
from automation.models import Rule, RuleRun, Transfer

from .conftest import Person, gbp, leg

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def bills(alice: Person) -> Account:
    alice.fill(alice.main, 2000_00)
    alice.fill(alice.pots[0], 500_00)
    return alice.pots[0]


def pay(alice: Person, bills: Account, amount: int, days_ago: int = 0) -> None:
    """Let a bill be paid from the pot: its money comes to the account around it."""
    when = now() - days_ago * DAY
    alice.bank.move(bills.external_id, alice.main.external_id, amount, when=when)
    read_all(alice)


def read_all(alice: Person) -> None:
    """Read the past again: a bank does not change it, these tests do."""
    accounts.sync([alice.connection], "manual", full=True)


def rule_of(alice: Person, bills: Account, **more) -> Rule:
    more.setdefault("pay_cycle", {"day": str((now() - 10 * DAY).day)})
    more.setdefault("timezone", "UTC")
    target = more.pop("target", None)
    words = {"target": gbp(target)} if target else {}
    if cap := more.pop("cap", None):
        words["cap"] = gbp(cap)
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(bills, "bills", strategy="replenish", **words),
        **more,
    )


def put_back(run: RuleRun) -> int:
    return sum(int(move["money"]["minor"]) for move in run.moves)


def test_what_was_spent_since_payday_is_put_back(alice, bills, run):
    rule = rule_of(alice, bills)
    pay(alice, bills, 70_00, days_ago=12)
    pay(alice, bills, 40_00, days_ago=9)
    pay(alice, bills, 1_50)

    first = run(rule, "one")

    assert first.status == "succeeded"
    assert put_back(first) == 41_50
    assert run(rule, "two").status == "nothing_to_do"


def test_what_is_spent_after_that_is_put_back_next_time(alice, bills, run):
    rule = rule_of(alice, bills)
    pay(alice, bills, 40_00, days_ago=9)
    run(rule, "one")
    pay(alice, bills, 5_00)
    # Made long ago, told late: it belongs to this pay cycle and was not put back yet.
    pay(alice, bills, 2_00, days_ago=8)

    assert put_back(run(rule, "two")) == 7_00


def test_a_target_is_not_passed(alice, bills, run):
    rule = rule_of(alice, bills, target=480_00)
    pay(alice, bills, 40_00)

    assert put_back(run(rule)) == 20_00


def test_on_payday_the_period_that_has_just_ended_counts(alice, bills, run):
    rule = rule_of(alice, bills, pay_cycle={"day": str(now().day)})
    pay(alice, bills, 40_00, days_ago=20)

    assert put_back(run(rule)) == 40_00


def test_a_rule_that_runs_the_day_after_payday_forgets_nothing(alice, bills, run):
    rule = rule_of(alice, bills, pay_cycle={"day": str((now() - DAY).day)})
    done = now() - 27 * DAY
    Rule.objects.filter(pk=rule.pk).update(last_success_at=done)
    pay(alice, bills, 70_00, days_ago=28)
    pay(alice, bills, 40_00, days_ago=20)

    assert put_back(run(rule)) == 40_00


def test_payday_may_be_a_trigger_of_the_rule(alice, bills, run):
    weekday = (now() - 2 * DAY).isoweekday()
    rule = rule_of(
        alice,
        bills,
        triggers=[{"kind": "manual"}, {"kind": "weekly", "weekday": weekday}],
        pay_cycle={"trigger": 1},
    )
    pay(alice, bills, 70_00, days_ago=4)
    pay(alice, bills, 30_00, days_ago=1)

    assert put_back(run(rule)) == 30_00


def run_out(run, rule: Rule) -> list[int]:
    """Let runs follow each other until one has nothing to do; return what each moved."""
    moved: list[int] = []
    while len(moved) < 9:
        found = run(rule, f"run {len(moved)}")
        if found.status != "succeeded":
            return moved
        moved.append(put_back(found))
    return moved


def test_what_the_source_could_not_put_back_is_put_back_by_the_next_run(
    alice, bills, run
):
    rule = rule_of(alice, bills)
    pay(alice, bills, 400_00, days_ago=3)
    alice.fill(alice.main, 100_00)
    assert put_back(run(rule, "one")) == 100_00
    alice.fill(alice.main, 2000_00)
    pay(alice, bills, 5_00)
    seen = services.preview(rule)

    second = run(rule, "two")

    assert put_back(second) == sum(move.amount for move in seen.moves) == 305_00
    assert run(rule, "three").status == "nothing_to_do"
    assert services.preview(rule).outcome == "nothing_to_do"


@pytest.mark.parametrize(
    ("limit", "moved"),
    [
        ({"limits": {"per_run": gbp(30_00)}}, [30_00, 30_00, 30_00, 10_50]),
        ({"limits": {"per_move": gbp(60_00)}}, [60_00, 40_50]),
        ({"round_to": gbp(1_00)}, [100_00]),
        ({"cap": 90_00}, [90_00, 10_50]),
        ({"target": 480_00}, [80_50]),
    ],
)
def test_what_a_limit_cuts_is_put_back_by_the_runs_that_follow(
    limit, moved, alice, bills, run
):
    rule = rule_of(alice, bills, **limit)
    pay(alice, bills, 60_25, days_ago=3)
    pay(alice, bills, 40_25, days_ago=2)

    assert run_out(run, rule) == moved


def test_what_rounding_cuts_is_put_back_once_it_makes_a_whole(alice, bills, run):
    rule = rule_of(alice, bills, round_to=gbp(1_00))
    pay(alice, bills, 1_60)
    assert put_back(run(rule, "one")) == 1_00
    pay(alice, bills, 40)

    assert put_back(run(rule, "two")) == 1_00


def test_what_was_left_open_before_payday_is_not_forgotten_on_it(alice, bills, run):
    rule = rule_of(alice, bills, pay_cycle={"day": str(now().day)})
    pay(alice, bills, 40_00, days_ago=20)
    alice.fill(alice.main, 10_00)
    run(rule, "one")
    Rule.objects.update(pay_cycle={"day": str((now() - DAY).day)})
    alice.fill(alice.main, 2000_00)

    assert put_back(run(rule, "two")) == 30_00


def test_what_a_hundred_days_old_transfer_left_open_is_given_up(alice, bills, run):
    rule = rule_of(alice, bills)
    pay(alice, bills, 40_00, days_ago=3)
    alice.fill(alice.main, 10_00)
    run(rule, "one")
    Transfer.objects.update(created=now() - 101 * DAY)
    alice.fill(alice.main, 2000_00)

    assert run(rule, "two").status == "nothing_to_do"


def short_twice(alice: Person, bills: Account, run) -> Rule:
    """Let two runs put back 10.00 and 12.00 of the 40.00 that were spent."""
    rule = rule_of(alice, bills)
    pay(alice, bills, 40_00, days_ago=3)
    for key, there in (("one", 10_00), ("two", 12_00)):
        alice.fill(alice.main, there)
        run(rule, key)
    alice.fill(alice.main, 2000_00)
    return rule


@pytest.mark.parametrize(("which", "open_"), [(10_00, 28_00), (12_00, 30_00)])
def test_what_turns_out_not_to_have_moved_is_open_again(
    which, open_, alice, bills, run
):
    rule = short_twice(alice, bills, run)
    Transfer.objects.filter(amount=which).update(status="refused")

    assert run_out(run, rule) == [open_]


@pytest.mark.parametrize(("amount", "open_"), [(45_00, 23_00), (20_00, 0)])
def test_a_corrected_amount_counts_as_it_is_now(amount, open_, alice, bills, run):
    rule = short_twice(alice, bills, run)
    Transaction.objects.filter(amount=40_00).update(amount=amount)

    assert put_back(run(rule, "three")) == open_


def test_what_the_bank_takes_back_is_not_open_any_more(alice, bills, run):
    rule = short_twice(alice, bills, run)
    Transaction.objects.filter(amount=40_00).delete()

    assert services.preview(rule).moves == ()


def test_bills_of_a_leg_that_was_short_come_back_in_a_replay(alice, bills, run):
    rule = short_twice(alice, bills, run)
    alice.sync()
    daily = [{"kind": "interval", "minutes": 1440}]
    told = services.rule_data(rule) | {"triggers": daily}
    rule = services.write_rule(alice.workspace, told, rule=rule)

    with time_machine.travel(now() + 3 * DAY):
        found = services.replay(rule, now() - 2 * DAY, now())

    assert [row.total for row in found.rows] == [18_00, 0]


SALARY = [{"kind": "payday", "pattern": "ACME"}]


def test_a_salary_is_a_payday_and_the_one_before_it_begins_the_period(
    alice, bills, run
):
    rule = rule_of(alice, bills, triggers=SALARY, pay_cycle=None)
    for days in (31, 1):
        when = now() - days * DAY
        alice.bank.pay(alice.main.external_id, 9_00, counterparty="ACME", when=when)
    pay(alice, bills, 70_00, days_ago=33)
    pay(alice, bills, 30_00, days_ago=20)
    pay(alice, bills, 3_00)

    due = run(rule, kind="payday", happened_at=now() - DAY)

    assert put_back(due) == 33_00


SALARY_OR_REFUND = [
    {"kind": "payday", "pattern": "ACME", "look_back_days": 1},
    {"kind": "transaction", "pattern": "REFUND"},
]


@pytest.fixture
def paid_twice(alice: Person, bills: Account) -> Account:
    """Let two salaries come in, and bills be paid in both periods."""
    for days in (35, 3):
        when = now() - days * DAY
        alice.bank.pay(alice.main.external_id, 9_00, counterparty="ACME", when=when)
    pay(alice, bills, 70_00, days_ago=20)
    pay(alice, bills, 3_00, days_ago=1)
    return bills


def test_a_transaction_that_makes_a_run_due_is_no_payday(alice, paid_twice, bank):
    rule = rule_of(alice, paid_twice, triggers=SALARY_OR_REFUND, pay_cycle=None)
    bank.pay(alice.main.external_id, 1_00, counterparty="REFUND")
    read_all(alice)
    seen = services.preview(rule)
    (due,) = services.dispatch_due_rules()

    found = services.execute_run(due.pk)

    assert due.trigger_kind == "transaction"
    assert put_back(found) == sum(move.amount for move in seen.moves) == 3_00


@pytest.mark.parametrize(("kind", "put"), [("transaction", 3_00), ("payday", 73_00)])
def test_a_rule_that_runs_instead_takes_only_a_salary_for_one(
    kind, put, alice, paid_twice, run
):
    rule = rule_of(alice, paid_twice, triggers=SALARY_OR_REFUND, pay_cycle=None)
    never = {"field": "date", "op": "<", "value": "2000-01-01", "else": str(rule.pk)}
    other = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[1], "target"),
        conditions=never,
    )
    run(other, kind=kind, happened_at=now() - 3 * DAY)

    instead = services.execute_run(rule.runs.get().pk)

    assert instead.trigger_kind == "after_rule"
    assert put_back(instead) == put


@pytest.mark.parametrize("triggers", [SALARY, [{"kind": "manual"}]])
def test_without_a_known_payday_the_leg_is_left_out_not_zero(
    triggers, alice, bills, run
):
    rule = rule_of(alice, bills, triggers=triggers, pay_cycle=None)
    pay(alice, bills, 40_00)

    found = run(rule)

    assert found.status == "skipped_stale"
    assert "Nobody knows what was spent" in found.reason


def test_transactions_that_cannot_be_read_make_it_unknown(alice, bills):
    rule = rule_of(alice, bills)
    pay(alice, bills, 40_00)
    alice.sync()
    Account.objects.update(movements_read_at=now() - timedelta(seconds=901))

    assert services.preview(rule).outcome == "skipped_stale"


def test_a_declined_movement_did_not_leave(alice, bills, run):
    rule = rule_of(alice, bills)
    alice.bank.move(
        bills.external_id, alice.main.external_id, 9_00, declined="CARD_BLOCKED"
    )

    assert run(rule).status == "nothing_to_do"
