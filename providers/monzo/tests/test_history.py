"""How the bank's transactions are read: pages, spans, and what is closed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from providers import errors
from providers.base import Place
from providers.monzo import Provider
from providers.monzo.history import MOST_PAGES, HistoryClosed, Stretch, movement
from providers.monzo.tests.test_answers import answered
from providers.wire import drive
from tests.fixtures_still import NOW


def row(number, created=NOW, **more):
    moment = created.isoformat()
    return {
        "id": f"tx_{number}",
        "amount": 1,
        "currency": "GBP",
        "created": moment,
        "settled": moment,
        **more,
    }


def read(*pages, cursor="", since=NOW - timedelta(days=30), asked=None):
    send = answered(*pages)

    def watch(request):
        if asked is not None:
            asked.append(dict(request.params))
        return send(request)

    call = Provider({"access_token": "t"}).movements(
        Place("acc_1", "current"), cursor, now=NOW, since=since
    )
    return drive(call, watch)


def page(first, count, created=NOW):
    return {"transactions": [row(n, created) for n in range(first, first + count)]}


def test_pages_follow_the_last_id():
    asked = []

    found = read(page(0, 100), page(100, 3), asked=asked)

    assert len(found.movements) == 103
    assert asked[1]["since"] == "tx_99"
    assert not found.more


def test_one_call_reads_a_bounded_number_of_pages_and_says_that_there_is_more():
    found = read(*(page(n * 100, 100) for n in range(MOST_PAGES)))

    assert found.more
    assert found.cursor.startswith(f"tx_{MOST_PAGES * 100 - 1}@")


def test_closed_history_is_asked_for_once_and_then_only_what_is_open():
    asked, closed = [], (403, {"code": "forbidden.verification_required"})

    found = read(closed, page(0, 1), since=NOW - timedelta(days=200), asked=asked)

    assert found.truncated
    assert asked[1]["since"] == "2025-11-03T12:00:00Z"  # 89 days
    assert len(found.movements) == 1


def test_history_that_stays_closed_is_no_auth_loss():
    closed = (403, {"code": "forbidden.verification_required"})

    with pytest.raises(HistoryClosed):
        read(closed, closed, since=NOW - timedelta(days=200))


def test_cursor_that_grew_too_old_is_given_up_for_what_is_open():
    closed = (403, {"code": "forbidden.verification_required"})

    found = read(closed, page(7, 1), cursor="tx_1@2025-09-01T00:00:00Z")

    assert found.truncated
    assert found.cursor.startswith("tx_7@")


def test_years_are_read_in_spans_that_overlap():
    asked, empty = [], {"transactions": []}

    read(empty, empty, page(0, 1), since=NOW - timedelta(days=800), asked=asked)

    spans = [(a["since"], a.get("before")) for a in asked]
    assert spans[-1][1] is None
    for (_, end), (start, _) in pairwise(spans):
        assert start < end
    for start, end in spans:
        length = datetime.fromisoformat(end or NOW.isoformat())
        assert length - datetime.fromisoformat(start) <= timedelta(days=365)


def test_what_is_pending_for_two_weeks_no_longer_holds_the_cursor_back():
    old, young = NOW - timedelta(days=15), NOW - timedelta(days=13)
    rows = [row(1, old, settled=""), row(2, old), row(3, young, settled=""), row(4)]

    assert read({"transactions": rows}).cursor.startswith("tx_2@")


def test_movement_seen_in_two_pages_is_one():
    again = {"transactions": [row(99), row(100)]}

    assert len(read(page(0, 100), again).movements) == 101


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "1"},
        {"amount": 1.0},
        {"currency": "DOGE"},
        {"created": "2026-01-01"},
        {"created": "yesterday"},
        {"settled": None} | {"id": ""},
        {"id": 7},
    ],
)
def test_transaction_that_makes_no_sense_spoils_the_page(change):
    with pytest.raises(errors.UnexpectedResponse):
        read({"transactions": [row(1) | change]})


@pytest.mark.parametrize("merchant", [None, "merch_1", {}, {"name": None}])
def test_merchant_may_be_absent_in_many_ways(merchant):
    assert movement(row(1, merchant=merchant, counterparty={})).merchant == ""


def test_stretch_without_end_asks_without_before():
    stretch = Stretch("acc_1", "", now=NOW, since=NOW)
    request = stretch.next(lambda path, *params: dict(params))

    assert "before" not in request
