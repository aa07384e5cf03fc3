"""Signing in with a name and a password, and out again."""

from __future__ import annotations

import pytest
from knox.models import AuthToken

from accounts.api import throttling
from tests.fixtures_api import V1, expect_problem, fields_of, signed_in

LOGIN = f"{V1}/auth/login/"


@pytest.fixture(autouse=True)
def nobody_counted(valkey):
    throttling.store.cache_clear()
    throttling.shared.cache_clear()
    throttling.alone.cache_clear()


def login(client, name="viewer", password="correct horse"):
    return client.post(LOGIN, {"username": name, "password": password})


def test_token_opens_the_api_and_is_stored_hashed(world):
    anonymous = world.clients["anonymous"]
    told = login(anonymous).json()

    anonymous.credentials(HTTP_AUTHORIZATION=f"Token {told['token']}")
    assert anonymous.get(f"{V1}/accounts/").status_code == 200
    assert not AuthToken.objects.filter(digest=told["token"]).exists()
    assert told["expiry"]


def test_wrong_name_and_wrong_password_answer_alike(world):
    client = world.clients["anonymous"]
    wrong, nobody = login(client, password="x"), login(client, name="nobody")

    expect_problem(wrong, 401, "login_failed")
    assert wrong.content == nobody.content


def test_inactive_users_stay_outside(world):
    user = world.viewer.user
    user.is_active = False
    user.save()

    expect_problem(login(world.clients["anonymous"]), 401, "login_failed")
    expect_problem(world.viewer.get(f"{V1}/accounts/"), 401)


@pytest.mark.parametrize("body", [{}, {"username": 5, "password": ["x"]}])
def test_odd_bodies_are_400(world, body):
    told = expect_problem(world.clients["anonymous"].post(LOGIN, body), 400)

    assert set(fields_of(told)) == {"username", "password"}


def test_eleventh_guess_in_a_minute_is_429_whatever_header_it_forges(world):
    client = world.clients["anonymous"]
    for number in range(10):
        client.credentials(HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")
        expect_problem(login(client, password="x"), 401)

    answer = login(client, password="x")

    expect_problem(answer, 429, "throttled")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    expect_problem(login(client, name="VIEWER"), 429, "throttled")
    assert login(client, name="operator").status_code == 200


def test_guesses_are_counted_while_valkey_is_away(world, settings):
    settings.REDIS_URL = settings.LIMITS_URL = "redis://127.0.0.1:9/0"
    client = world.clients["anonymous"]
    codes = [login(client, password="x").status_code for _ in range(11)]

    assert codes == [401] * 10 + [429]


def test_logout_ends_this_token_only(world):
    other = signed_in(world.viewer.user)

    assert world.viewer.post(f"{V1}/auth/logout/").status_code == 204

    expect_problem(world.viewer.get(f"{V1}/accounts/"), 401)
    assert other.get(f"{V1}/accounts/").status_code == 200


def test_logout_all_ends_every_token(world):
    other = signed_in(world.viewer.user)

    assert other.post(f"{V1}/auth/logout-all/").status_code == 204

    for client in (other, world.viewer):
        expect_problem(client.get(f"{V1}/accounts/"), 401)
    assert world.admin.get(f"{V1}/accounts/").status_code == 200


def test_session_changes_nothing_without_its_csrf_token(world, client):
    client.force_login(world.admin.user)
    client.handler.enforce_csrf_checks = True
    path = f"{V1}/accounts/{world.mine.main.pk}/"

    assert client.get(path).status_code == 200
    answer = client.patch(path, {"name": "x"}, content_type="application/json")
    expect_problem(answer, 403, "permission_denied")


def test_caller_has_a_limit(world, monkeypatch):
    monkeypatch.setattr(throttling.CallerRate, "limit", throttling.parse("3/minute"))
    for _ in range(3):
        assert world.viewer.get(f"{V1}/accounts/").status_code == 200

    expect_problem(world.viewer.get(f"{V1}/accounts/"), 429, "throttled")
    assert world.admin.get(f"{V1}/accounts/").status_code == 200
