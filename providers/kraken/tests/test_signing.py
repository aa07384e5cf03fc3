"""Signatures are the published one, and errors in answers of 200 have names."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.base import Trouble
from providers.kraken import Provider
from providers.kraken.replies import ERRORS, LOCKOUT, named
from providers.kraken.signing import api_sign
from providers.waiting import MARGIN
from providers.wire import Request, Response
from tests.fixtures_still import NOW

# Published in docs.kraken.com, "Spot REST Authentication".
SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
FIELDS = b"ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
SIGNATURE = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="


def test_request_is_signed_as_published():
    adapter = Provider({"api_key": "k", "api_secret": SECRET})
    request = Request("POST", "/0/private/AddOrder", body=FIELDS)

    signed = adapter.sign(request, NOW, 1616492376594)

    assert signed.body == b"nonce=1616492376594&" + FIELDS
    assert signed.headers["API-Sign"] == SIGNATURE
    assert signed.headers["API-Key"] == "k"


def test_what_is_public_is_not_signed():
    request = Provider({}).public("Assets")

    assert Provider({}).sign(request, NOW, 1) is request


@pytest.mark.parametrize("secret", ["", "not base64!", "AAAAA", "ключ"])
def test_secret_that_cannot_sign_is_an_authentication_failure_or_signs(secret):
    adapter = Provider({"api_key": "k", "api_secret": secret})
    if secret == "":
        assert api_sign(
            "", "/", 1, b""
        )  # empty Base64 is Base64; Kraken will refuse it
        return
    with pytest.raises(errors.AuthenticationFailed):
        adapter.sign(adapter.private("BalanceEx"), NOW, 1)


def answer(*texts):
    return Response(200, {}, json.dumps({"error": list(texts), "result": {}}).encode())


@pytest.mark.parametrize(
    ("text", "error", "trouble"),
    [
        ("EAPI:Invalid key", errors.AuthenticationFailed, None),
        ("EAPI:Invalid signature", errors.AuthenticationFailed, None),
        ("EAuth:Account temporary disabled", errors.AuthenticationFailed, None),
        ("EGeneral:Permission denied", errors.ConsentNeeded, None),
        ("EGeneral:Invalid arguments:ofs", errors.Refused, None),
        ("EAPI:Invalid nonce", errors.Unavailable, None),
        ("EQuery:Unknown asset pair", errors.Refused, None),
        ("EOrder:Insufficient funds", errors.InsufficientFunds, None),
        ("EFunding:No funding method", errors.Refused, None),
        ("EService:Market in cancel_only mode", errors.Unavailable, None),
        ("EService:Unavailable", errors.Unavailable, "down"),
        ("EService:Busy", errors.Unavailable, "down"),
        ("EService:Deadline elapsed", errors.Unavailable, "down"),
        ("EGeneral:Internal error", errors.Unavailable, "down"),
        ("EDatabase:Internal error", errors.Unavailable, "down"),
        ("EAPI:Rate limit exceeded", errors.RateLimited, "rate"),
        ("EGeneral:Too many requests", errors.RateLimited, "rate"),
        ("EService: Throttled: 1700000000", errors.RateLimited, "rate"),
        ("EService:Throttled:1700000000", errors.RateLimited, "rate"),
        ("EGeneral:Temporary lockout", errors.RateLimited, "lockout"),
        ("EUnheard:Of", errors.UnexpectedResponse, None),
    ],
)
def test_each_error_says_what_to_do_and_whom_to_spare(text, error, trouble):
    adapter, response = Provider({}), answer("WGeneral:A warning", text)

    with pytest.raises(error) as raised:
        adapter.understand(adapter.private("BalanceEx"), response, dict)
    found = adapter.trouble(response)

    assert type(raised.value) is error or error is errors.Unavailable
    assert (found.category if found else None) == trouble
    # What is counted for a key concerns nobody else; a lockout is of the address.
    assert found is None or found.mine == (trouble == "rate")


def test_lockout_holds_everybody_for_at_least_its_fifteen_minutes():
    found = Provider({}).trouble(answer("EGeneral:Temporary lockout"))

    assert found == Trouble(MARGIN * LOCKOUT, mine=False, category="lockout")
    assert found.hold >= 900


def test_throttled_says_until_when_but_no_clock_gone_wrong_is_believed():
    later = int(NOW.timestamp()) + 7

    assert named(f"EService:Throttled:{later}", NOW).retry_after == 7
    assert named(f"EService:Throttled:{later + 10**6}", NOW).retry_after == 60
    assert named("EService:Throttled:1", NOW).retry_after == 1
    assert named("EService:Throttled", NOW).retry_after == 10


def test_warnings_alone_are_no_error():
    adapter = Provider({})

    assert adapter.understand(adapter.private("X"), answer("WApi:Old"), dict) == {}
    assert adapter.trouble(answer("WApi:Old")) is None
    assert adapter.trouble(Response(502, {}, b"")) == Trouble()


def test_no_error_of_the_table_hides_a_later_one():
    begins = [begin for begin, _ in ERRORS]

    for number, begin in enumerate(begins):
        assert not any(begin.startswith(earlier) for earlier in begins[:number]), begin
