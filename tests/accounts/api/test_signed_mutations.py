"""Nothing that a signature covers can be changed, by a bit or by anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accounts import services
from accounts.models import SigningKey, SigningNonce
from accounts.services import signing
from tests.fixtures_api import V1, member
from tests.fixtures_signing import pen_for

VECTORS = json.loads((Path(__file__).parent / "signed_vectors.json").read_text())
METHOD, BODY = "POST", b'{"kind": "manual", "note": "\xc2\xa35"}'
URL = f"http://testserver{V1}/connections/42/sync/?dry=1&x=%20y"
HEADERS = ("Signature", "Signature-Input", "Content-Digest")


@pytest.fixture
def pen(world):
    return pen_for(world.mine.workspace, world.admin.user)


def message(headers, *, method=METHOD, url=URL, body=BODY) -> services.Message:
    return services.Message(method, url, headers, body)


def is_let_in(told: services.Message) -> bool:
    """Say whether a message passes; its nonce is given back, so that it may be changed."""
    try:
        services.verify_signature(told)
    except services.SignatureRefused:
        return False
    SigningNonce.objects.all().delete()
    return True


def one_bit_off(raw: bytes) -> Iterator[bytes]:
    """Yield `raw` with each of its bits turned, one at a time."""
    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def means_the_same(name: str, one: str, other: str) -> bool:
    """Say whether two headers are one to the standard: labels are not signed."""
    return name == "Signature" and decoded(one) == decoded(other)


def decoded(header: str) -> object:
    try:
        parsed = signing.Verifier._parse_signature_dictionary(header)
    except (ValueError, TypeError, signing.HTTPMessageSignaturesException):
        return object()
    return [(label, item.value) for label, item in parsed.items()]


@pytest.mark.parametrize("name", HEADERS)
def test_every_bit_of_every_header_counts(pen, name):
    good = pen.headers(METHOD, URL, BODY)
    assert is_let_in(message(good))

    passed = [
        bent
        for bent in (raw.decode("latin-1") for raw in one_bit_off(good[name].encode()))
        if is_let_in(message(good | {name: bent}))
        and not means_the_same(name, good[name], bent)
    ]

    assert passed == []


def test_every_bit_of_body_method_and_target_counts(pen):
    good = pen.headers(METHOD, URL, BODY)

    for raw in one_bit_off(BODY):
        assert not is_let_in(message(good, body=raw))
    for raw in one_bit_off(METHOD.encode()):
        assert not is_let_in(message(good, method=raw.decode("latin-1")))
    for raw in one_bit_off(URL.encode()):
        assert not is_let_in(message(good, url=raw.decode("latin-1")))


def test_every_bit_of_the_secret_counts(pen):
    for raw in one_bit_off(pen.secret.encode()):
        pen.secret = raw.decode("latin-1")
        assert not is_let_in(message(pen.headers(METHOD, URL, BODY)))


def cut_and_mended(text: str, drawn: tuple[int, int, str]) -> str:
    start, length, put = drawn
    start %= len(text) + 1
    return text[:start] + put + text[start + length :]


# Without a transaction around them: the database ends one in which examples are drawn
# for longer than 10 seconds.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", [*HEADERS, "method", "url", "body"])
@given(drawn=st.tuples(st.integers(0, 400), st.integers(0, 4), st.text(max_size=4)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_change_of_any_kind_gets_in(pen, part, drawn):
    good = pen.headers(METHOD, URL, BODY)
    whole = {"method": METHOD, "url": URL, "body": BODY.decode(), **good}
    bent = cut_and_mended(whole[part], drawn)
    assume(
        bent.strip(" \t") != whole[part] and not means_the_same(part, whole[part], bent)
    )
    if part in HEADERS:
        changed = message(good | {part: bent})
    else:
        raw = bent.encode("utf-8", "surrogatepass") if part == "body" else bent
        changed = message(good, **{part: raw})

    assert not is_let_in(changed)


@pytest.mark.django_db(transaction=True)
@given(st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=80), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_nonsense_is_refused_and_breaks_nothing(pen, nonsense):
    assert not is_let_in(message(pen.headers(METHOD, URL, BODY) | nonsense))


@pytest.mark.django_db
@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda told: told["name"])
def test_vector_is_judged_as_written(vector, world, monkeypatch):
    """Each vector was made with openssl: other clients may try themselves on them."""
    told = VECTORS["key"]
    user = member("vectors", (world.mine.workspace, "admin")).user
    key = SigningKey(
        id=told["id"],
        workspace=world.mine.workspace,
        user=user,
        scopes=["read"],
        slot=1,
    )
    key.secret = {"key": told["secret"]}
    key.save(force_insert=True)
    at = datetime.fromtimestamp(VECTORS["now"], UTC)
    monkeypatch.setattr(signing, "clock", lambda: at)

    asked = services.Message(
        vector["method"], vector["url"], vector["headers"], vector["body"].encode()
    )

    assert is_let_in(asked) == vector["good"]
