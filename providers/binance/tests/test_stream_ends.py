"""How a stream begins and ends, what is refused, and what makes no sense."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from providers import errors
from providers.binance import Provider
from providers.sandbox.wire import Answer, Asked

from .line import Line


@pytest.mark.parametrize("happening", ["server_shutdown", "end_subscriptions"])
def test_stream_that_is_ended_is_opened_anew(exchange, line, happening):
    exchange.do(happening, **({"name": "alex"} if "end" in happening else {}))
    line.settle()

    assert line.hung


def test_subscription_that_is_not_confirmed_is_given_up(exchange, adapter):
    exchange.fault("frame_drop")
    line = Line(exchange, adapter, "spot")
    line.wait(11)

    assert line.hung
    assert not line.feed.live


def test_clock_that_is_refused_is_compared_once(exchange, adapter):
    adapter.ahead = timedelta(hours=-1)
    line = Line(exchange, adapter, "spot")
    line.settle()

    assert line.asked[0] == "/api/v3/time"
    assert line.feed.live


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        ({"api_secret": "another"}, errors.AuthenticationFailed),
        ({"api_key": "nobody"}, errors.AuthenticationFailed),
    ],
)
def test_refused_subscription_has_a_name(exchange, alex, credentials, error):
    line = Line(exchange, Provider({**alex.credentials, **credentials}), "spot")

    with pytest.raises(error):
        line.settle()


def test_refusal_for_weight_says_when_to_come_back(exchange, adapter):
    line = Line(exchange, adapter, "spot")
    frame = {
        "id": "subscribe",
        "status": 429,
        "error": {
            "code": -1003,
            "msg": "Too much request weight used.",
            "data": {"retryAfter": exchange.milliseconds() + 9_000},
        },
    }

    with pytest.raises(errors.RateLimited) as raised:
        list(line.feed.heard(json.dumps(frame), line.now))
    assert raised.value.retry_after == 9


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        "{}",
        '{"event": null}',
        '{"event": {"e": 1}}',
        '{"event": {"e": "outboundAccountPosition", "u": 1, "B": [{"a": "BTC"}]}}',
        '{"event": {"e": "outboundAccountPosition", "u": "x", "B": []}}',
        '{"event": {"e": "balanceUpdate", "a": "BTC", "d": 1, "T": 1}}',
        '{"event": {"e": "executionReport", "s": null}}',
        '{"event": {"e": "executionReport", "s": "BTCUSDT", "i": 1}}',
        '{"event": {"e": "x", "e": "y"}}',
    ],
)
def test_frame_that_makes_no_sense_has_a_name(line, text):
    with pytest.raises(errors.UnexpectedResponse):
        line.carry_out(line.feed.heard(text, line.now))


def test_event_that_nobody_knows_yet_is_let_pass(line):
    line.carry_out(line.feed.heard('{"event": {"e": "somethingNew"}}', line.now))
    line.carry_out(line.feed.heard('{"event": {"e": "listStatus"}}', line.now))

    assert line.feed.live


def test_feed_covers_its_own_segment_and_network(adapter):
    spot, futures = (adapter.feed(stream) for stream in ("spot", "futures"))
    test = Provider({"testnet": "yes", "api_key": "k", "api_secret": "s"}).feed("spot")

    assert spot.covers("spot:7:BTC")
    assert not spot.covers("futures:Fz:USDT")
    assert not spot.covers("testnet:spot:7:BTC")
    assert futures.covers("futures:Fz:USDT")
    assert test.covers("testnet:spot:7:BTC")
    assert [f.host for f in (spot, futures, test)] == [
        "stream",
        "futures_stream",
        "testnet_stream",
    ]


def test_pong_that_does_not_come_ends_the_connection(exchange, line):
    exchange.clock.advance(20)
    exchange.beat_all()
    (ping,) = [frame.ping for frame in line.talk.ready()]
    line.talk.pongs.append(ping)
    exchange.clock.advance(20)
    exchange.beat_all()
    assert line.talk.closed is None

    exchange.clock.advance(61)
    exchange.beat_all()
    assert line.talk.closed == 1008


def test_connection_lasts_a_day_and_no_longer(exchange, line):
    exchange.clock.advance(24 * 3600)
    exchange.beat_all()

    assert line.talk.closed == 1001


def test_connections_of_an_address_are_limited(exchange):
    for _ in range(300):
        assert isinstance(exchange.connect(Asked("GET", "/ws-api/v3")), tuple)

    refused = exchange.connect(Asked("GET", "/ws-api/v3"))
    assert isinstance(refused, Answer)
    assert refused.status == 429
    exchange.clock.advance(301)
    assert isinstance(exchange.connect(Asked("GET", "/ws-api/v3")), tuple)


def test_second_subscription_of_one_account_is_refused(exchange, line):
    for text in line.said * 2:
        line.hear(text)
    first, second = (json.loads(frame.text) for frame in line.talk.ready())

    assert [told["error"]["code"] for told in (first, second)] == [-2035] * 2
