"""Frames that are lost, late or without sense, and connections that end."""

from __future__ import annotations

import pytest

from providers import errors
from providers.trading import FILLED
from tests.fixtures_still import NOW

from .talking import Line, place, told, truth


@pytest.mark.parametrize("action", ["frame_drop", "frame_reorder"])
def test_gap_is_closed_by_a_new_snapshot_without_a_new_connection(
    exchange, line, action
):
    exchange.fault(action, value="balances", times=1)
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    exchange.do("deposit", name="alex", code="ZEUR", amount="2")
    line.wait(8)

    assert told(line) == truth(exchange)
    assert line.ends == []


def test_frame_that_is_heard_twice_counts_once(exchange, line):
    exchange.fault("frame_duplicate", times=5)
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.pump()

    assert told(line) == truth(exchange)


def test_last_frame_is_missed_when_snapshots_are_compared(exchange, line):
    exchange.fault("frame_drop", value="ledger_id")
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.wait(5)
    assert told(line) != truth(exchange)

    line.wait(40)
    assert told(line) == truth(exchange)


def test_order_whose_end_was_missed_is_looked_up(exchange, line):
    order = place(exchange)
    line.wait(7)
    exchange.fault("frame_drop", value="exec_type", times=2)
    exchange.do("fill_order", order=order)
    line.wait(45)

    assert line.orders[order].status == FILLED
    assert told(line) == truth(exchange)


def test_maintenance_is_told_and_everything_is_read_anew_afterwards(exchange, line):
    exchange.do("maintain")
    line.pump()
    assert not line.feed.live
    assert not line.notes[-1].online

    exchange.do("deposit", name="alex", code="ZUSD", amount="5")
    exchange.do("maintain", mode="online")
    line.wait(7)
    assert line.notes[-1].online
    assert line.feed.live
    assert told(line) == truth(exchange)


@pytest.mark.parametrize("mode", ["cancel_only", "post_only"])
def test_market_that_takes_fewer_orders_leaves_balances_as_true_as_ever(
    exchange, line, mode
):
    exchange.do("maintain", mode=mode)
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.pump()

    assert line.feed.live
    assert told(line) == truth(exchange)


def test_snapshot_that_does_not_come_ends_the_connection(exchange, adapter):
    exchange.fault("frame_drop", value="snapshot", times=4)
    line = Line(exchange, adapter)
    line.wait(4)
    assert line.ends == []
    assert not line.feed.live

    line.wait(10)
    assert line.ends == ["No snapshot came"]
    assert told(line) == truth(exchange)


def test_token_must_be_used_in_time_and_lives_as_long_as_its_subscription(
    exchange, line
):
    exchange.do("expire_tokens")
    exchange.fault("frame_drop", value="ledger_id")
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.wait(8)
    assert (line.ends, told(line)) == ([], truth(exchange))

    late = exchange.connect
    exchange.connect = lambda asked: exchange.do("expire_tokens") or late(asked)
    line.end("test")
    line.connect()
    assert line.ends[-1].endswith("ESession:Invalid session")


def test_key_that_may_not_stream_is_told_so(exchange, line):
    exchange.do("permit", name="alex", permissions=["query-funds"])
    line.end("test")
    line.connect()
    assert line.ends[-1] == "consent_needed"

    exchange.do("permit", name="alex", permissions=["query-funds", "access-ws"])
    line.connect()
    assert (
        line.ends[-1] == "consent_needed"
    )  # it may not see orders, so no holds either


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        "3",
        '{"error": "Malformed request", "success": false}',
        '{"channel": "balances", "type": "update", "data": [{}], "sequence": 2}',
        '{"channel": "balances", "type": "update", "data": [], "sequence": "2"}',
        '{"channel": "balances", "type": "snapshot", "data": [{"asset": "BTC", "balance": NaN}], "sequence": 1}',
        '{"channel": "status", "type": "update", "data": []}',
        '{"channel": "executions", "type": "update", "data": [{"order_id": "O"}], "sequence": true}',
    ],
)
def test_frame_without_sense_ends_the_connection_by_its_name(line, text):
    with pytest.raises(errors.UnexpectedResponse):
        list(line.feed.heard(text, NOW))
