from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.rules import Limits, ShareError, parse_share, problems
from automation.rules.problems import FORMS, WORDS, of_leg
from automation.rules.terms import Compare, Conditions, Group, Leg, PayCycle
from automation.rules.triggers import TriggerSpec
from providers.money import LARGEST

from .words import current, known, leg, pot, rule

HOUSE = known(current(), pot("a"), pot("b"), pot("c"), pot("saving", goal=500))
SWEEP = rule("sweep", leg("a", "source", "all"), leg("b", "target"))
TO_B = leg("b", "target")
FROM_A = leg("a", "source")


def found(spec, holdings=HOUSE):
    return {(problem.field, problem.code) for problem in problems(spec, holdings)}


def sweep(source):
    return rule("sweep", source, TO_B)


def asking(test):
    return dataclasses.replace(SWEEP, conditions=Conditions(test))


def nested(depth):
    test = Compare("date", "=", date(2026, 1, 1))
    for _ in range(depth):
        test = Group("all", (test,))
    return test


def autosort(*legs, **words):
    return rule("autosort", FROM_A, *legs, **words)


def topup(target):
    return rule("topup", FROM_A, target)


@pytest.mark.parametrize(
    "spec",
    [
        SWEEP,
        sweep(leg("main", "source", "above", keep=0)),
        sweep(leg("a", "source", "share", share="1", keep_share="0.1", floor=5, cap=9)),
        autosort(
            leg("b", "bills", "fixed", amount=5), leg("c", "priority", "to_target")
        ),
        autosort(leg("saving", "goal", "to_target", max_share="0.3")),
        autosort(
            leg("b", "investment", "share", share="0.4"),
            leg("c", "investment", "share", share="0.6"),
        ),
        topup(leg("b", "target", "fixed", amount=1)),
        topup(leg("main", "target", "to_target", target=5, amount=3)),
        topup(leg("b", "target", "balance", low=1, target=1, high=1)),
        rule(
            "sweep",
            leg("main", "source", "all", floor=0),
            TO_B,
            on_stale="use_floor",
        ),
        sweep(leg("main", "source", "round_ups", unit=100, multiplier=10, keep=5)),
        autosort(leg("b", "bills", "replenish", target=900)),
        autosort(leg("saving", "goal", "to_target", due=date(2027, 6, 1))),
        autosort(leg("", "goal", "to_target", accounts="all_with_goal", cap=9)),
        dataclasses.replace(SWEEP, on_stale="ask"),
        dataclasses.replace(SWEEP, on_short="retry_next"),
        dataclasses.replace(SWEEP, pay_cycle=PayCycle(day="last")),
        dataclasses.replace(SWEEP, pay_cycle=PayCycle(trigger=TriggerSpec("payday"))),
        asking(Compare("total", "<", -5, "main", "GBP/2")),
        asking(Group("not", (Compare("date", ">=", date(2026, 2, 1)),))),
        asking(Compare("amount", "!=", 5, asset="GBP/2")),
    ],
)
def test_a_rule_as_the_contract_writes_it_has_no_problems(spec):
    assert problems(spec, HOUSE) == []


@pytest.mark.parametrize(
    ("spec", "field", "code"),
    [
        (rule("loan", FROM_A, TO_B), "kind", "unknown_kind"),
        (dataclasses.replace(SWEEP, asset="POUND"), "asset", "invalid_asset"),
        (dataclasses.replace(SWEEP, timezone="Mars/X"), "timezone", "unknown_timezone"),
        (dataclasses.replace(SWEEP, timezone="../x"), "timezone", "unknown_timezone"),
        (dataclasses.replace(SWEEP, rest="burn"), "rest", "unknown_choice"),
        (dataclasses.replace(SWEEP, on_stale="go"), "on_stale", "unknown_choice"),
        (dataclasses.replace(SWEEP, round_to=0), "round_to", "zero_amount"),
        (
            dataclasses.replace(SWEEP, max_staleness_seconds=901),
            "max_staleness_seconds",
            "out_of_range",
        ),
        (
            dataclasses.replace(SWEEP, limits=Limits(per_day=-1)),
            "limits.per_day",
            "negative_amount",
        ),
        (
            dataclasses.replace(SWEEP, limits=Limits(per_day=1.5)),
            "limits.per_day",
            "invalid_amount",
        ),
        (sweep(leg("a", "source", "round_ups")), "legs.0.unit", "missing_unit"),
        (sweep(leg("a", "source", "round_ups", unit=0)), "legs.0.unit", "zero_amount"),
        (
            sweep(leg("a", "source", "round_ups", unit=100)),
            "legs.0.account",
            "no_payments",
        ),
        (
            sweep(leg("main", "source", "round_ups", unit=100, multiplier=0)),
            "legs.0.multiplier",
            "out_of_range",
        ),
        (sweep(leg("a", "source", "most")), "legs.0.strategy", "unknown_strategy"),
        (sweep(leg("a", "source")), "legs.0.strategy", "unknown_strategy"),
        (sweep(leg("a", "source", "fixed")), "legs.0.amount", "missing_amount"),
        (sweep(leg("a", "source", "share")), "legs.0.share", "missing_share"),
        (sweep(leg("a", "source", "above")), "legs.0.keep", "missing_keep"),
        (
            sweep(leg("a", "source", "fixed", amount=-5)),
            "legs.0.amount",
            "negative_amount",
        ),
        (
            sweep(leg("a", "source", "fixed", amount=True)),
            "legs.0.amount",
            "invalid_amount",
        ),
        (
            sweep(leg("a", "source", "fixed", amount=10**78)),
            "legs.0.amount",
            "amount_too_large",
        ),
        (sweep(leg("a", "source", "all", amount=5)), "legs.0.amount", "not_allowed"),
        (sweep(leg("a", "source", "all", unit=100)), "legs.0.unit", "not_allowed"),
        (
            sweep(leg("a", "source", "share", share="50")),
            "legs.0.share",
            "invalid_share",
        ),
        (
            sweep(leg("a", "source", "share", share="0")),
            "legs.0.share",
            "invalid_share",
        ),
        (
            sweep(leg("a", "source", "share", share="NaN")),
            "legs.0.share",
            "invalid_share",
        ),
        (sweep(leg("b", "source", "all")), "legs.1.account", "duplicate_account"),
        (sweep(leg("a", "bills", "fixed", amount=5)), "legs.0.role", "unknown_role"),
        (
            rule("sweep", leg("a", "source", "all")),
            "legs",
            "wrong_number_of_targets",
        ),
        (rule("sweep", TO_B), "legs", "wrong_number_of_sources"),
        (
            rule("topup", FROM_A, leg("c", "source"), TO_B),
            "legs",
            "wrong_number_of_sources",
        ),
        (rule("topup", FROM_A), "legs", "wrong_number_of_targets"),
        (autosort(), "legs", "no_target"),
        (
            autosort(
                leg("b", "investment", "share", share="0.7"),
                leg("c", "investment", "share", share="0.31"),
            ),
            "legs",
            "shares_exceed_one",
        ),
        (
            autosort(leg("b", "goal", "to_target", accounts="all_with_goal")),
            "legs.1.accounts",
            "not_allowed",
        ),
        (
            autosort(leg("", "investment", "equal", accounts="all_with_goal")),
            "legs.1.accounts",
            "not_allowed",
        ),
        (
            autosort(leg("", "goal", "to_target", accounts="all")),
            "legs.1.accounts",
            "unknown_choice",
        ),
        (
            autosort(leg("", "goal", "to_target", accounts="all_with_goal", target=5)),
            "legs.1.target",
            "not_allowed",
        ),
        (
            autosort(
                leg("", "goal", "to_target", accounts="all_with_goal"),
                leg("", "goal", "to_target", accounts="all_with_goal"),
            ),
            "legs.2.accounts",
            "duplicate_account",
        ),
        (
            dataclasses.replace(SWEEP, pay_cycle=PayCycle(day="32")),
            "pay_cycle.day",
            "out_of_range",
        ),
        (
            dataclasses.replace(SWEEP, pay_cycle=PayCycle(trigger=TriggerSpec("api"))),
            "pay_cycle.trigger",
            "not_allowed",
        ),
        (
            dataclasses.replace(
                SWEEP, pay_cycle=PayCycle(trigger=TriggerSpec("interval", minutes=60))
            ),
            "pay_cycle.trigger",
            "out_of_range",
        ),
        (asking(nested(9)), "conditions", "too_deep"),
        (asking(Group("any", (nested(0),) * 51)), "conditions", "too_many"),
        (asking(Group("all", ())), "conditions", "empty"),
        (
            asking(Group("all", (Compare("age", "<", 5),))),
            "conditions.all.0.field",
            "unknown_field",
        ),
        (
            asking(Group("not", (Compare("total", "~", 5, "main", "GBP/2"),))),
            "conditions.not.op",
            "unknown_choice",
        ),
        (
            asking(Compare("total", "<", 5, asset="GBP/2")),
            "conditions.account",
            "missing_account",
        ),
        (
            asking(Compare("amount", "<", 5, "main", "GBP/2")),
            "conditions.account",
            "not_allowed",
        ),
        (asking(Compare("date", "<", 5)), "conditions.value", "invalid"),
        (
            asking(Group("any", (nested(0), Compare("amount", "<", 5, asset="EUR/2")))),
            "conditions.any.1.value",
            "wrong_asset",
        ),
        (
            asking(Compare("total", "<", 5, "main", "EUR/2")),
            "conditions.value",
            "wrong_asset",
        ),
        (
            asking(Compare("total", "<", 5, "elsewhere", "GBP/2")),
            "conditions.account",
            "unknown_account",
        ),
        (
            autosort(leg("b", "bills", "replenish", due=date(2027, 6, 1))),
            "legs.1.due",
            "not_allowed",
        ),
        (autosort(leg("b", "goal", "to_target")), "legs.1.target", "missing_target"),
        (
            autosort(leg("b", "goal", "fixed", amount=5)),
            "legs.1.strategy",
            "unknown_strategy",
        ),
        (
            autosort(leg("b", "priority", "replenish")),
            "legs.1.strategy",
            "unknown_strategy",
        ),
        (
            topup(leg("b", "target", "balance", low=5, target=4, high=9)),
            "legs.1.target",
            "not_in_order",
        ),
        (
            topup(leg("b", "target", "balance", low=5, target=10, high=9)),
            "legs.1.target",
            "not_in_order",
        ),
        (
            topup(leg("b", "target", "balance", target=10, high=9)),
            "legs.1.low",
            "missing_low",
        ),
        (topup(leg("b", "target", "to_target")), "legs.1.target", "missing_target"),
        (
            dataclasses.replace(SWEEP, on_stale="use_floor"),
            "legs.0.floor",
            "missing_floor",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_has_a_field_and_a_code(spec, field, code):
    assert (field, code) in found(spec)


def test_an_amount_that_only_equals_a_whole_number_is_still_refused():
    exact = sweep(leg("a", "source", "fixed", amount=5))
    inexact = sweep(leg("a", "source", "fixed", amount=5.0))

    assert problems(exact, HOUSE) == []
    assert found(inexact) == {("legs.0.amount", "invalid_amount")}


def test_a_rule_names_only_accounts_that_its_owner_may_use():
    foreign = rule("sweep", leg("elsewhere", "source", "all"), TO_B)

    assert found(foreign) == {("legs.0.account", "unknown_account")}


def test_the_money_of_a_rule_is_of_one_asset():
    euros = dataclasses.replace(pot("b"), asset="EUR/2")

    assert found(SWEEP, HOUSE | known(euros)) == {("legs.1.account", "wrong_asset")}


def test_pots_of_different_accounts_are_refused():
    elsewhere = pot("b", inside="other")

    assert found(SWEEP, HOUSE | known(elsewhere)) == {
        ("legs.1.account", "different_parent")
    }


@pytest.mark.parametrize(
    ("account", "facts", "code"),
    [
        ("a", {"can_send": False}, ("legs.0.account", "cannot_send")),
        ("b", {"can_receive": False}, ("legs.1.account", "cannot_receive")),
    ],
)
def test_what_a_provider_cannot_move_is_refused(account, facts, code):
    assert found(SWEEP, HOUSE | known(pot(account, **facts))) == {code}


def test_a_two_way_target_must_also_be_able_to_send():
    spec = topup(leg("b", "target", "balance", low=1, target=2, high=3))

    assert found(spec, HOUSE | known(pot("b", can_send=False))) == {
        ("legs.1.account", "cannot_send")
    }


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0.70", "0.7"),
        ("0.01", "0.01"),
        ("1", "1"),
        ("1.0", "1"),
        ("0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_a_share_is_a_plain_decimal(text, share):
    assert parse_share(text) == Decimal(share)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "50",
            "1e-1",
            " 0.5",
            "0.5 ",
            ".5",
            "0",
            "0.0",
            "-0.5",
            "+0.5",
            "1.1",
            "00.5",
        ),
        *("0,5", "1.", "0.", "", "NaN", "٠.٥", "0.5\n", "0." + "1" * 19, "2", "1%"),
        *(0.5, 1, None, True, Decimal("0.5"), b"0.5"),
    ],
)
def test_anything_else_is_no_share(text):
    with pytest.raises(ShareError):
        parse_share(text)


ODD = (0, 1, 5, LARGEST, LARGEST + 1, -1, True, 1.0, "5", Decimal("0.5"))
VALUES = st.sampled_from([*ODD, Decimal("NaN"), date(2026, 1, 1)])


@given(
    st.sampled_from(sorted(FORMS)),
    st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4),
)
def test_a_leg_that_is_sound_at_first_sight_is_so_looked_at_closely(form, said):
    kind, role, strategy = form
    one = Leg("a", role, strategy=strategy, **said)
    if FORMS[form].is_sound(one):
        assert list(of_leg(kind, one, "legs.0")) == []


def test_legs_that_say_amounts_alone_are_sound_at_first_sight():
    kept = leg("a", "source", "above", keep=1)
    assert FORMS["sweep", "source", "above"].is_sound(kept)
    assert not FORMS["sweep", "source", "above"].is_sound(leg("a", "source", "above"))
