"""Guessing is stopped, and where a second factor is set up a password is not enough."""

from __future__ import annotations

import re
from base64 import b32decode
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import TOTP

from accounts.api.throttling import LoginRate
from accounts.models import AuthenticatorApp, RecoveryCodes
from tests.fixtures_api import expect_problem

pytestmark = pytest.mark.django_db
RIGHT, WRONG = "correct horse battery", "a guess"
LOGIN, API = "/admin/login/", "/api/v1/auth/login/"
STEP, SETUP = "/admin/second-factor/", "/admin/second-factor/setup/"


@pytest.fixture
def alice(valkey) -> User:
    return User.objects.create_superuser("alice", password=RIGHT)


def type_in(password: str, browser: Client | None = None, **headers: str):
    told = {"username": "alice", "password": password}
    return (browser or Client()).post(LOGIN, told, **headers)


def ask_token(password: str, **more: str):
    told = {"username": "alice", "password": password, **more}
    return Client().post(API, told, content_type="application/json")


def test_guessing_locks_a_name_from_an_address_by_both_ways_until_time_or_a_person(
    alice, settings, monkeypatch
):
    settings.AXES_FAILURE_LIMIT = 4
    monkeypatch.setattr(LoginRate, "allow_request", lambda *_: True)

    assert [type_in(WRONG).status_code for _ in range(2)] == [200, 200]
    expect_problem(ask_token(WRONG), 401, "login_failed")
    expect_problem(ask_token(WRONG), 401, "login_failed")

    expect_problem(ask_token(RIGHT), 429, "locked_out")
    assert int(ask_token(RIGHT)["Retry-After"]) == 15 * 60
    shut = type_in(RIGHT)
    assert shut.status_code == 429
    assert "15 minutes" in shut.content.decode()
    assert type_in(RIGHT, REMOTE_ADDR="10.0.0.9").status_code == 302
    assert WRONG not in str(AccessAttempt.objects.values())

    row = AccessAttempt.objects.latest("pk")
    keeper = Client()
    keeper.force_login(alice)
    assert keeper.get("/admin/axes/accessattempt/").status_code == 200
    told = {
        "action": "unlock",
        "_selected_action": [a.pk for a in AccessAttempt.objects.all()],
    }
    keeper.post("/admin/axes/accessattempt/", told)
    assert ask_token(RIGHT).status_code == 200

    for _ in range(4):
        type_in(WRONG)
    assert type_in(RIGHT).status_code == 429
    # Knocking on prolonged nothing: the last counted failure is what matters.
    past = row.attempt_time - timedelta(minutes=15, seconds=5)
    AccessAttempt.objects.update(attempt_time=past)
    assert type_in(RIGHT).status_code == 302
    type_in(WRONG)
    assert AccessAttempt.objects.get().failures_since_start == 1


def code_of(secret: str, steps: int = 0) -> str:
    """Return what an app shows now, or so many steps later."""
    padded = secret + "=" * (-len(secret) % 8)
    totp = TOTP(b32decode(padded), drift=steps)
    return f"{totp.token():06d}"


def wait() -> None:
    """Let it be as if enough time had passed since a wrong code."""
    for kind in (AuthenticatorApp, RecoveryCodes):
        kind.objects.update(throttling_failure_count=0)


def set_up(browser: Client) -> tuple[str, list[str]]:
    """Set a second factor up; return the secret and the recovery codes."""
    html = browser.get(SETUP).content.decode()
    assert "data:image/svg+xml;base64," in html
    secret = re.search(r'id="second-factor-secret">(\w+)<', html)[1]
    wrong = browser.post(SETUP, {"code": f"{(int(code_of(secret)) + 1) % 10**6:06d}"})
    assert "This code is wrong" in wrong.content.decode()
    assert browser.post(SETUP, {"code": code_of(secret)}).status_code == 200
    wait()  # the right one came too soon after a wrong one
    done = browser.post(SETUP, {"code": code_of(secret)}).content.decode()
    return secret, re.findall(r"<li><code>(\w+)</code></li>", done)


def test_second_factor_is_asked_for_once_it_is_set_up(alice):
    browser = Client()
    assert type_in(RIGHT, browser).status_code == 302
    secret, codes = set_up(browser)
    assert len(set(codes)) == 10
    assert browser.get("/admin/").status_code == 200  # this session is past both steps

    other = Client()
    type_in(RIGHT, other)
    for path in ("/admin/accounts/account/", "/admin/accounts/connection/add/"):
        answer = other.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith(STEP)
    assert other.get(SETUP)["Location"] == STEP
    assert other.get("/api/v1/accounts/").status_code == 401
    assert other.post(STEP, {"code": "x"}).status_code == 200
    assert other.get("/admin/").status_code == 302
    code = {"code": code_of(secret, 1)}
    later = other.post(f"{STEP}?next=//evil.example/", code)
    assert later["Location"] == "/admin/"
    assert other.get("/admin/").status_code == 200
    assert other.get("/api/v1/accounts/").status_code == 200

    again = Client()
    type_in(RIGHT, again)
    assert "used before" in again.post(STEP, code).content.decode()
    wait()
    assert again.post(STEP, {"code": codes[0].upper()}).status_code == 302
    expect_problem(ask_token(RIGHT), 401, "second_factor_needed")
    expect_problem(ask_token(WRONG, code=codes[1]), 401, "login_failed")
    assert ask_token(RIGHT, code=codes[1]).status_code == 200
    expect_problem(ask_token(RIGHT, code=codes[1]), 401, "second_factor_needed")

    AuthenticatorApp.objects.all().delete()  # a superuser, for somebody whose phone is lost
    assert ask_token(RIGHT).status_code == 200


def test_where_it_is_required_nobody_goes_on_without_one(alice, settings):
    settings.SECOND_FACTOR_REQUIRED = True
    browser = Client()
    type_in(RIGHT, browser)

    assert browser.get("/admin/", follow=True).redirect_chain[-1][0].startswith(SETUP)
    expect_problem(ask_token(RIGHT), 401, "second_factor_needed")
    assert Client().get("/admin/")["Location"].startswith(LOGIN)
    _, codes = set_up(browser)
    assert browser.get("/admin/").status_code == 200
    assert browser.post(SETUP, {"code": "nothing"}).status_code == 200
    wait()
    assert AuthenticatorApp.objects.filter(confirmed=True).count() == 1
    assert browser.post(SETUP, {"code": codes[0]}).status_code == 302
    assert AuthenticatorApp.objects.count() == 0
    assert browser.get("/admin/").status_code == 302
