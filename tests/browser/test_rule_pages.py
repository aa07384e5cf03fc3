"""Templates and replays in a real browser: quiet, and no wider than the screen."""

from __future__ import annotations

import pytest
from django.urls import reverse

from automation.models import Rule

from .chromium import find
from .test_pages import LOOKS, browser, choose, expect_quiet, home, running, signed_in

__all__ = ["browser", "home", "running", "signed_in"]
pytestmark = [
    pytest.mark.skipif(find() is None, reason="no Chromium is installed"),
    pytest.mark.django_db(transaction=True),
]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages_are_quiet_and_fit(scheme, width, signed_in, live_server, home):
    signed_in.dress(scheme, width)
    pages = [
        reverse("admin:automation_rule_templates"),
        reverse("admin:automation_rule_template", args=["payday"]),
        reverse("admin:automation_rule_replay", args=[home.rule.pk]),
    ]

    for path in pages:
        expect_quiet(signed_in, live_server.url + path, live_server.url)


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


def press(page, button: str) -> None:
    page.loaded = False
    page.evaluate(f"document.querySelector('button[value={button}]').click()")
    page.settle()
