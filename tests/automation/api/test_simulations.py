"""What-if over REST: typed balances in, a plan out, and nothing written."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from automation.models import Rule, RuleRun
from tests.fixtures_api import ASSET, V1, expect_problem, fields_of, hold
from tests.guards import unguarded

pytestmark = pytest.mark.django_db


def gbp(minor: int) -> dict[str, str]:
    return {"asset": ASSET, "minor": str(minor)}


def simulate(world, **body):
    path = f"{V1}/rules/{world.mine.rule.pk}/simulate/"
    return world.operator.post(path, body)


@pytest.fixture
def both(world) -> dict[str, dict[str, str]]:
    """Balances of both accounts of the rule: keep 0.01, sweep the rest."""
    return {str(world.mine.main.pk): gbp(5_001), str(world.mine.pot.pk): gbp(0)}


def test_a_simulation_plans_on_what_was_typed(world, both):
    told = simulate(world, balances=both, at="2030-01-25T09:00:00Z").json()

    assert told["outcome"] == "planned"
    assert [move["money"]["minor"] for move in told["moves"]] == ["5000"]
    assert {read["available"]["minor"] for read in told["readings"]} == {"5001", "0"}
    for read in told["readings"]:
        assert (read["age_seconds"], read["source"]) == (0, "typed")
        assert read["as_of"].startswith("2030-01-25T09:00:00")


def test_equal_balances_simulate_to_equal_plans(world, both):
    hashes = {simulate(world, balances=both).json()["plan_hash"] for _ in range(3)}

    assert len(hashes) == 1


def test_a_simulation_agrees_with_the_preview_of_the_same_balances(world, both):
    for account, amount in ((world.mine.main, 5_001), (world.mine.pot, 0)):
        account.balance.delete()
        hold(account, amount, now())
    with unguarded():
        world.mine.transfer.delete()  # nothing is on its way
    path = f"{V1}/rules/{world.mine.rule.pk}/preview/"
    preview = world.operator.post(path, {"refresh": False}).json()

    told = simulate(world, balances=both).json()

    assert told["plan_hash"] == preview["plan_hash"]
    assert told["moves"] == preview["moves"]


def test_an_account_that_is_left_out_is_as_old_as_it_is(world, both):
    """Its stored reading is of last March: nothing is decided on it."""
    del both[str(world.mine.pot.pk)]

    told = simulate(world, balances=both).json()

    assert told["outcome"] == "skipped_stale"
    assert told["moves"] == []


def test_an_account_that_was_never_read_is_unknown(world, both):
    del both[str(world.mine.pot.pk)]
    world.mine.pot.balance.delete()

    told = simulate(world, balances=both).json()

    assert told["outcome"] == "skipped_stale"
    assert "not known" in told["reason"]


def test_a_disabled_rule_is_simulated_and_says_so(world, both):
    Rule.objects.filter(pk=world.mine.rule.pk).update(enabled=False)

    told = simulate(world, balances=both).json()

    assert told["outcome"] == "planned"
    assert told["reason"].startswith("This rule is disabled.")


def test_a_simulation_writes_nothing_and_asks_nobody(world, both, settings):
    settings.PROVIDER_URLS = {}  # who asked would end at a guarded socket

    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert simulate(world, balances=both).status_code == 200

    verbs = {row["sql"].split()[0] for row in asked.captured_queries}
    told = [row["sql"] for row in asked.captured_queries if "knox" not in row["sql"]]
    assert verbs <= {"SELECT", "UPDATE", "SAVEPOINT", "RELEASE"}
    assert not [sql for sql in told if sql.startswith(("UPDATE", "INSERT", "DELETE"))]
    assert RuleRun.objects.filter(rule=world.mine.rule).count() == 1


NONE = "00000000-0000-0000-0000-000000000000"
MISTAKES = {
    "a number": (lambda m: {"balances": {m: 5001}}, "balances.{main}"),
    "a float": (lambda m: {"balances": {m: 50.01}}, "balances.{main}"),
    "minor as a number": (
        lambda m: {"balances": {m: {"asset": ASSET, "minor": 5001}}},
        "balances.{main}",
    ),
    "another asset": (
        lambda m: {"balances": {m: {"asset": "EUR/2", "minor": "1"}}},
        "balances.{main}",
    ),
    "an unknown account": (lambda m: {"balances": {NONE: gbp(1)}}, f"balances.{NONE}"),
    "a name": (lambda m: {"balances": {"Main": gbp(1)}}, "balances.Main"),
    "a list": (lambda m: {"balances": []}, "balances"),
    "nothing": (lambda m: {}, "balances"),
    "no moment": (lambda m: {"balances": {}, "at": "soon"}, "at"),
    "a naive moment": (lambda m: {"balances": {}, "at": "2026-01-01T09:00:00"}, "at"),
    "negative spending": (
        lambda m: {"balances": {}, "spent": {m: gbp(-1)}},
        "spent.{main}",
    ),
    "an unknown word": (lambda m: {"balances": {}, "colour": "red"}, "colour"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_is_not_exact_is_refused_at_its_field(world, case):
    body, field = MISTAKES[case]
    main = str(world.mine.main.pk)

    told = expect_problem(simulate(world, **body(main)), 400)

    assert field.replace("{main}", main) in fields_of(told)


def test_somebody_elses_account_is_as_unknown_as_any(world, both):
    foreign = str(world.theirs.main.pk)

    told = expect_problem(simulate(world, balances=both | {foreign: gbp(1)}), 400)

    assert fields_of(told) == {f"balances.{foreign}": "unknown_account"}


def test_spending_may_be_typed_for_bills(world, both):
    told = simulate(world, balances=both, spent={str(world.mine.pot.pk): gbp(700)})

    assert told.status_code == 200, told.content


# -- duplicate


def duplicate(world, **body):
    path = f"{V1}/rules/{world.mine.rule.pk}/duplicate/"
    return world.admin.post(path, body)


def test_a_copy_is_disabled_and_says_the_same(world):
    before = world.admin.get(f"{V1}/rules/{world.mine.rule.pk}/").json()

    answer = duplicate(world)

    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["name"], told["enabled"]) == ("Copy of Payday", False)
    assert told["id"] != before["id"]
    assert (told["legs"], told["triggers"]) == (before["legs"], before["triggers"])
    assert told["last_success_at"] is None
    assert not RuleRun.objects.filter(rule=told["id"]).exists()


def test_a_copy_may_be_named(world):
    assert duplicate(world, name="Second").json()["name"] == "Second"


def test_a_long_name_is_still_a_name(world):
    Rule.objects.filter(pk=world.mine.rule.pk).update(name="x" * 200)

    assert len(duplicate(world).json()["name"]) == 200


def test_one_key_makes_one_copy(world):
    path = f"{V1}/rules/{world.mine.rule.pk}/duplicate/"
    headers = {"Idempotency-Key": "one"}
    first, again = (world.admin.post(path, {}, headers=headers) for _ in range(2))

    assert first.json() == again.json()
    assert Rule.objects.filter(workspace=world.mine.workspace).count() == 2


def test_a_rule_that_would_be_refused_today_is_not_copied(world):
    world.mine.pot.can_receive = False
    world.mine.pot.save()

    expect_problem(duplicate(world), 400, "rule_invalid")

    assert Rule.objects.filter(workspace=world.mine.workspace).count() == 1


def test_the_payment_that_set_it_off_can_be_told(world, both):
    rule = world.mine.rule
    salary = {"field": "amount", "op": ">=", "value": gbp(9)}
    Rule.objects.filter(pk=rule.pk).update(conditions={"all": [salary], "else": "skip"})

    assert simulate(world, balances=both).json()["outcome"] == "skipped_condition"
    assert simulate(world, balances=both, amount=gbp(9)).json()["outcome"] == "planned"


def test_the_payment_is_of_the_rules_own_money(world, both):
    euros = {"asset": "EUR/2", "minor": "9"}

    answer = simulate(world, balances=both, amount=euros)

    assert fields_of(expect_problem(answer, 400)) == {"amount": "money"}
