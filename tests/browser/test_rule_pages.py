"""Templates and replays in a real browser: quiet, and no wider than the screen."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.admin import show
from accounts.moneyjson import money
from automation import services
from automation.models import Rule

from .chromium import find
from .test_pages import (
    LOOKS,
    browser,
    choose,
    expect_quiet_in,
    home,
    running,
    signed_in,
)

__all__ = ["browser", "home", "running", "signed_in"]
pytestmark = [
    pytest.mark.skipif(find() is None, reason="no Chromium is installed"),
    pytest.mark.django_db(transaction=True),
]


def nested(home) -> Rule:
    """Return the rule of `home` with groups in groups, deeper than the rows go."""
    test = {"field": "amount", "op": ">", "value": money(1, "GBP/2")}
    for how in ("all", "any", "all", "any", "all"):
        test = {how: [test, test]}
    return services.write_rule(
        home.workspace,
        services.rule_data(home.rule) | {"conditions": test},
        rule=home.rule,
    )


@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_quiet_and_fit(look, signed_in, live_server, home):
    pages = [
        reverse("admin:automation_rule_templates"),
        reverse("admin:automation_rule_template", args=["payday"]),
        reverse("admin:automation_rule_replay", args=[home.rule.pk]),
        reverse("admin:automation_rule_simulate", args=[home.rule.pk]),
        show.page(nested(home)),
    ]

    for path in pages:
        expect_quiet_in(signed_in, look, live_server.url + path, live_server.url)


def test_a_rule_is_made_from_a_template_with_clicks(signed_in, live_server, home):
    url = reverse("admin:automation_rule_template", args=["bills"])
    signed_in.visit(live_server.url + url)
    choose(signed_in, "pot", str(home.bills.pk))
    choose(signed_in, "target", "800.00")
    press(signed_in, "preview")
    assert "£187.50" in signed_in.text_with("What it would do now")
    press(signed_in, "create")

    assert "was made" in signed_in.text_with("was made")
    assert Rule.objects.get(name="Bills").legs.get(role="target").target == 800_00
    assert signed_in.complaints == []


def click(page, selector: str) -> None:
    page.evaluate(f"document.querySelectorAll('{selector}')[0].click()")


def test_conditions_are_put_together_with_clicks(signed_in, live_server, home):
    signed_in.visit(live_server.url + show.page(home.rule))
    assert "No conditions" in signed_in.text_with("No conditions")
    click(signed_in, "[data-condition-add=any]")
    click(signed_in, "[data-inside=available]")
    choose(signed_in, "conditions-1-account", str(home.bills.pk))
    choose(signed_in, "conditions-1-value", "12.50")
    click(signed_in, "[data-condition-add=available]")
    choose(signed_in, "conditions-2-what", "date")
    choose(signed_in, "conditions-2-value", "2027-01-31")
    click(signed_in, "[data-inside=any]")  # last, but inside of the first group
    choose(signed_in, "conditions-3-what", "amount")
    choose(signed_in, "conditions-3-op", "<")
    choose(signed_in, "conditions-3-value", "99")
    signed_in.loaded = False
    signed_in.evaluate("document.getElementById('rule-form').requestSubmit()")
    signed_in.settle()

    assert "was saved" in signed_in.text_with("was saved")
    bills = {"account": str(home.bills.pk), "field": "available", "op": ">="}
    assert Rule.objects.get(pk=home.rule.pk).conditions == {
        "all": [
            {
                "any": [
                    bills | {"value": money(1_250, "GBP/2")},
                    {"field": "amount", "op": "<", "value": money(9_900, "GBP/2")},
                ]
            },
            {"field": "date", "op": ">=", "value": "2027-01-31"},
        ],
        "else": "skip",
    }
    assert signed_in.complaints == []


def press(page, button: str) -> None:
    page.loaded = False
    page.evaluate(f"document.querySelector('button[value={button}]').click()")
    page.settle()
