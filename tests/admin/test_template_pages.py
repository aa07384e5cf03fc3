"""Templates in the admin: choose, answer, see the plan, make the rule."""

from __future__ import annotations

import pytest
from django.urls import reverse

from automation.models import Rule
from automation.services.templates import TEMPLATES

from .pages import adding, listing, text, typed

LIST = "admin:automation_rule_templates"


def where(slug: str) -> str:
    return reverse("admin:automation_rule_template", args=[slug])


def answers(browser, home, **more) -> dict[str, str]:
    """What the page of bills holds, with its blanks filled."""
    blank = typed(browser.get(where("bills")), "template-form")
    return (
        blank | {"pot": str(home.bills.pk), "target": "800.00", "do": "preview"} | more
    )


def test_every_template_can_be_chosen(owner, home):
    told = text(owner.get(reverse(LIST)))

    for template in TEMPLATES.values():
        assert template.title in told
        assert template.summary in told
    assert reverse(LIST) in owner.get(listing(Rule)).content.decode()


@pytest.mark.parametrize("slug", TEMPLATES)
def test_each_asks_its_questions_with_accounts_that_fit(owner, home, foreign, slug):
    shown = owner.get(where(slug))

    told = text(shown)
    for ask in TEMPLATES[slug].asks:
        assert ask.label in told
    assert "Home main › Home bills" in told
    assert "Elsewhere" not in told
    # There is one account that fits, so it is chosen already.
    assert typed(shown, "template-form")["account"] == str(home.main.pk)


def test_the_plan_is_shown_and_nothing_is_kept(owner, home):
    before = Rule.objects.count()

    told = text(owner.post(where("bills"), answers(owner, home)))

    assert "1 move, £187.50 in all" in told  # 800.00 - 612.50
    assert "nothing was saved" in told
    assert Rule.objects.count() == before


@pytest.mark.parametrize("enabled", [False, True])
def test_the_rule_is_made_as_it_was_previewed(owner, home, enabled):
    more = {"do": "create", "name": "Rent"} | ({"enabled": "on"} if enabled else {})

    answer = owner.post(where("bills"), answers(owner, home, **more), follow=True)

    rule = Rule.objects.get(name="Rent")
    assert (rule.enabled, rule.kind) == (enabled, "topup")
    assert rule.legs.get(role="target").target == 800_00
    assert ("switched on" if enabled else "switched off") in text(answer)


MISTAKES = {
    "no amount": ({"target": ""}, "required"),
    "a word": ({"target": "much"}, "much"),
    "half a penny": ({"target": "1.005"}, "1.005"),
    "below zero": ({"keep": "-5"}, "below 0"),
    "no pot": ({"pot": ""}, "required"),
    "no name": ({"name": ""}, "required"),
    "no such day": ({"day": "31"}, "valid choice"),
}


@pytest.mark.parametrize("case", MISTAKES)
@pytest.mark.parametrize("do", ["preview", "create"])
def test_mistakes_are_said_and_nothing_is_made(owner, home, case, do):
    more, said = MISTAKES[case]
    before = Rule.objects.count()

    shown = owner.post(where("bills"), answers(owner, home, do=do, **more))

    assert shown.status_code == 200
    assert "Nothing was saved" in text(shown)
    assert said in text(shown)
    assert Rule.objects.count() == before


def test_somebody_elses_pot_cannot_be_chosen(owner, home, foreign):
    shown = owner.post(
        where("bills"), answers(owner, home, pot=str(foreign.bills.pk), do="create")
    )

    assert "valid choice" in text(shown)
    assert not Rule.objects.filter(name="Bills").exists()


def test_without_an_account_that_fits_the_page_says_so(owner, home):
    home.workspace.accounts.filter(parent=home.main).update(can_receive=False)
    home.workspace.accounts.update(can_send=False)

    assert "No account fits" in text(owner.get(where("payday")))


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_only_who_may_write_rules_sees_templates(who, request, home):
    browser = request.getfixturevalue(who)

    assert browser.get(reverse(LIST)).status_code == 403
    assert browser.get(where("bills")).status_code == 403
    assert reverse(LIST) not in browser.get(listing(Rule)).content.decode()


def test_there_is_no_other_template(owner, home):
    assert owner.get(where("get-rich")).status_code == 404


def test_the_rule_is_made_in_the_zone_that_is_chosen(owner, home):
    sent = answers(owner, home, do="create", timezone="America/New_York")

    owner.post(where("bills"), sent)

    assert Rule.objects.get(name="Bills").timezone == "America/New_York"


def test_a_zone_that_is_none_is_told_at_its_field(owner, home):
    sent = answers(owner, home, do="create", timezone="Mars/Olympus")

    shown = owner.post(where("bills"), sent)

    assert list(shown.context_data["form"].errors) == ["timezone"]


@pytest.mark.parametrize("form", ["template", "rule"])
def test_the_zone_at_first_is_that_of_the_newest_rule(form, owner, home):
    Rule.objects.update(timezone="Asia/Tokyo")
    url = where("bills") if form == "template" else adding(Rule)

    shown = owner.get(url)

    assert typed(shown, f"{form}-form")["timezone"] == "Asia/Tokyo"
    assert "data-zone-of-browser" not in shown.content.decode()
    Rule.objects.update(archived_at=home.rule.created)
    assert "data-zone-of-browser" in owner.get(url).content.decode()
