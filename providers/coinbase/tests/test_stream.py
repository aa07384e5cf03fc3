"""The stream tells of orders; balances are read when one changed, and now and then."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.base import Observation
from providers.coinbase import Provider
from providers.coinbase.orders import streamed
from providers.coinbase.stream import APART, REGULAR, SETTLE
from providers.drivers.streaming import Session
from providers.sandbox import serve
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.streaming import Ask, Hang, Look, Say, Told, Traded
from providers.wire import drive
from tests.fixtures_still import NOW

SECOND = timedelta(seconds=1)


@pytest.fixture
def feed(adapter):
    return adapter.feed(*adapter.streams())


def frame(number, channel="heartbeats", *events):
    told = {"channel": channel, "sequence_num": number, "events": list(events)}
    return json.dumps(told)


def order(**changes):
    about = {
        "order_id": "o1",
        "client_order_id": "mine",
        "product_id": "BTC-GBP",
        "order_side": "BUY",
        "order_type": "Stop Limit",
        "status": "OPEN",
        "cumulative_quantity": "0.25",
        "leaves_quantity": "0.75",
        "creation_time": "2026-01-31T11:00:00.123456Z",
        "limit_price": "48000",
        "filled_value": "12000",
    }
    return about | changes


def of(kind, actions):
    return [action for action in actions if isinstance(action, kind)]


def begun(feed, now=NOW):
    """Bring a feed to where it has subscribed and seen every balance."""
    actions = feed.heard(
        frame(
            0, "subscriptions", {"subscriptions": {"user": ["u"], "heartbeats": ["h"]}}
        ),
        now,
    )
    assert [type(a) for a in actions] == [Look]
    assert not feed.live
    assert of(Told, feed.seen(Observation([]), now, now))
    return feed


def changed(feed, number, now, **changes):
    event = {"type": "update", "orders": [order(**changes)]}
    return feed.heard(frame(number, "user", event), now)


def test_each_channel_is_subscribed_to_with_a_token_of_its_own(bank, feed):
    said = [json.loads(a.text) for a in feed.opened(NOW) if isinstance(a, Say)]

    assert [(s["type"], s["channel"]) for s in said] == [
        ("subscribe", "heartbeats"),
        ("subscribe", "user"),
    ]
    assert {bank.owner_of(s["jwt"], None) for s in said} == {"alex"}


def test_it_is_alive_once_balances_were_read_after_the_subscription(feed):
    assert of(Look, feed.heard(frame(0), NOW)) == []
    assert not feed.live

    fresh = begun(feed)

    assert fresh.live
    assert not fresh.covers("anything")


def test_subscription_that_nobody_confirms_ends_the_connection(feed):
    list(feed.opened(NOW))
    assert feed.heard(frame(0), NOW + 10 * SECOND) == []

    (end,) = feed.heard(frame(1), NOW + 11 * SECOND)

    assert isinstance(end, Hang)


def test_change_of_an_order_is_told_and_soon_looked_at(feed):
    begun(feed)
    later = NOW + 60 * SECOND

    (told,) = changed(feed, 1, later)

    (seen,) = told.orders
    assert (seen.quantity, seen.filled, seen.cost) == (1, Decimal("0.25"), 12000)
    assert (seen.status, seen.kind, seen.price) == (
        "partially_filled",
        "stop_limit",
        48000,
    )
    assert feed.tick(later + SETTLE / 2) == []
    assert of(Look, feed.tick(later + SETTLE))
    assert feed.tick(later + 60 * SECOND) == []


@given(pauses=st.lists(st.integers(0, 3000), min_size=1, max_size=60))
def test_however_orders_change_a_look_follows_each_and_looks_stay_apart(pauses):
    feed = begun(Provider({}).feed("orders"))
    now, looks, changes = NOW, [NOW], []
    for number, pause in enumerate(pauses, start=1):
        for _ in range(pause // 250):  # the line ticks in between
            now += SECOND / 4
            looks += [now] * len(of(Look, feed.tick(now)))
        changes.append(now)
        looks += [now] * len(of(Look, changed(feed, number, now)))
    for _ in range(20):
        now += SECOND / 4
        looks += [now] * len(of(Look, feed.tick(now)))

    for change in changes:
        assert any(change < look <= change + APART + SECOND for look in looks)
    assert all(after - before >= APART for before, after in pairwise(looks))


def test_what_no_order_tells_is_seen_by_a_regular_look(feed):
    begun(feed)

    assert feed.tick(NOW + REGULAR - SECOND) == []
    assert of(Look, feed.tick(NOW + REGULAR))


def test_missing_frame_costs_a_look_and_a_list_of_what_is_open(bank, adapter, feed):
    begun(feed)

    (ask,) = feed.heard(frame(3), NOW + 60 * SECOND)

    assert isinstance(ask, Ask)
    found = drive(ask.call, sender(adapter, bank))
    (told,) = feed.answered(ask.about, found, NOW)
    assert len(told.orders) == 2
    assert of(Look, feed.tick(NOW + 62 * SECOND))


def test_frame_that_comes_late_or_twice_tells_nothing_old(feed):
    begun(feed)
    first = changed(feed, 2, NOW, status="FILLED")
    late = changed(feed, 1, NOW, status="OPEN")
    twice = changed(feed, 2, NOW, status="OPEN")

    assert [o.status for told in of(Traded, first) for o in told.orders] == ["filled"]
    assert of(Traded, [*late, *twice]) == []
    assert of(Look, feed.tick(NOW + APART))
    assert of(Ask, feed.heard(frame(3), NOW)) == []


def test_order_of_a_future_is_looked_at_and_not_guessed(feed):
    begun(feed)

    (told,) = changed(feed, 1, NOW, product_id="BIT-24DEC27-CDE")

    assert told.orders == []
    assert of(Look, feed.tick(NOW + APART))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "[]",
        "{}",
        '{"channel": "user", "sequence_num": 1}',
        '{"channel": "user", "sequence_num": "1", "events": []}',
        '{"channel": "user", "sequence_num": 1, "events": [{}]}',
        frame(1, "user", {"orders": [order(status="MELTED")]}),
        frame(1, "user", {"orders": [order(cumulative_quantity="NaN")]}),
        frame(1, "user", {"orders": [order(product_id=None)]}),
        '{"type": "error", "message": "rate limit"}',
    ],
)
def test_frame_that_makes_no_sense_ends_the_connection(feed, text):
    begun(feed)

    with pytest.raises(errors.UnexpectedResponse):
        feed.heard(text, NOW)


def test_refused_token_waits_for_a_person(feed):
    with pytest.raises(errors.AuthenticationFailed):
        feed.heard('{"type": "error", "message": "authentication failure"}', NOW)


# -- the exchange's side


class Listener:
    """Somebody who speaks with the exchange over a WebSocket, without a socket."""

    def __init__(self, bank):
        self.bank = bank
        self.talk, self.hear = bank.connect(Asked("GET", "/stream"))

    def say(self, **wish):
        self.hear(json.dumps(wish))

    def heard(self):
        return [json.loads(f.text) for f in self.talk.ready() if f.text]


def test_nobody_listens_without_a_token_that_is_good_once(bank, adapter):
    listener = Listener(bank)
    token = adapter.key.token(NOW)
    other = adapter.key.token(NOW, "GET api.coinbase.com/api/v3/brokerage/accounts")

    for wish in (
        {"channel": "user"},
        {"channel": "user", "jwt": "x"},
        {"channel": "user", "jwt": other},
        {"channel": "heartbeats", "jwt": "x"},
    ):
        listener.say(type="subscribe", **wish)
        assert listener.heard() == [
            {"type": "error", "message": "authentication failure"}
        ]
    listener.say(type="subscribe", channel="heartbeats", jwt=token)
    assert listener.heard()[0]["channel"] == "subscriptions"
    listener.say(type="subscribe", channel="user", jwt=token)
    assert listener.heard()[0]["type"] == "error"
    for nonsense in ("", "[]", '{"type": "subscribe", "channel": "balances"}'):
        listener.hear(nonsense)
        assert listener.heard() == [{"type": "error", "message": "invalid message"}]


def test_who_does_not_subscribe_is_let_go_after_five_seconds(bank, adapter):
    silent, other = Listener(bank), Listener(bank)
    other.say(type="subscribe", channel="user", jwt=adapter.key.token(NOW))

    bank.clock.advance(6)
    bank.beat_all()

    assert (silent.talk.closed, other.talk.closed) == (1008, None)


def test_frames_are_counted_over_all_channels_and_only_ones_own_orders_told(
    bank, adapter
):
    listener = Listener(bank)
    for channel in ("heartbeats", "user"):
        listener.say(type="subscribe", channel=channel, jwt=adapter.key.token(NOW))
    for name in ("alex", "bea"):
        if name == "bea":
            bank.add_customers([name])
        bank.do(
            "place_order",
            name=name,
            product="BTC-GBP",
            side="buy",
            size="0.01",
            price="9000",
        )
        bank.beat_all()
        bank.clock.advance(1)

    told = listener.heard()

    assert [f["sequence_num"] for f in told] == list(range(len(told)))
    assert [f["channel"] for f in told] == [
        *("subscriptions", "subscriptions", "user", "user", "heartbeats", "heartbeats"),
    ]
    kinds = [(e["type"], len(e["orders"])) for f in told[2:4] for e in f["events"]]
    assert kinds == [("snapshot", 2), ("update", 1)]


def test_orders_of_the_stream_are_those_of_the_lists(bank, adapter, ask):
    listener = Listener(bank)
    listener.say(type="subscribe", channel="user", jwt=adapter.key.token(NOW))
    (event,) = listener.heard()[-1]["events"]

    listed = {o.external_id: o for o in ask(lambda a: a.open_orders())}

    for row in event["orders"]:
        told, known = streamed(row), listed.pop(row["order_id"])
        for name in ("market", "side", "status", "quantity", "filled", "cost", "price"):
            assert getattr(told, name) == getattr(known, name)
    assert listed == {}


def test_open_orders_of_many_come_in_frames_of_fifty(bank):
    bank.add_customers(["busy"], orders=0)
    for _ in range(101):
        bank.do(
            "place_order",
            name="busy",
            product="BTC-USD",
            side="buy",
            size="1",
            price="9",
        )
    adapter, listener = Provider(bank.credentials("busy")), Listener(bank)

    listener.say(type="subscribe", channel="user", jwt=adapter.key.token(NOW))

    sizes = [len(f["events"][0]["orders"]) for f in listener.heard()[1:]]
    assert sizes == [50, 50, 1]


def wait_until(is_so, what):
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come")


def test_session_holds_the_stream_and_hears_what_an_order_does():
    with serve("coinbase") as box:
        bank = box["coinbase"]
        session = Session(Provider(bank.credentials(), box.hosts("coinbase")), "orders")
        thread = Thread(target=session.run)
        thread.start()
        try:
            wait_until(lambda: session.live, "the stream")
            placed = bank.do(
                "place_order",
                name="alex",
                product="BTC-GBP",
                side="buy",
                size="0.01",
                price="9000",
            )
            found = {}

            def told():
                news = session.take()
                found.update({k[2]: o.status for k, o in news.orders.items()})
                found.update({i: r.held for i, r in news.readings.items()})
                pounds = bank.demo_world().account.external_id
                hold = bank.holds()[pounds]
                return found.get(placed) == "open" and found.get(pounds) == hold

            wait_until(told, "the order, with what it blocks")
        finally:
            session.stop()
            thread.join()
