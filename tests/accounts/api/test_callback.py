"""The page that a person's browser comes back to after consent."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.models import AuthorizationRequest
from tests.fixtures_api import V1, bank_slug


@pytest.fixture
def address() -> str:
    return f"/oauth/{bank_slug()}/callback"


@pytest.fixture
def browser(world, client):
    client.force_login(world.admin.user)
    return client


def state_of(world) -> str:
    path = f"{V1}/connections/{world.mine.connection.pk}/authorize/"
    url = world.admin.post(path).json()["url"]
    return parse_qs(urlsplit(url).query)["state"][0]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"error": "access_denied"}, "consent was not given"),
        ({"code": "c"}, "incomplete"),
        ({"state": "s"}, "incomplete"),
        ({"state": "never-given", "code": "c"}, "begin again"),
    ],
)
def test_what_cannot_be_used_is_said_in_words(browser, address, query, said):
    answer = browser.get(address, query)

    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert "Not connected" in answer.content.decode()


def test_page_is_not_kept_and_tells_nobody_where_it_was(browser, address):
    answer = browser.get(address, {"error": "x"})

    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_words_of_the_provider_are_not_repeated(browser, address):
    answer = browser.get(address, {"error": "<script>alert(1)</script>"})

    assert b"<script" not in answer.content


def test_unknown_provider_is_404(browser):
    assert browser.get("/oauth/no-such-bank/callback").status_code == 404


def test_stranger_is_asked_to_sign_in_before_anything_is_used(world, client, address):
    state = state_of(world)

    answer = client.get(address, {"state": state, "code": "c"})

    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]
    assert AuthorizationRequest.objects.get().used_at is None


def test_somebody_else_cannot_finish_my_consent(world, client, address):
    state = state_of(world)
    client.force_login(world.stranger.user)

    assert client.get(address, {"state": state, "code": "c"}).status_code == 400
    assert AuthorizationRequest.objects.get().used_at is None


def test_state_works_once_even_if_the_provider_cannot_be_reached(
    world, browser, address, settings
):
    settings.PROVIDER_URLS = {bank_slug(): "http://127.0.0.1:9"}
    state = state_of(world)

    first = browser.get(address, {"state": state, "code": "c"})
    again = browser.get(address, {"state": state, "code": "c"})

    assert (first.status_code, again.status_code) == (502, 400)


def test_only_get_is_answered(browser, address):
    assert browser.post(address).status_code in (403, 405)
