from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.admin.inputs import AmountField, SpanField, plain
from automation import services
from automation.models import Rule, RuleLeg, Trigger
from providers.money import Asset, pretty

from .conftest import hold
from .pages import adding, page, text, typed

GBP = Asset("GBP", 2)


def writing(home, **more) -> dict[str, str]:
    """Return what a browser sends for a top-up of £12.34 every Friday."""
    return {
        "workspace": str(home.workspace.pk),
        "name": "Lunch money",
        "kind": "topup",
        "enabled": "on",
        "priority": "100",
        "timezone": "Europe/London",
        "rest": "redistribute",
        "on_stale": "skip",
        "max_staleness_seconds": "300",
        "max_lateness_seconds": "21600",
        "cooldown_seconds": "0",
        "legs-TOTAL_FORMS": "2",
        "legs-INITIAL_FORMS": "2",
        "legs-0-account": str(home.main.pk),
        "legs-0-role": "source",
        "legs-0-keep": "£1,000.50",
        "legs-1-account": str(home.bills.pk),
        "legs-1-role": "target",
        "legs-1-strategy": "fixed",
        "legs-1-amount": "12.34",
        "triggers-TOTAL_FORMS": "1",
        "triggers-INITIAL_FORMS": "1",
        "triggers-0-kind": "weekly",
        "triggers-0-weekday": "5",
        "conditions-TOTAL_FORMS": "0",
        "conditions-INITIAL_FORMS": "0",
        **more,
    }


def test_pounds_become_exact_pence(owner, home):
    answer = owner.post(adding(Rule), writing(home, limit_per_day="0.29"))

    rule = Rule.objects.get(name="Lunch money")
    source, target = rule.legs.order_by("order")
    assert answer.url == page(rule)
    assert (source.keep, target.amount, rule.per_day) == (100_050, 1_234, 29)
    assert rule.asset == "GBP/2"
    assert rule.next_due_at is not None


def test_saving_a_page_untouched_changes_nothing(owner, home):
    shares = [
        {"account": str(home.main.pk), "role": "source", "keep_share": "0.125"},
        {
            "account": str(home.bills.pk),
            "role": "investment",
            "strategy": "share",
            "share": "0.333333333333333333",
            "cap": {"asset": "GBP/2", "minor": "7"},
        },
        {
            "accounts": "all_with_goal",
            "role": "goal",
            "strategy": "to_target",
            "due": "2027-06-01",
        },
    ]
    first = services.write_rule(home.workspace, services.rule_data(home.rule))
    rule = services.write_rule(
        home.workspace,
        {
            "name": "Everything",
            "kind": "autosort",
            "legs": shares,
            "limits": {"per_run": {"asset": "GBP/2", "minor": "99999999999999999"}},
            "round_to": {"asset": "GBP/2", "amount": "0.10"},
            "cooldown_seconds": 60,
            "plan_ttl_seconds": 7200,
            "triggers": [
                {"kind": "monthly", "day": "31", "business_day": "previous"},
                {
                    "kind": "payday",
                    "min_amount": {"asset": "GBP/2", "amount": "1500.00"},
                    "pattern": "ACME",
                    "merchant": "acme",
                },
                {
                    "kind": "interval",
                    "minutes": 90,
                    "anchor": "2026-01-31T09:00:00+00:00",
                },
                {
                    "kind": "balance",
                    "account": str(home.main.pk),
                    "above": {"asset": "GBP/2", "amount": "2.50"},
                    "rearm": {"asset": "GBP/2", "amount": "1.00"},
                },
                {
                    "kind": "after_rule",
                    "rule": str(first.pk),
                    "min_moved": {"asset": "GBP/2", "amount": "5.00"},
                },
                {"kind": "date_range", "start_day": 28, "end_day": 2},
            ],
            "conditions": {
                "not": {
                    "account": str(home.bills.pk),
                    "field": "total",
                    "op": "<",
                    "value": {"asset": "GBP/2", "amount": "-1.00"},
                },
                "else": str(other(home).pk),
            },
            "depends_on": [str(first.pk)],
            "pay_cycle": {"trigger": 0},
            "approval": "always",
            "tolerance": {"asset": "GBP/2", "amount": "1.25"},
            "notice_seconds": 600,
        },
    )
    before = services.rule_data(rule)

    answer = owner.post(page(rule), typed(owner.get(page(rule))))

    assert answer.status_code == 302, marked(answer)
    after = services.rule_data(Rule.objects.get(pk=rule.pk))
    assert in_order(after) == in_order(before)


def test_a_page_that_was_open_switches_no_frozen_rule_on(owner, home):
    shown = typed(owner.get(page(home.rule)))
    Rule.objects.filter(pk=home.rule.pk).update(enabled=False)

    owner.post(page(home.rule), shown | {"name": "Other"})

    home.rule.refresh_from_db()
    assert (home.rule.name, home.rule.enabled) == ("Other", False)


def test_the_switch_of_a_page_still_switches(owner, home):
    for on in (False, True):
        shown = typed(owner.get(page(home.rule)))
        shown.pop("enabled", None)
        owner.post(page(home.rule), shown | ({"enabled": "on"} if on else {}))
        home.rule.refresh_from_db()
        assert home.rule.enabled is on


def other(home) -> Rule:
    return services.write_rule(home.workspace, services.rule_data(home.rule))


def in_order(rule: dict) -> dict:
    """Return a rule with its legs and triggers in an order that says nothing."""
    legs = sorted(
        ({k: v for k, v in leg.items() if k != "order"} for leg in rule["legs"]),
        key=lambda leg: leg.get("account", ""),
    )
    told = {k: v for k, v in rule.items() if k not in ("updated", "next_due_at")}
    return told | {
        "legs": legs,
        "triggers": sorted(rule["triggers"], key=lambda trigger: trigger["kind"]),
    }


REFUSED = [
    ({"legs-1-amount": "12.345"}, "legs-1-amount"),
    ({"legs-1-amount": "1e3"}, "legs-1-amount"),
    ({"legs-1-amount": "-5"}, "legs-1-amount"),
    ({"legs-1-amount": "NaN"}, "legs-1-amount"),
    ({"legs-1-amount": ""}, "legs-1-amount"),
    ({"legs-0-keep_share": "50"}, "legs-0-keep_share"),
    ({"limit_per_day": "ten"}, "limit_per_day"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"triggers-0-weekday": ""}, "triggers-0-weekday"),
    ({"triggers-0-hour": "25"}, "triggers-0-hour"),
    ({"max_staleness_seconds": "901"}, "max_staleness_seconds"),
    ({"max_staleness_seconds": "0 s"}, "max_staleness_seconds"),
    ({"max_lateness_seconds": "59 s"}, "max_lateness_seconds"),
    ({"legs-1-strategy": "share"}, "legs-1-strategy"),
    ({"name": ""}, "name"),
    ({"pay_day": "32"}, "pay_day"),
    ({"pay_trigger": "2"}, "pay_trigger"),
    ({"tolerance": "some"}, "tolerance"),
    ({"depends_on": ["00000000-0000-0000-0000-000000000000"]}, "depends_on"),
    ({"legs-1-account": ""}, "legs-1-account"),
    ({"legs-1-accounts": "all_with_goal"}, "legs-1-accounts"),
]


@pytest.mark.parametrize(("wrong", "field"), REFUSED, ids=lambda case: str(case))
def test_a_mistake_is_told_at_its_field_and_nothing_is_written(
    wrong, field, owner, home
):
    answer = owner.post(adding(Rule), writing(home, **wrong))

    assert answer.status_code == 200
    assert not Rule.objects.filter(name="Lunch money").exists()
    assert field in marked(answer)


def marked(answer) -> set[str]:
    """Return the fields that the page marks as wrong."""
    forms = [
        answer.context_data["form"],
        *answer.context_data["legs"],
        *answer.context_data["triggers"],
        *answer.context_data["conditions"],
    ]
    return {form.add_prefix(name) for form in forms for name in form.errors}


def test_what_was_typed_stays_when_it_is_refused(owner, home):
    answer = owner.post(adding(Rule), writing(home, **{"legs-1-amount": "12.345"}))

    assert typed(answer)["legs-1-amount"] == "12.345"
    assert typed(answer)["name"] == "Lunch money"


def test_a_foreign_account_is_no_choice(owner, home, foreign):
    told = writing(home, **{"legs-1-account": str(foreign.bills.pk)})

    answer = owner.post(adding(Rule), told)

    assert "legs-1-account" in marked(answer)
    assert "Elsewhere" not in answer.content.decode()


def test_a_superuser_cannot_mix_households(superuser, home, foreign):
    told = writing(home, **{"legs-1-account": str(foreign.bills.pk)})

    answer = superuser.post(adding(Rule), told)

    assert "legs-1-account" in marked(answer)
    assert Rule.objects.filter(name="Lunch money").count() == 0


def test_an_account_of_another_asset_is_refused_at_its_leg(owner, home):
    euros = hold(home.connection, "euros", 100, asset="EUR/2", parent=home.main)

    answer = owner.post(
        adding(Rule), writing(home, **{"legs-1-account": str(euros.pk)})
    )

    assert "legs-1-account" in marked(answer)


def test_a_leg_that_is_struck_out_is_gone(owner, home):
    third = {
        "legs-TOTAL_FORMS": "3",
        "legs-2-account": str(home.unread.pk),
        "legs-2-role": "target",
        "legs-2-DELETE": "on",
    }

    owner.post(adding(Rule), writing(home, **third))

    assert Rule.objects.get(name="Lunch money").legs.count() == 2


def test_problems_after_a_struck_leg_are_told_at_the_right_one(owner, home):
    told = writing(
        home,
        **{
            "legs-TOTAL_FORMS": "3",
            "legs-0-DELETE": "on",
            "legs-2-account": str(home.main.pk),
            "legs-2-role": "source",
            "legs-1-amount": "",
        },
    )

    answer = owner.post(adding(Rule), told)

    assert "legs-1-amount" in marked(answer)


def test_legs_keep_the_order_in_which_they_stand(owner, home):
    owner.post(adding(Rule), writing(home))

    rule = Rule.objects.get(name="Lunch money")
    assert [leg.role for leg in rule.legs.all()] == ["source", "target"]


def test_a_rule_without_legs_is_refused(owner, home):
    answer = owner.post(adding(Rule), writing(home, **{"legs-TOTAL_FORMS": "0"}))

    assert answer.status_code == 200
    assert "takes one source" in text(answer)


def test_an_operator_reads_a_rule_and_cannot_write_it(operator, home):
    shown = operator.get(page(home.rule)).content.decode()

    assert "<fieldset disabled>" in shown
    assert "Save the rule" not in shown
    assert operator.post(page(home.rule), writing(home)).status_code == 403


def test_a_choice_of_accounts_shows_what_they_hold(owner, home):
    shown = text(owner.get(adding(Rule)))

    assert "Home main › Home bills · £612.50" in shown
    assert "Home main › Home unread · unknown" in shown


def test_the_page_asks_as_often_for_many_lines(owner, home):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            owner.get(page(home.rule))
        return len(asked)

    before = queries()
    for order in range(5):
        pot = hold(home.connection, f"pot {order}", 100, parent=home.main)
        line = {"role": "target", "strategy": "fixed", "amount": 1}
        RuleLeg.objects.create(rule=home.rule, account=pot, order=10 + order, **line)
        Trigger.objects.create(rule=home.rule, kind="daily", hour=order, minute=0)

    assert queries() <= before


def test_the_page_of_a_rule_shows_when_it_is_due(owner, home):
    home.trigger.refresh_from_db()

    assert f"{home.trigger.next_at:%Y-%m-%d %H:%M:%S}" in text(
        owner.get(page(home.rule))
    )


SPANS = [("90", 90), ("90 s", 90), ("15 min", 900), ("6h", 21_600), ("2 d", 172_800)]


@pytest.mark.parametrize(("said", "seconds"), SPANS)
def test_a_stretch_of_time_is_typed_with_its_unit(said, seconds):
    assert SpanField().clean(said) == seconds


@pytest.mark.parametrize(
    "said", ["6 hours", "-5", "1.5 h", "1 h 30 min", "soon", "٣ h"]
)
def test_a_stretch_of_time_is_never_guessed(said):
    with pytest.raises(ValidationError):
        SpanField().clean(said)


@given(st.integers(0, 10**8))
def test_a_stretch_of_time_shown_to_people_can_be_typed_back(seconds):
    field = SpanField()

    assert field.clean(field.prepare_value(seconds)) == seconds


def test_a_stretch_of_time_may_have_a_least():
    with pytest.raises(ValidationError, match="At least 1 min"):
        SpanField(min_value=60).clean("59 s")


@given(st.integers(-(10**30), 10**30))
def test_an_amount_shown_to_people_can_be_typed_back(minor):
    assert AmountField(asset="GBP/2").clean(pretty(minor, GBP)) == minor


@given(st.text(max_size=12))
def test_typing_never_guesses(typed_text):
    kept = plain(typed_text)

    assert kept == typed_text.strip() or set(typed_text) & set("£$€₦,")
