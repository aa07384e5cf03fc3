"""The short way to check a signature never differs from the library's own.

Whatever it lets in the library lets in too, and a request that is written in the usual
way, and is good, is let in by both: only then is the short way any use.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from accounts import services
from accounts.models import SigningNonce
from accounts.services.plain_signing import claim_of, is_signed
from tests.fixtures_signing import COVERED, Pen, digest_of, pen_for

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = int(MOMENT.timestamp())
URL = "http://testserver/api/v1/accounts/"
HEADERS = ("Signature", "Signature-Input", "Content-Digest")
URLS = (URL, URL + "?x=1", URL + "%20", URL.upper(), "https://a.example:8443/x/", "")
DIGESTS = (None, "sha-512", "both", "other body")


@st.composite
def manners(draw) -> dict:
    """Return how a client might sign: mostly as usual, in one thing as few do."""
    usual = {"covered": COVERED, "label": "sig", "created": NOW, "alg": "hmac-sha256"}
    odd = {
        "covered": st.permutations([*COVERED]) | st.just(COVERED[:2]),
        "label": st.sampled_from(["s1", "a", "SIG", "sig-1", "x" * 22, "1sig", "*"]),
        "created": st.sampled_from([NOW - 300, NOW - 301, NOW + 300, NOW + 301, 0, -1]),
        "alg": st.sampled_from([None, "hmac-sha512", "HMAC-SHA256", ""]),
        "nonce": st.sampled_from(
            [None, "short", "a.b_c-d0", "x y", "x" * 129, "ü" * 8]
        ),
        "expires": st.sampled_from([NOW, NOW - 1, NOW + 1]),
        "more": st.sampled_from(
            [";tag=x", ';tag="x"', ";created=1", ";keyid=1", " ", ";"]
        ),
    }
    for name in draw(st.sets(st.sampled_from(sorted(odd)), max_size=2)):
        usual[name] = draw(odd[name])
    return usual


def signed(pen: Pen, method: str, url: str, body: bytes, digest: str | None, how: dict):
    told = {
        None: None,
        "sha-512": digest_of(body, "sha-512"),
        "both": f"{digest_of(body)}, {digest_of(body, 'sha-512')}",
        "other body": digest_of(body + b"x"),
    }[digest]
    return pen.headers(method, url, body, digest=told, **how)


def bent(text: str, where: int, put: str) -> str:
    where %= len(text) + 1
    return text[:where] + put + text[where + 1 :]


def library_lets_in(message: services.Message) -> bool:
    try:
        services.verify_signature(message)
    except services.SignatureRefused:
        return False
    SigningNonce.objects.all().delete()
    return True


def short_way_lets_in(message: services.Message, pen: Pen) -> bool:
    claim = claim_of(message)
    if claim is None or claim.key != pen.id:
        return False
    return is_signed(message, claim, pen.secret.encode())


@pytest.mark.django_db(transaction=True)
def test_short_way_and_library_agree(world):
    pen = pen_for(world.mine.workspace, world.admin.user)
    seen: Counter[tuple[bool, bool]] = Counter()

    @settings(
        max_examples=settings.default.max_examples * 3,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from(["GET", "GET", "GET", "GET", "POST", "get", "DELETE"]),
        st.sampled_from(URLS),
        st.sampled_from([b"", b"{}", b"\xff"]),
        st.sampled_from(DIGESTS) | st.none() | st.none(),
        manners(),
        st.none()
        | st.tuples(st.sampled_from(HEADERS), st.integers(0, 300), st.text(max_size=2)),
        st.none() | st.none() | st.sampled_from(["method", "url", "body"]),
    )
    def agree(method, url, body, digest, how, bend, swap):
        headers = signed(pen, method, url, body, digest, how)
        if bend:
            name, where, put = bend
            headers[name] = bent(headers[name], where, put)
        came = {"method": method, "url": url, "body": body}
        if swap:
            came[swap] = {"method": "PUT", "url": URL + "x", "body": body + b"y"}[swap]
        message = services.Message(headers=headers, **came)

        short, library = short_way_lets_in(message, pen), library_lets_in(message)
        seen[short, library] += 1
        event(f"short {short}, library {library}")
        assert library or not short, message
        usual = (
            not bend
            and not digest
            and message.method == "GET"
            and set(how) == {"covered", "label", "created", "alg"}
        )
        if usual and how["covered"] == COVERED and how["label"] == "sig" and url == URL:
            assert short == library, message

    with time_machine.travel(MOMENT, tick=False):
        agree()
    assert seen[True, True] > 2  # else nothing was agreed on; chance makes it 10 to 40
    assert seen[False, True] > 10
    assert seen[False, False] > 10
    assert seen[True, False] == 0
