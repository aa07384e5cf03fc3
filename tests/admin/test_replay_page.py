"""The replay in the admin: a chart and a table of what would have been."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import BalanceSnapshot
from automation import services
from automation.models import Rule, RuleRun, Transfer

from .pages import listing, page, text, verb

AGO = timedelta(days=10)


def replay(rule) -> str:
    return reverse("admin:automation_rule_replay", args=[rule.pk])


@pytest.fixture
def daily(home):
    """A rule of every morning, and balances of ten days."""
    start = now() - AGO
    for account, amount in ((home.main, 900_00), (home.bills, 0)):
        BalanceSnapshot.objects.create(
            account=account, total=amount, available=amount, as_of=start
        )
    keep = {"asset": "GBP/2", "amount": "500.00"}
    legs = [
        {"account": str(home.main.pk), "role": "source", "strategy": "above"},
        {"account": str(home.bills.pk), "role": "target", "order": 1},
    ]
    legs[0]["keep"] = keep
    return services.write_rule(
        home.workspace,
        {
            "name": "Daily",
            "kind": "sweep",
            "legs": legs,
            "triggers": [{"kind": "daily", "hour": 7}, {"kind": "manual"}],
        },
    )


def test_the_page_shows_what_would_have_moved_and_why_not(viewer, daily):
    shown = viewer.get(replay(daily))

    told = text(shown)
    assert shown.status_code == 200
    assert "Would have moved £400.00" in told
    assert "Home main → Home bills" in told
    assert "has nothing to spare" in told
    assert "Not played: the trigger manual" in told
    svg = shown.content.decode().count("<svg")
    assert svg >= 3  # the moves, and a course for each of two accounts


def test_the_courses_show_both_what_was_and_what_would_have_been(viewer, daily):
    html = viewer.get(replay(daily)).content.decode()

    for line in ("stored", "would"):
        paths = re.findall(rf'class="bs-chart__{line}[^"]*" d="([^"]+)"', html)
        assert len(paths) == 2
        assert all(re.fullmatch(r"(M[\d. -]+|[HV][\d.-]+)+", path) for path in paths)


def test_without_carrying_the_same_money_moves_every_day(viewer, daily):
    today = now().date()
    asked = {"since": today - AGO + timedelta(days=2), "until": today}

    assert "Would have moved £400.00" not in text(viewer.get(replay(daily), asked))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": "2026-01-02", "until": "2026-01-01"}, "forward in time"),
        ({"since": "2020-01-01", "until": "2026-01-01"}, "at most 400 days"),
        ({"since": "soon", "until": "2026-01-01"}, "Enter a valid date"),
        ({"since": "2026-01-01", "until": "9999-12-31"}, "too far away"),
        ({"since": ""}, "required"),
    ],
)
def test_what_cannot_be_replayed_is_said_on_the_page(viewer, daily, asked, said):
    shown = viewer.get(replay(daily), asked)

    assert shown.status_code == 200
    assert said in text(shown)


def test_a_rule_that_is_due_too_often_says_so(viewer, home, daily):
    services.write_rule(
        home.workspace,
        services.rule_data(daily) | {"triggers": [{"kind": "hourly"}]},
        rule=daily,
    )

    assert "choose a shorter stretch" in text(viewer.get(replay(daily)))


def test_looking_at_a_replay_writes_nothing(viewer, daily):
    before = RuleRun.objects.count(), Transfer.objects.count()

    viewer.get(replay(daily))

    assert (RuleRun.objects.count(), Transfer.objects.count()) == before


def test_somebody_elses_rule_has_no_replay(viewer, foreign):
    assert viewer.get(replay(foreign.rule)).status_code == 404


def test_the_button_leads_to_the_page(operator, daily):
    answer = operator.post(verb(daily, "replay"))

    assert answer.headers["Location"] == replay(daily)


def test_whoever_sees_the_rule_finds_its_replay(viewer, daily):
    assert replay(daily) in viewer.get(page(daily)).content.decode()


# -- duplicate


def test_a_copy_is_made_switched_off_and_shown(owner, home):
    answer = owner.post(verb(home.rule, "duplicate"), follow=True)

    copy = home.workspace.rules.exclude(pk=home.rule.pk).get()
    assert (copy.enabled, copy.name) == (False, f"Copy of {home.rule.name}")
    assert answer.redirect_chain[-1][0] == page(copy)
    assert "switched off" in text(answer)


def test_an_operator_makes_no_copies(operator, home):
    assert operator.post(verb(home.rule, "duplicate")).status_code == 403
    assert home.workspace.rules.count() == 1


def test_a_rule_that_is_refused_today_is_not_copied_and_says_why(owner, home):
    home.bills.can_receive = False
    home.bills.save()

    answer = owner.post(verb(home.rule, "duplicate"), follow=True)

    assert "cannot be copied" in text(answer)
    assert home.workspace.rules.count() == 1


# -- many at once


def test_one_rule_that_is_refused_today_does_not_stop_the_others(owner, home, daily):
    """Its weekly neighbour is switched on again; what stays as it is, is said."""
    home.workspace.rules.update(enabled=False)
    home.rule.legs.filter(role="target").update(amount=None)

    answer = owner.post(
        listing(Rule),
        {"action": "enable_chosen", "_selected_action": [home.rule.pk, daily.pk]},
        follow=True,
    )

    assert "stays as it is" in text(answer)
    assert "Enabled." in text(answer)
    home.rule.refresh_from_db()
    daily.refresh_from_db()
    assert (home.rule.enabled, daily.enabled) == (False, True)
