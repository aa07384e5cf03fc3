"""What Binance's refusals mean, and what is done about them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from providers import errors
from providers.base import Place, Trouble
from providers.binance import Provider
from providers.binance.refusals import ClockOff
from providers.money import Asset
from providers.sandbox.wire import Asked
from providers.waiting import BANNED, MARGIN
from providers.wire import Response, drive, query

KEY = {"api_key": "k", "api_secret": "s"}


def refusal(code, status=400, **headers):
    return Response(status, headers, json.dumps({"code": code, "msg": "no"}).encode())


WAF = Response(403, {}, b"<html>")


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(-1000), errors.Unavailable),
        (refusal(-1001), errors.Unavailable),
        (refusal(-1007, 408), errors.Unavailable),
        (refusal(-1007, 504), errors.Unavailable),
        (refusal(-1008, 503), errors.Unavailable),
        (refusal(-1002, 401), errors.ConsentNeeded),
        (refusal(-1022), errors.AuthenticationFailed),
        (refusal(-2014, 401), errors.AuthenticationFailed),
        (refusal(-2015, 401), errors.AuthenticationFailed),
        (refusal(-1003), errors.RateLimited),
        (refusal(-1015, 429), errors.RateLimited),
        (refusal(-1003, 418), errors.RateLimited),
        (refusal(-1121), errors.Refused),
        (refusal(-1127), errors.Refused),
        (refusal(-99_999, 409), errors.Refused),
        (WAF, errors.RateLimited),
        (Response(200, {}, b'{"code": -1121, "msg": "x"}'), errors.UnexpectedResponse),
    ],
)
def test_code_of_a_refusal_has_its_name(response, error):
    with pytest.raises(errors.ProviderError) as raised:
        drive(Provider(KEY).observe(), lambda request: response)

    assert type(raised.value) is error


def test_refusal_says_when_to_come_back():
    with pytest.raises(errors.RateLimited) as raised:
        answer = refusal(-1003, 429, **{"retry-after": "7"})
        drive(Provider(KEY).observe(), lambda request: answer)

    assert raised.value.retry_after == 7


@pytest.mark.parametrize(
    ("response", "trouble"),
    [
        (refusal(-1121), None),
        (refusal(-2015, 401), None),
        (refusal(-1003, 403), Trouble(0.0, category="rate")),
        (Response(502, {}, b""), Trouble()),
        (refusal(-1003, 429), Trouble(0.0, category="rate")),
        (
            refusal(-1003, 429, **{"retry-after": "10"}),
            Trouble(MARGIN * 10, category="rate"),
        ),
        (
            refusal(-1015, 429, **{"retry-after": "10"}),
            Trouble(MARGIN * 10, mine=True, category="rate"),
        ),
        (
            refusal(-1003, 418, **{"retry-after": "300"}),
            Trouble(MARGIN * 300, category="ban"),
        ),
        (refusal(-1003, 418), Trouble(MARGIN * BANNED, category="ban")),
        (WAF, Trouble(MARGIN * BANNED, category="ban")),
    ],
)
def test_bans_hold_everybody_and_a_plain_no_holds_nobody(response, trouble):
    assert Provider(KEY).trouble(response) == trouble


def test_weight_that_is_spent_is_read_from_the_headers():
    provider = Provider(KEY)

    assert provider.used(Response(200, {"x-mbx-used-weight-1m": "321"}, b"")) == 321
    assert provider.used(Response(200, {"x-mbx-used-weight-1m": "much"}, b"")) is None
    assert provider.used(Response(200, {}, b"")) is None


@pytest.mark.parametrize("seconds", [-3600, -6, 6, 86_400])
def test_clock_that_is_off_is_compared_once_and_then_right(exchange, adapter, seconds):
    asked = []

    def send(request):
        asked.append(request.path)
        here = exchange.clock.now() + timedelta(seconds=seconds)
        return delivered(exchange, adapter.sign(request, here, 0))

    assert drive(adapter.observe(), send).complete
    assert asked == [
        "/api/v3/account",
        "/api/v3/time",
        "/api/v3/account",
        "/fapi/v3/balance",
    ]
    assert drive(adapter.observe(), send).complete
    assert asked[4:] == ["/api/v3/account", "/fapi/v3/balance"]


def test_clock_that_is_refused_again_is_given_up(adapter):
    asked = []

    def send(request):
        asked.append(request.path)
        if request.path.endswith("/time"):
            return Response(200, {}, b'{"serverTime": 1}')
        return refusal(-1021)

    with pytest.raises(ClockOff):
        drive(adapter.observe(), send)
    assert asked.count("/api/v3/account") == 2


def delivered(exchange, request):
    """Return the answer to a request that is signed already."""
    low = {k.lower(): v for k, v in request.headers.items()}
    answer = exchange.answer(Asked("GET", request.path, query(request.params), low))
    return Response(answer.status, dict(answer.headers), answer.body)


def test_key_without_futures_leaves_spot_true_and_says_what_is_missing(
    exchange, alex, ask
):
    known = [
        Place(h.external_id, h.kind, asset=Asset.parse(h.asset)) for h in alex.holdings
    ]
    exchange.restrict("alex", ["reading"])

    seen = ask(lambda adapter: adapter.observe(known))

    spot = [r for r in seen.readings if r.kind == "exchange"]
    futures = [r for r in seen.readings if r.kind == "futures"]
    assert not seen.complete
    assert [r.total for r in spot] == [exchange.balance(r.external_id) for r in spot]
    assert [(r.total, r.available, "-2015" in r.error) for r in futures] == [
        (None, None, True)
    ]
