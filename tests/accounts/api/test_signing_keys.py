"""Keys over the API: shown once, two at a time, never more than whoever makes them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts import services
from accounts.models import SigningKey
from accounts.services.signing_keys import TwoKeysLive
from tests.fixtures_api import V1, build_world, expect_problem, fields_of
from tests.fixtures_signing import Pen, pen_for

KEYS = f"{V1}/signing-keys/"


def made(client, **more):
    return client.post(KEYS, {"label": "ledger", "scopes": ["read"]} | more)


def test_secret_is_in_the_answer_that_makes_the_key_alone(world):
    answer = made(world.admin, expires_at="2100-01-01T00:00:00Z")

    told = answer.json()
    assert answer.status_code == 201
    assert (told["user"], told["scopes"], told["state"]) == ("admin", ["read"], "live")
    assert (
        Pen(told["id"], told["secret"]).ask("GET", f"{V1}/accounts/").json()["results"]
    )
    for path in (KEYS, f"{KEYS}{told['id']}/"):
        assert told["secret"] not in world.admin.get(path).content.decode()


def test_deleted_key_is_closed_at_once_and_stays_in_the_list(world):
    told = made(world.admin).json()
    path = f"{KEYS}{told['id']}/"

    for _ in range(2):
        assert world.admin.delete(path).status_code == 204

    refused = Pen(told["id"], told["secret"]).ask("GET", f"{V1}/accounts/")
    expect_problem(refused, 401, "signature_refused")
    assert world.admin.get(path).json()["state"] == "revoked"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["all"]},
        {"scopes": "read"},
        {"scopes": [1]},
        {"expires_at": "tomorrow"},
        {"label": "x" * 101},
        {"secret": "mine"},
    ],
    ids=str,
)
def test_odd_wishes_are_400(world, wrong):
    answer = made(world.admin, **wrong)

    assert next(iter(fields_of(expect_problem(answer, 400)))).startswith(*wrong)


def test_key_that_has_ended_already_is_not_made(world):
    answer = made(world.admin, expires_at="2020-01-01T00:00:00Z")

    expect_problem(answer, 409, "ends_in_the_past")


def test_third_live_key_of_a_label_is_refused(world):
    first = made(world.admin).json()
    assert made(world.admin).status_code == 201

    expect_problem(made(world.admin), 409, "two_keys_live")
    assert made(world.admin, label="other").status_code == 201

    world.admin.delete(f"{KEYS}{first['id']}/")
    assert made(world.admin).status_code == 201


def test_expired_key_makes_room(world):
    for _ in range(2):
        made(world.admin)
    SigningKey.objects.filter(label="ledger").update(expires_at="2020-01-01T00:00Z")

    assert made(world.admin).status_code == 201


def test_key_makes_no_key_with_more_scopes_than_its_own(world):
    pen = pen_for(world.mine.workspace, world.admin.user, ["read", "admin"])

    for scopes, code in ((["run"], 403), (["admin", "sync"], 403), (["read"], 201)):
        assert pen.ask("POST", KEYS, {"scopes": scopes}).status_code == code


@pytest.mark.django_db(transaction=True)
def test_keys_made_at_once_are_two():
    world = build_world()

    def make(_number):
        try:
            services.make_signing_key(world.mine.workspace, world.admin.user, ["read"])
        except TwoKeysLive:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == [False] * 6 + [True] * 2


@pytest.mark.django_db(transaction=True)
def test_request_sent_many_times_at_once_is_let_in_once():
    world = build_world()
    pen = pen_for(world.mine.workspace, world.admin.user)
    signed = services.Message(
        "POST", url := "http://a/b", pen.headers("POST", url), b""
    )

    def send(_number):
        try:
            services.verify_signature(signed)
        except services.SignatureRefused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(16))) == [False] * 15 + [True]
