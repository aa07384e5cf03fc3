"""Signed requests: what opens the door, and that nothing else does."""

from __future__ import annotations

import io
import json
import logging
from time import time

import pytest
import redis
import requests
from django.conf import settings as django
from django.db import DatabaseError
from http_message_signatures import HTTPMessageSigner, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

from accounts import services, tasks
from accounts.api import throttling
from accounts.models import Account, Membership, SigningKey, SigningNonce
from accounts.services import signing
from tests.fixtures_api import V1, expect_problem
from tests.fixtures_signing import ORIGIN, digest_of, pen_for, send

ACCOUNTS = f"{V1}/accounts/"
PAUSE = f"{V1}/pause/"


@pytest.fixture(autouse=True)
def nobody_counted(valkey):
    throttling.store.cache_clear()
    throttling.shared.cache_clear()
    throttling.alone.cache_clear()


@pytest.fixture
def pen(world):
    return pen_for(world.mine.workspace, world.admin.user)


def refused(answer) -> None:
    told = expect_problem(answer, 401, "signature_refused")
    assert told["detail"] == "This request is not signed as it must be."
    assert "content-digest" in answer.headers["Accept-Signature"]


def now() -> int:
    return int(time())


def test_signed_request_reads_what_its_user_may_read(world, pen):
    answer = pen.ask("GET", ACCOUNTS)

    assert answer.status_code == 200
    assert {row["id"] for row in answer.json()["results"]} == {
        str(account.pk)
        for account in (world.mine.main, world.mine.pot, world.mine.cash)
    }


def test_signed_request_changes_what_its_user_may_change(world, pen):
    path = f"{ACCOUNTS}{world.mine.main.pk}/"

    assert pen.ask("PATCH", path, {"role": "rent"}).status_code == 200
    assert Account.objects.get(pk=world.mine.main.pk).role == "rent"


def test_query_is_signed_byte_for_byte(pen):
    path = f"{ACCOUNTS}?kind=pot&page_size=5"

    assert pen.ask("GET", path).status_code == 200
    signed = pen.headers("GET", ORIGIN + path)
    for other in ("?page_size=5&kind=pot", "?kind=%70ot&page_size=5", "", "?kind=pot"):
        refused(send("GET", ACCOUNTS + other, headers=signed))


def test_any_client_of_the_standard_gets_in(world, pen):
    """A library signs; the request goes through the same door."""
    body = json.dumps({"role": "rent"}).encode()
    path = f"{ACCOUNTS}{world.mine.main.pk}/"
    asked = requests.Request("PATCH", ORIGIN + path, data=body).prepare()
    key = {pen.id: pen.secret.encode()}
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys=key, private_keys=key),
    )
    signer.sign(
        asked,
        key_id=pen.id,
        nonce="0123456789",
        covered_component_ids=("@method", "@target-uri", "content-digest"),
        body=body,
    )

    answer = send("PATCH", path, body, dict(asked.headers))

    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("name", ["sha-256", "sha-512"])
def test_body_digests_of_both_kinds_are_read(pen, name):
    assert pen.ask("POST", PAUSE, {}, digest=digest_of(b"{}", name)).status_code == 200


def test_every_digest_that_is_told_must_fit(pen):
    good, wrong = digest_of(b"{}"), digest_of(b"{ }", "sha-512")

    refused(pen.ask("POST", PAUSE, {}, digest=f"{good}, {wrong}"))
    refused(pen.ask("POST", PAUSE, {}, digest=digest_of(b"{}", "md5")))
    refused(pen.ask("POST", PAUSE, {}, digest=f"{good}, {good}"))


@pytest.mark.parametrize("left_out", ["@method", "@target-uri", "content-digest"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signature_that_covers_less_is_refused(pen, method, left_out):
    covered = [
        name
        for name in ("@method", "@target-uri", "content-digest")
        if name != left_out
    ]
    path, data = (ACCOUNTS, None) if method == "GET" else (PAUSE, {})

    refused(pen.ask(method, path, data, covered=covered))


@pytest.mark.parametrize("off", [-301, -3600, 302, 3600])
def test_signature_outside_the_window_is_refused(pen, off):
    refused(pen.ask("GET", ACCOUNTS, created=now() + off))


@pytest.mark.parametrize("off", [-298, 0, 298])
def test_signature_within_the_window_is_good(pen, off):
    assert pen.ask("GET", ACCOUNTS, created=now() + off).status_code == 200


def test_signature_that_says_when_it_ends_ends_then(pen):
    assert pen.ask("GET", ACCOUNTS, expires=now() + 60).status_code == 200
    refused(pen.ask("GET", ACCOUNTS, expires=now() - 1))


@pytest.mark.parametrize(
    "how",
    [
        {"alg": "hmac-sha512"},
        {"alg": "none"},
        {"more": ";admin"},
        {"more": ';alg="hmac-sha256";alg="rsa-v1_5-sha256"', "alg": None},
        {"created": 10**15},
        {"more": ";expires=0"},
        {"more": ';expires="later"'},
    ],
    ids=str,
)
def test_odd_parameters_are_refused(pen, how):
    refused(pen.ask("GET", ACCOUNTS, **how))


@pytest.mark.parametrize("nonce", [None, "", "short", "x" * 129, "with space", "é" * 9])
def test_change_without_a_good_nonce_is_refused(pen, nonce):
    refused(pen.ask("POST", PAUSE, {}, nonce=nonce))
    assert not SigningNonce.objects.exists()


def test_reading_needs_no_nonce(pen):
    assert pen.ask("GET", ACCOUNTS, nonce=None).status_code == 200


def test_replay_is_refused_and_changes_nothing(world, pen):
    signed = pen.headers("POST", ORIGIN + PAUSE, b"{}")

    assert send("POST", PAUSE, b"{}", signed).status_code == 200
    world.mine.workspace.refresh_from_db()
    paused = world.mine.workspace.paused_at
    assert paused
    pen.ask("DELETE", PAUSE)
    refused(send("POST", PAUSE, b"{}", signed))
    world.mine.workspace.refresh_from_db()
    assert world.mine.workspace.paused_at is None


def test_nonce_of_one_request_is_none_for_another(pen):
    assert pen.ask("POST", PAUSE, {}, nonce="the-same-one").status_code == 200
    refused(pen.ask("DELETE", PAUSE, nonce="the-same-one"))


def test_nonces_of_two_keys_are_two(world, pen):
    other = pen_for(world.mine.workspace, world.operator.user)

    assert pen.ask("POST", PAUSE, {}, nonce="the-same-one").status_code == 200
    assert other.ask("POST", PAUSE, {}, nonce="the-same-one").status_code == 200


def test_replay_is_refused_after_the_cache_was_emptied(pen, valkey):
    signed = pen.headers("POST", ORIGIN + PAUSE, b"{}")
    assert send("POST", PAUSE, b"{}", signed).status_code == 200

    redis.Redis.from_url(django.REDIS_URL).flushall()

    refused(send("POST", PAUSE, b"{}", signed))


def test_nonce_is_used_up_though_the_effect_failed(pen, world):
    path = f"{ACCOUNTS}{world.theirs.main.pk}/"
    signed = pen.headers("PATCH", ORIGIN + path, b"{}")

    assert send("PATCH", path, b"{}", signed).status_code == 404
    refused(send("PATCH", path, b"{}", signed))


def test_wrong_signature_uses_up_no_nonce(pen):
    good = pen.headers("POST", ORIGIN + PAUSE, b"{}", nonce="taken-by-whom")
    pen.secret = "guessed"

    refused(pen.ask("POST", PAUSE, {}, nonce="taken-by-whom"))

    assert send("POST", PAUSE, b"{}", good).status_code == 200


def test_old_nonces_are_forgotten_and_young_ones_kept(pen, monkeypatch):
    pen.ask("POST", PAUSE, {}, nonce="an-old-nonce")
    SigningNonce.objects.update(created=signing.clock() - SigningNonce.KEPT)
    pen.ask("POST", PAUSE, {}, nonce="a-young-nonce")
    assert SigningNonce.KEPT >= 2 * signing.WINDOW

    tasks.forget_old_answers()

    assert SigningNonce.objects.get().nonce == "a-young-nonce"


def test_revoked_key_is_refused_at_once_and_holds_no_secret(pen):
    assert pen.ask("GET", ACCOUNTS).status_code == 200

    pen.key.revoke()

    refused(pen.ask("GET", ACCOUNTS))
    assert SigningKey.objects.get(pk=pen.key.pk).open_secret() == {}


def test_expired_key_is_refused(pen):
    SigningKey.objects.update(expires_at=signing.clock())

    refused(pen.ask("GET", ACCOUNTS))


def test_key_of_an_inactive_user_is_refused(world, pen):
    world.admin.user.is_active = False
    world.admin.user.save()

    refused(pen.ask("GET", ACCOUNTS))


def test_key_of_somebody_who_left_is_refused(world, pen):
    Membership.objects.filter(user=world.admin.user).delete()

    refused(pen.ask("GET", ACCOUNTS))


def test_key_is_never_more_than_its_user(world, pen):
    path = f"{ACCOUNTS}{world.mine.main.pk}/"
    Membership.objects.filter(user=world.admin.user).update(role="viewer")

    expect_problem(pen.ask("PATCH", path, {"role": "rent"}), 403, "role_needed")


def test_unknown_and_wrong_keys_answer_alike(pen):
    pen.secret = "guessed"
    wrong = pen.ask("GET", ACCOUNTS)
    answers = [wrong]
    for key_id in ("00000000-0000-4000-8000-000000000000", "x", "", pen.id.upper()):
        pen.id = key_id
        answers.append(pen.ask("GET", ACCOUNTS))

    for answer in answers:
        refused(answer)
    assert len({answer.content for answer in answers}) == 1


def test_two_signatures_are_refused(pen):
    one = pen.headers("GET", ORIGIN + ACCOUNTS)
    two = pen.headers("GET", ORIGIN + ACCOUNTS, label="other")
    both = {name: f"{one[name]}, {two[name]}" for name in one}
    both["Content-Digest"] = one["Content-Digest"]

    refused(send("GET", ACCOUNTS, headers=both))


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest"])
def test_doubled_headers_are_refused(pen, name):
    signed = pen.headers("GET", ORIGIN + ACCOUNTS)
    signed[name] = f"{signed[name]}, {signed[name]}"

    refused(send("GET", ACCOUNTS, headers=signed))


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest"])
def test_missing_headers_are_refused(pen, name):
    signed = pen.headers("GET", ORIGIN + ACCOUNTS)
    del signed[name]

    refused(send("GET", ACCOUNTS, headers=signed))


def test_token_and_signature_at_once_are_refused(world, pen):
    token = world.admin._credentials["HTTP_AUTHORIZATION"]
    signed = pen.headers("GET", ORIGIN + ACCOUNTS)

    refused(send("GET", ACCOUNTS, headers={**signed, "Authorization": token}))


def test_bad_signature_is_not_saved_by_a_session(world, pen, client):
    client.force_login(world.admin.user)
    signed = pen.headers("GET", ORIGIN + ACCOUNTS, created=0)

    refused(client.get(ACCOUNTS, headers=signed))


def test_body_beyond_the_limit_is_refused_unread(pen):
    answer = pen.ask("POST", PAUSE, {"x": "y" * 1_000_001})

    expect_problem(answer, 413, "body_too_large")
    assert not SigningNonce.objects.exists()


def test_broken_database_is_no_broken_signature(pen, monkeypatch):
    def broken(*args):
        raise DatabaseError("gone")

    monkeypatch.setattr("accounts.models.signing_key.SigningKeyQuerySet.usable", broken)

    assert pen.ask("GET", ACCOUNTS).status_code == 500


def test_secret_that_cannot_be_opened_is_said_to_be_ours(pen, settings):
    settings.CREDENTIAL_KEYS = ["other:" + "A" * 43 + "="]

    expect_problem(pen.ask("GET", ACCOUNTS), 503, "credentials_unreadable")


def test_use_is_noted_roughly(pen):
    pen.ask("GET", ACCOUNTS)
    first = SigningKey.objects.get(pk=pen.key.pk).last_used_at
    pen.ask("GET", ACCOUNTS)

    assert first is not None
    assert SigningKey.objects.get(pk=pen.key.pk).last_used_at == first


def test_key_has_a_limit_of_its_own(world, pen, monkeypatch):
    monkeypatch.setattr(throttling.CallerRate, "limit", throttling.parse("3/minute"))
    other = pen_for(world.mine.workspace, world.admin.user)
    for _ in range(3):
        assert pen.ask("GET", ACCOUNTS).status_code == 200

    expect_problem(pen.ask("GET", ACCOUNTS), 429, "throttled")
    assert other.ask("GET", ACCOUNTS).status_code == 200
    assert world.admin.get(ACCOUNTS).status_code == 200


def test_refused_signatures_are_counted_by_address(pen, monkeypatch):
    monkeypatch.setattr(throttling.RefusedRate, "limit", throttling.parse("3/minute"))
    for _ in range(3):
        refused(pen.ask("GET", ACCOUNTS, created=0))

    answer = pen.ask("GET", ACCOUNTS, created=0)

    expect_problem(answer, 429, "throttled")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert pen.ask("GET", ACCOUNTS).status_code == 200


def test_no_secret_and_no_signature_reaches_a_log(world, pen):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        good = pen.headers("POST", ORIGIN + PAUSE, b"{}")
        for _ in range(2):
            send("POST", PAUSE, b"{}", good)
        made = pen.ask("POST", f"{V1}/signing-keys/", {"scopes": ["read"]})
        services.rotate_keys()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    said = stream.getvalue()
    assert "A signed request was refused" in said
    for hidden in (pen.secret, made.json()["secret"], good["Signature"][6:-1]):
        assert hidden not in said


def test_secrets_are_sealed_to_their_row(world, pen):
    other = pen_for(world.mine.workspace, world.operator.user)
    stolen = SigningKey.objects.get(pk=pen.id).secret
    assert pen.secret.encode() not in stolen.blob
    SigningKey.objects.filter(pk=other.id).update(secret=stolen.blob)

    other.secret = pen.secret

    expect_problem(other.ask("GET", ACCOUNTS), 503, "credentials_unreadable")
