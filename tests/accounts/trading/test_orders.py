from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.trading import orders
from accounts.trading.words import ABSENT, Most, key_of
from providers.trading import LIVE, STATUSES

from .rows import NOON, an_order, known, minute

MOST = Most()


def met(before, told, **more):
    return orders.meet({key_of(before.order): before}, [told], **more)


def fields(verdict) -> dict[str, tuple[str, str, str]]:
    return {c.field: (c.old, c.new, c.difference) for c in verdict.changes}


def test_order_told_as_it_is_known_is_confirmed():
    before = known(an_order())

    verdict = met(before, before.order)

    assert (verdict.confirmed, verdict.changed, verdict.changes) == (
        [before.id],
        [],
        [],
    )


def test_every_difference_is_told_with_both_sides():
    before = known(an_order())
    told = replace(
        before.order,
        status="partially_filled",
        filled=Decimal("0.5"),
        cost=Decimal("5.25"),
    )

    verdict = met(before, told)

    assert verdict.changed == [(before.id, told)]
    assert fields(verdict) == {
        "status": ("open", "partially_filled", ""),
        "filled": ("0", "0.5", "0.5"),
        "cost": ("", "5.25", ""),
    }


def test_answer_that_tells_less_takes_nothing_away():
    before = known(an_order(cost=Decimal(3), client_id="mine", updated=minute(1)))
    told = replace(
        before.order, cost=None, price=None, client_id="", updated=None, kind=""
    )

    assert met(before, told).confirmed == [before.id]


def test_new_order_is_a_change_only_where_it_should_have_been_known():
    assert orders.meet({}, [an_order()]).changes == []

    verdict = orders.meet({}, [an_order()], recovering=True)

    assert [(c.field, c.old, c.new) for c in verdict.changes] == [("order", "", "open")]


@pytest.mark.parametrize("over", sorted(STATUSES - LIVE))
def test_what_is_over_does_not_open_again_by_an_old_answer(over):
    before = known(an_order(status=over, filled=Decimal(2)))

    verdict = met(before, an_order(status="open"))

    assert (verdict.older, verdict.changed) == ([before.id], [])


def test_provider_may_change_its_mind_by_a_later_answer():
    before = known(an_order(status="cancelled", updated=minute(1)))
    told = an_order(status="open", updated=minute(2))

    assert met(before, told).changed
    assert met(before, replace(told, updated=minute(0))).older == [before.id]


def test_order_that_did_not_exist_may_come_back():
    before = known(an_order(status=ABSENT))

    verdict = met(before, an_order())

    assert fields(verdict) == {"status": (ABSENT, "open", "")}
    assert verdict.changes[0].reason == orders.BACK


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(sorted(STATUSES))), max_size=12
    )
)
def test_fills_never_shrink_whatever_order_answers_come_in(answers):
    before = known(an_order(quantity=Decimal(20)))
    for filled, status in answers:
        told = an_order(quantity=Decimal(20), filled=Decimal(filled), status=status)
        for _, after in met(before, told).changed:
            assert after.filled >= before.order.filled
            assert not (after.status in LIVE and before.order.status not in LIVE)
            before = replace(before, order=after)


def test_four_outcomes_of_a_look_up_differ():
    assert orders.outcome(None) == ABSENT
    assert orders.outcome(an_order(status="partially_filled")) == "open"
    assert orders.outcome(an_order(status="filled")) == "filled"
    for status in ("cancelled", "expired", "rejected"):
        assert orders.outcome(an_order(status=status)) == "cancelled"


def test_only_live_orders_that_no_answer_told_of_are_looked_up():
    rows = [
        known(an_order("seen"), seen_at=minute(5)),
        known(an_order("missing")),
        known(an_order("over", status="filled")),
        known(an_order("absent", status=ABSENT)),
    ]

    assert [k.order.external_id for k in orders.unseen(rows, minute(1))] == ["missing"]


def test_order_that_the_provider_does_not_have_is_absent_not_cancelled():
    before = known(an_order(), absent_at=NOON)

    verdict = orders.conclude([before], 10, MOST)

    assert verdict.absent == [before.id]
    assert [(c.old, c.new, c.severity) for c in verdict.changes] == [
        ("open", ABSENT, "warning")
    ]


@pytest.mark.parametrize(
    ("gone", "of", "believed"),
    [(2, 2, True), (3, 3, False), (3, 6, False), (3, 7, True), (40, 79, False)],
)
def test_most_orders_gone_at_once_are_left_to_a_person(gone, of, believed):
    rows = [known(an_order(f"o{n}")) for n in range(gone)]

    verdict = orders.conclude(rows, of, MOST)

    assert (len(verdict.absent), len(verdict.held_back)) == (
        (gone, 0) if believed else (0, gone)
    )
    assert bool(verdict.changes) == believed
