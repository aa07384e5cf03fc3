"""Keys that sign requests, made by people in the admin."""

from __future__ import annotations

import re

import pytest

from accounts.models import Membership, SigningKey
from tests.fixtures_signing import Pen, pen_for

from .conftest import person
from .pages import adding, listing, page, text, verb


def typed(home, **more) -> dict:
    told = {"workspace": str(home.workspace.pk), "label": "ledger", "days": ""}
    return told | {"scopes": ["read", "sync"]} | more


def shown(answer) -> Pen:
    """Return the key that a page shows, as a person copies it."""
    html = answer.content.decode()
    key_id, secret = (
        re.search(rf'id="key-{name}">([^<]+)<', html)[1] for name in ("id", "secret")
    )
    return Pen(key_id, secret)


@pytest.fixture
def pen(home, owner):
    return pen_for(home.workspace, owner.user, ["read"], label="ledger")


def test_made_key_opens_the_api_and_shows_its_secret_once(owner, home):
    answer = owner.post(adding(SigningKey), typed(home))

    pen = shown(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    key = SigningKey.objects.get()
    assert (key.user, key.scopes) == (owner.user, ["read", "sync"])
    assert pen.ask("GET", "/api/v1/accounts/").json()["results"]
    for where in (page(key), listing(SigningKey), "/admin/"):
        assert pen.secret not in owner.get(where).content.decode()
    assert pen.secret not in str(owner.cookies) + str(dict(owner.session))


@pytest.mark.parametrize(
    "wrong", [{"scopes": []}, {"scopes": ["all"]}, {"days": "0"}, {"workspace": ""}]
)
def test_odd_wishes_make_no_key(owner, home, wrong):
    assert owner.post(adding(SigningKey), typed(home, **wrong)).status_code == 200
    assert not SigningKey.objects.exists()


def test_key_that_ends_says_when(owner, home):
    owner.post(adding(SigningKey), typed(home, days="30"))

    key = SigningKey.objects.get()
    assert 29 <= (key.expires_at - key.created).days <= 30
    assert "in 29 d" in text(owner.get(page(key)))


def test_rotated_key_has_a_successor_and_lives_on(owner, pen):
    successor = shown(owner.post(verb(pen.key, "rotate")))

    assert successor.secret != pen.secret
    for one in (pen, successor):
        assert one.ask("GET", "/api/v1/accounts/").status_code == 200
    assert SigningKey.objects.get(pk=successor.id).scopes == ["read"]


def test_third_live_key_is_refused_in_words(owner, home, pen):
    owner.post(verb(pen.key, "rotate"))

    third = owner.post(verb(pen.key, "rotate"), follow=True)
    added = owner.post(adding(SigningKey), typed(home))

    for answer in (third, added):
        assert "Two keys with this label are live" in text(answer)
    assert SigningKey.objects.count() == 2


def test_revoked_key_ends_at_once(owner, pen):
    owner.post(verb(pen.key, "revoke"))

    assert pen.ask("GET", "/api/v1/accounts/").status_code == 401
    assert "revoked" in text(owner.get(page(pen.key)))
    assert "/do/" not in owner.get(page(pen.key)).content.decode()


def test_other_admins_may_revoke_a_key_and_never_rotate_it(home, pen):
    other = person("partner", home, Membership.Role.ADMIN)

    answer = other.post(verb(pen.key, "rotate"), follow=True)

    assert "Only the person that a key acts for" in text(answer)
    assert SigningKey.objects.count() == 1
    other.post(verb(pen.key, "revoke"))
    assert pen.ask("GET", "/api/v1/accounts/").status_code == 401


@pytest.mark.parametrize("who", ["operator", "viewer"])
def test_keys_are_for_admins(who, request, home, pen):
    browser = request.getfixturevalue(who)

    for where in (listing(SigningKey), page(pen.key), adding(SigningKey)):
        assert browser.get(where).status_code in (302, 403), where
    assert browser.post(adding(SigningKey), typed(home)).status_code == 403
    assert browser.post(verb(pen.key, "revoke")).status_code in (403, 404)
    assert "Signing keys" not in text(browser.get("/admin/"))
    assert SigningKey.objects.get().state == "live"


def test_keys_of_other_households_do_not_exist(owner, foreign):
    stranger = person("stranger", foreign, Membership.Role.ADMIN)
    pen = pen_for(foreign.workspace, stranger.user, ["read"])

    assert owner.post(verb(pen.key, "revoke")).status_code == 404
    assert "stranger" not in owner.get(listing(SigningKey)).content.decode()
    # Nobody makes a key for a place where they are no admin.
    assert owner.post(adding(SigningKey), typed(foreign)).status_code == 200
    assert SigningKey.objects.count() == 1


def test_superuser_makes_no_key_where_they_are_no_member(superuser, home):
    assert superuser.post(adding(SigningKey), typed(home)).status_code == 200
    assert not SigningKey.objects.exists()
