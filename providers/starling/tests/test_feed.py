"""How the feed is read: what is new, what changed, and what came late."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import errors
from providers.base import Movement, Place
from providers.sandbox.inside import sender
from providers.starling import Provider, client, feed
from providers.starling.feed import MOST, Between, Stretch, windows
from providers.starling.sandbox import Sandbox
from providers.wire import Response, drive
from tests.fixtures_still import NOW
from tests.providers.contract.parties import place

ACCOUNTS = {"accounts": [{"accountUid": "a", "defaultCategory": "c"}]}


def stamp(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(number, made=NOW, changed=None, **more):
    return {
        "feedItemUid": f"i{number}",
        "amount": {"currency": "GBP", "minorUnits": 1},
        "direction": "IN",
        "updatedAt": stamp(changed or made),
        "transactionTime": stamp(made),
        "settlementTime": stamp(made),
        "source": "FASTER_PAYMENTS_IN",
        "status": "SETTLED",
        "counterPartyType": "SENDER",
        **more,
    }


def read(*pages, cursor="", since=NOW - timedelta(days=30), asked=None):
    """Return the history that these pages, newest first, tell."""
    waiting = iter([ACCOUNTS, *({"feedItems": page} for page in pages)])

    def answer(request):
        if asked is not None:
            asked.append((request.path.rpartition("/")[2], dict(request.params)))
        return Response(200, {}, json.dumps(next(waiting)).encode())

    call = Provider({"access_token": "t"}).movements(
        Place("a", "current"), cursor, now=NOW, since=since
    )
    return drive(call, answer)


def test_first_reading_asks_for_a_stretch_and_later_ones_for_changes():
    asked = []
    first = read([row(2), row(1, NOW - timedelta(hours=1))], asked=asked)
    read([], cursor=first.cursor, asked=asked)

    assert [name for name, _ in asked] == [
        "accounts", "transactions-between", "accounts", "c",
    ]  # fmt: skip
    assert [m.external_id for m in first.movements] == ["i1", "i2"]
    assert first.cursor == "i2@2026-01-31T12:00:00.000Z"
    assert asked[3][1] == {"changesSince": "2026-01-31T11:59:59.000Z"}


def test_payment_that_arrives_late_is_not_lost_behind_the_cursor():
    late = row(3, NOW - timedelta(days=5), NOW + timedelta(seconds=5))

    found = read([late, row(2)], cursor="i2@2026-01-31T12:00:00.000Z")

    assert [m.external_id for m in found.movements] == ["i3"]


def test_what_changed_in_the_very_moment_of_the_cursor_is_told_once():
    pages = [row(2), row(1)], [row(3), row(2), row(1)], [row(3), row(2), row(1)]
    told, cursor = [], "i0@2026-01-31T11:00:00.000Z"
    for page in pages:
        found = read(page, cursor=cursor)
        told.append([m.external_id for m in found.movements])
        cursor = found.cursor

    assert told == [["i1", "i2"], ["i3"], []]
    many = read([row(f"{n:08}") for n in range(99)])
    assert len(many.cursor) < 200


def test_cursor_of_long_ago_reads_stretches_again():
    asked = []
    old = row(1, NOW - timedelta(days=390), NOW - timedelta(days=100))
    known = row(0, NOW - timedelta(days=380))
    cursor, since = f"i0@{known['updatedAt']}", NOW - timedelta(days=400)

    found = read([known, old], [], cursor=cursor, since=since, asked=asked)

    assert asked[1][0] == "transactions-between"
    assert [m.external_id for m in found.movements] == ["i1"]


def test_years_are_asked_for_in_stretches_of_less_than_one():
    asked = []
    read([], [], [], since=NOW - timedelta(days=800), asked=asked)

    spans = [
        (datetime.fromisoformat(a[1]), datetime.fromisoformat(b[1]))
        for a, b in (tuple(q.items()) for _, q in asked[1:])
    ]
    assert all(end - start <= timedelta(days=365) for start, end in spans)
    assert spans[0][0] == NOW - timedelta(days=800)
    assert spans[-1][1] > NOW
    assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_answer_that_may_be_cut_short_is_asked_for_in_halves():
    asked = []
    full = [row(n) for n in range(feed.LONG)]

    found = read(full, full[500:], full[:500], asked=asked)

    assert len(found.movements) == feed.LONG
    assert len(asked) == 4
    assert not found.more


def test_too_many_changes_are_read_as_stretches():
    asked = []
    full = [row(n) for n in range(feed.LONG)]

    read(full, [row(7)], cursor="i2@2026-01-31T12:00:00.000Z", asked=asked)

    names = [name for name, _ in asked]
    assert names == ["accounts", "c", "transactions-between"]


def test_one_call_asks_so_often_and_says_that_there_is_more():
    stretch = Stretch("", now=NOW, since=NOW - timedelta(days=30))
    full = feed.read_feed({"feedItems": [row(n) for n in range(feed.LONG)]})
    asked = 0
    while question := stretch.next():
        stretch.take(question, full)
        asked += 1
    history = stretch.history()

    assert asked == MOST
    assert history.more
    assert history.cursor.startswith(">")
    again = Stretch(history.cursor, now=NOW, since=NOW)
    assert isinstance(again.next(), Between)


@pytest.mark.parametrize(
    ("status", "declined", "settled"),
    [
        ("SETTLED", "", True),
        ("REFUNDED", "", True),
        ("PENDING", "", False),
        ("DECLINED", "DECLINED", False),
        ("REVERSED", "REVERSED", False),
    ],
)
def test_status_says_whether_money_moved(status, declined, settled):
    (found,) = read([row(1, status=status)]).movements

    assert (found.declined, bool(found.settled)) == (declined, settled)


@pytest.mark.parametrize(
    "status", ["UPCOMING", "UPCOMING_CANCELLED", "RETRYING", "ACCOUNT_CHECK"]
)
def test_what_has_not_happened_is_no_movement(status):
    assert read([row(1, status=status)]).movements == []


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"currency": "GBP", "minorUnits": "1"}},
        {"amount": {"currency": "GBP", "minorUnits": -1}},
        {"amount": {"currency": "DOGE", "minorUnits": 1}},
        {"amount": 1},
        {"direction": "SIDEWAYS"},
        {"status": "NEWEST_STATUS"},
        {"transactionTime": "2026-01-01"},
        {"updatedAt": "yesterday"},
        {"feedItemUid": 7},
        {"feedItemUid": ""},
    ],
)
def test_item_that_makes_no_sense_spoils_the_answer(change):
    with pytest.raises(errors.UnexpectedResponse):
        read([row(1) | change])


def test_reference_that_people_wrote_is_never_taken_for_ours():
    inside = {"source": "INTERNAL_TRANSFER", "counterPartyType": "CATEGORY"}
    inside |= {"counterPartyUid": "goal"}
    named = [
        row(1, reference="balsync one", **inside),
        row(2, reference="Rent", **inside),
        row(3, reference="balsync two"),
        row(4, **inside),
    ]

    told = {m.external_id: (m.dedupe_id, m.pot) for m in read(named).movements}

    assert told == {
        "i1": ("one", "goal"),
        "i2": ("", "goal"),
        "i3": ("", ""),
        "i4": ("", "goal"),
    }


def test_looking_back_at_too_much_is_unknown(bank, alex, ask):
    for _ in range(5):
        bank.pay(alex.account.external_id, 1)
    ends = place(alex.account), place(alex.pots[0])

    with patch.object(client, "LONG", 5), pytest.raises(errors.OutcomeUnknown):
        ask(lambda a: a.movements_between(*ends, since=bank.clock.now()))


@given(start=st.integers(0, 10**9), days=st.integers(0, 3000))
def test_windows_cover_everything(start, days):
    begin = NOW - timedelta(seconds=start)
    found = windows(begin, begin + timedelta(days=days))

    assert sum((w.end - w.start for w in found), timedelta()) == timedelta(days=days)
    assert all(a.end == b.start for a, b in pairwise(found))


class Diary:
    """Somebody's account, and all that was read of it so far."""

    def __init__(self) -> None:
        self.bank = Sandbox()
        self.bank.slug = "starling"
        self.bank.clock.freeze(NOW)
        self.alex = self.bank.demo_world()
        self.account = place(self.alex.account)
        self.adapter = Provider({"access_token": self.bank.personal_token("alex")})
        self.told: dict[str, Movement] = {}
        self.pending: list[str] = []
        self.cursor = ""

    def read(self, number=0):
        """Read until there is no more."""
        for _ in range(100):
            call = self.adapter.movements(
                self.account,
                self.cursor,
                now=self.bank.clock.now(),
                since=NOW - timedelta(days=100),
            )
            history = drive(call, sender(self.adapter, self.bank))
            self.told |= {m.external_id: m for m in history.movements}
            self.cursor = history.cursor
            if not history.more:
                return
        raise AssertionError("It never comes to an end")

    def pay(self, number):
        self.bank.pay(self.account.external_id, number)

    def late(self, number):
        """Let something arrive only now that was made weeks ago."""
        made = self.bank.clock.now() - timedelta(days=20)
        self.bank.pay(self.account.external_id, number, when=made)

    def spend(self, number):
        spent = self.bank.spend(self.account.external_id, number, pending=True)
        self.pending.append(spent.id)

    def settle(self, number):
        if self.pending:
            self.bank.settle(self.pending.pop(0), amount=number)

    def reverse(self, number):
        if self.pending:
            self.bank.settle(self.pending.pop(0), declined="REVERSED")

    def move(self, number):
        ends = self.account.external_id, self.alex.pots[0].external_id
        self.bank.move(*ends, number)

    def wait(self, number):
        self.bank.clock.advance(number)


events = st.lists(
    st.tuples(
        st.sampled_from(
            ["pay", "late", "spend", "settle", "reverse", "move", "read", "wait"]
        ),
        st.integers(1, 40 * 86400),
    ),
    min_size=5,
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(made=events, long=st.sampled_from([3, 1000]))
def test_readings_one_after_the_other_tell_all_that_is_true_in_the_end(made, long):
    diary = Diary()
    diary.bank.configure(extra={"longest_feed": long})  # the rest is kept silent
    with patch.object(feed, "LONG", long):
        for what, number in made:
            diary.bank.clock.advance(2)
            getattr(diary, what)(number)
        diary.read()

    entries = {
        entry.id: entry
        for entry in diary.bank.movements(diary.account.external_id)
        if entry.moment >= NOW - timedelta(days=100)
    }
    assert diary.told.keys() == entries.keys()
    for id, entry in entries.items():
        found = diary.told[id]
        assert abs(found.amount) == entry.amount
        assert found.declined == entry.declined
        assert bool(found.settled) == (entry.settled and not entry.declined)
