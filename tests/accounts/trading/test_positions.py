from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from accounts.trading import positions, trades
from accounts.trading.words import Most, key_of

from .rows import FUTURE, a_position, a_trade, held

MOST = Most()


def test_what_the_market_does_to_a_position_is_no_correction():
    before = held(a_position())
    told = replace(before.position, mark_price=Decimal(7), pnl=Decimal(-3))

    verdict = positions.meet({key_of(told): before}, [told])

    assert verdict.changed == [(before.id, told)]
    assert verdict.changes == []


def test_more_of_a_position_is_told_with_the_difference():
    before = held(a_position())
    told = replace(before.position, quantity=Decimal("1.5"))

    [change] = positions.meet({key_of(told): before}, [told]).changes

    assert (change.field, change.old, change.new, change.difference) == (
        "quantity",
        "1",
        "1.5",
        "0.5",
    )


def test_closed_position_opens_again():
    before = held(a_position(), closed=True)

    verdict = positions.meet({key_of(before.position): before}, [before.position])

    assert [pk for pk, _ in verdict.changed] == [before.id]
    assert [c.field for c in verdict.changes] == ["position"]


def test_position_that_is_left_out_is_closed():
    before = held(a_position())

    verdict = positions.settle([before], 1, set(), MOST)

    assert (verdict.closed, verdict.held_back) == ([before.id], [])
    assert verdict.changes[0].severity == "warning"


def test_everything_gone_at_once_is_not_closed():
    rows = [held(a_position(f"p{n}")) for n in range(4)]

    verdict = positions.settle(rows, 4, set(), MOST)

    assert (verdict.closed, verdict.held_back, verdict.changes) == ([], rows, [])


def test_everything_closed_by_trades_is_closed():
    rows = [held(a_position(f"p{n}")) for n in range(4)]

    verdict = positions.settle(rows, 4, {(FUTURE.segment, FUTURE.name)}, MOST)

    assert len(verdict.closed) == 4
    assert {c.severity for c in verdict.changes} == {"info"}


def test_trades_are_new_known_or_told_otherwise_and_never_rewritten():
    ours = a_trade("t1", "buy", "1", "10", pnl=None)
    known = {key_of(ours): ours}
    more = replace(ours, pnl=Decimal(3), pnl_asset="BBB", maker=True)
    other = replace(ours, price=Decimal(11))

    assert trades.sift({}, [ours]).found[0][1] is ours
    assert trades.sift(known, [more]).confirmed == 1
    assert trades.sift(known, [other]).rewritten == [(ours, other)]
    [change] = trades.sift({}, [ours], recovering=True).changes
    assert change.new == "bought 1 AAA at 10 BBB"
