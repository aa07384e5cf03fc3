"""What a person's own browser makes of the pages. Skipped where no Chromium is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import Account, Connection, Discrepancy, Transaction
from automation.models import Rule, RuleRun, Transfer
from tests.admin.conftest import Household, household
from tests.admin.pages import adding, listing, page

from .chromium import Chromium, chromium, find

pytestmark = [
    pytest.mark.skipif(find() is None, reason="no Chromium is installed"),
    pytest.mark.django_db(transaction=True),
]
# Each page is loaded in these, and then turned to the other colours: four looks.
LOOKS = [("light", 1400), ("dark", 390)]
OTHER = {"light": "dark", "dark": "light"}
LISTS = [Account, Connection, Rule, RuleRun, Transfer, Transaction, Discrepancy]
COLOUR = "getComputedStyle(document.getElementById('main')).backgroundColor"


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(running) -> Iterator[Chromium]:
    running.open()
    yield running
    running.leave()


@pytest.fixture
def home() -> Household:
    return household("Home")


@pytest.fixture
def signed_in(browser, live_server, home) -> Chromium:
    person = Client()
    person.force_login(User.objects.create_superuser("root"))
    browser.sign_in(live_server.url, person.cookies["sessionid"].value)
    return browser


def expect_quiet(browser: Chromium, url: str, origin: str) -> None:
    """Visit a page that must complain about nothing and ask nobody else."""
    browser.visit(url)
    expect_no_complaint(browser, url, origin)


def expect_no_complaint(browser: Chromium, url: str, origin: str) -> None:
    foreign = [
        asked for asked in browser.requests if not asked.startswith((origin, "data:"))
    ]
    assert foreign == [], url
    assert browser.failed == [], url
    assert browser.complaints == [], url
    width = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"{url} is {width} pixels too wide"


def expect_quiet_in(
    browser: Chromium, look: tuple[str, int], url: str, origin: str
) -> None:
    """Visit a page in one look, and see it in the other colours, too."""
    scheme, width = look
    browser.dress(scheme, width)
    expect_quiet(browser, url, origin)
    browser.dress(OTHER[scheme], width)
    browser.settle()
    expect_no_complaint(browser, f"{url} turned {OTHER[scheme]}", origin)


@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_quiet_and_fit(look, signed_in, live_server, home):
    rows = [home.main, home.connection, home.rule, home.run, home.transfer, home.sync]

    for path in ["/admin/", *map(page, rows), *map(listing, LISTS), adding(Rule)]:
        expect_quiet_in(signed_in, look, live_server.url + path, live_server.url)


def test_pages_follow_the_taste_of_the_system(signed_in, live_server):
    seen = {}
    for scheme in ("light", "dark"):
        signed_in.dress(scheme, 1400)
        signed_in.visit(f"{live_server.url}/admin/")
        seen[scheme] = signed_in.evaluate(COLOUR)

    assert seen["light"] != seen["dark"]


def test_signing_in_works_under_the_policy(browser, live_server, home):
    User.objects.create_superuser("root", password="a long one, typed")
    expect_quiet(browser, f"{live_server.url}{reverse('admin:login')}", live_server.url)
    browser.loaded = False
    browser.evaluate("document.querySelector('[name=username]').value = 'root'")
    browser.evaluate(
        "document.querySelector('[name=password]').value = 'a long one, typed'"
    )
    browser.evaluate("document.querySelector('button[type=submit]').click()")
    browser.settle()

    assert "Known total" in browser.text_with("Known total")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_can_be_read_and_tried_under_the_policy(scheme, signed_in, live_server):
    signed_in.dress(scheme, 1400)
    expect_quiet(signed_in, live_server.url + reverse("docs"), live_server.url)

    assert "/api/v1/rules/" in signed_in.text_with("/api/v1/rules/")
    assert signed_in.complaints == []


def test_money_never_wraps(signed_in, live_server):
    signed_in.dress("light", 390)
    signed_in.visit(f"{live_server.url}/admin/")

    lines = signed_in.evaluate(
        "[...document.querySelectorAll('.bs-money')].map(m => m.getClientRects().length)"
    )
    assert lines
    assert set(lines) == {1}


def shown_words(browser: Chromium, line: int) -> set[str]:
    """Return which fields of a leg a person can see."""
    script = f"""[...document.querySelectorAll('[data-line=legs]')[{line}]
        .querySelectorAll('[data-word]')].filter(b => !b.hidden).map(b => b.dataset.word)"""
    return set(browser.evaluate(script))


def choose(browser: Chromium, name: str, value: str) -> None:
    browser.evaluate(
        f"""(() => {{ const s = document.querySelector('[name="{name}"]');
        s.value = {value!r}; s.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"""
    )


def test_a_leg_asks_only_for_what_its_strategy_takes(signed_in, live_server):
    signed_in.visit(live_server.url + adding(Rule))
    choose(signed_in, "kind", "sweep")
    choose(signed_in, "legs-0-strategy", "share")
    assert "share" in shown_words(signed_in, 0)
    assert "amount" not in shown_words(signed_in, 0)

    choose(signed_in, "legs-0-strategy", "fixed")
    assert "amount" in shown_words(signed_in, 0)
    assert "share" not in shown_words(signed_in, 0)


def test_a_rule_is_written_with_clicks(signed_in, live_server, home):
    signed_in.visit(live_server.url + adding(Rule))
    choose(signed_in, "name", "By hand")
    choose(signed_in, "kind", "autosort")
    choose(signed_in, "legs-0-account", str(home.main.pk))
    choose(signed_in, "legs-0-role", "source")
    choose(signed_in, "legs-1-account", str(home.bills.pk))
    choose(signed_in, "legs-1-role", "bills")
    choose(signed_in, "legs-1-strategy", "to_target")
    choose(signed_in, "legs-1-target", "800.01")
    signed_in.evaluate("document.querySelector('[data-add=legs]').click()")
    choose(signed_in, "legs-2-account", str(home.unread.pk))
    choose(signed_in, "legs-2-role", "investment")
    choose(signed_in, "legs-2-strategy", "share")
    choose(signed_in, "legs-2-share", "0.5")
    signed_in.loaded = False
    signed_in.evaluate(
        "document.querySelector('#rule-form button[type=submit]').click()"
    )
    signed_in.settle()

    rule = Rule.objects.get(name="By hand")
    legs = {leg.role: leg for leg in rule.legs.all()}
    assert legs["bills"].target == 80_001
    assert str(legs["investment"].share).startswith("0.5")
    assert signed_in.complaints == []


def test_a_double_click_starts_one_run(signed_in, live_server, home, monkeypatch):
    monkeypatch.setattr("accounts.publishing.publish", lambda task, *args: None)
    signed_in.visit(live_server.url + page(home.rule))
    signed_in.loaded = False
    signed_in.evaluate(
        """(() => { const b = document.querySelector('form[action$="/do/run-now/"] button');
        b.click(); b.click(); })()"""
    )
    signed_in.settle()

    assert RuleRun.objects.exclude(pk=home.run.pk).count() == 1
