"""What a sync keeps of orders, trades and positions, and what it concludes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db import connection as database
from django.utils.timezone import now

from accounts import services, tasks
from accounts.models import (
    BookCursor,
    Correction,
    Order,
    Position,
    QuarantinedReading,
    SyncRun,
    Trade,
)
from accounts.services.instant.answering import row_answer
from providers.errors import AuthenticationFailed, RateLimited, Refused, Unavailable
from providers.trading import Market

from .exchange import history
from .rows import a_position, a_trade, an_order

pytestmark = pytest.mark.django_db
HERE = Market("A00Q", "A00", "Q")


def read(connection, kind: str = "manual") -> SyncRun:
    """Sync here and now, waiting for nobody."""
    [run] = services.sync([connection], kind)
    return services.see_through(run, sleep=lambda seconds: hurry())


def hurry() -> None:
    SyncRun.objects.filter(status="running").update(resume_at=now())


def wipe() -> None:
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL balsync.retention = 'on'")
        cursor.execute("DELETE FROM accounts_gain; DELETE FROM accounts_trade")
        cursor.execute("DELETE FROM accounts_order; DELETE FROM accounts_position")


OURS = {"id", "recorded_at", "seen_at", "created_here"}


def rows() -> dict[str, list[dict]]:
    """Return all that is known, without what we only noted ourselves."""
    told = {}
    for model in (Order, Trade, Position):
        ours = OURS | ({"created"} if model is Position else set())
        told[model.__name__] = [
            {k: v for k, v in row.items() if k not in ours}
            for row in model.objects.order_by("market", "external_id").values()
        ]
    return told


def recent(name: str, **more):
    return an_order(name, market=HERE, created=now() - timedelta(days=1), **more)


def test_first_sync_keeps_everything_as_it_is_told(connection, bourse):
    bourse.orders, bourse.trades = history(3, 250, 30)
    bourse.balances |= {"A01/8": 1, "A02/8": 1}
    bourse.positions = [a_position(mark_price=Decimal("1E-18"), pnl=Decimal("-3.50"))]

    run = read(connection)

    assert (run.status, run.error) == ("ok", "")
    assert Order.objects.count() == 30
    assert Trade.objects.count() == 250
    assert {t.external_id: t.cost for t in Trade.objects.all()} == {
        t.external_id: t.cost for t in bourse.trades
    }
    position = Position.objects.get(derived=False)
    assert (position.mark_price, position.pnl) == (Decimal("1E-18"), Decimal("-3.5"))
    assert not Correction.objects.exists()
    assert (run.progress["trades"], run.progress["found"]) == (250, 281)


def test_next_sync_asks_for_what_is_new_only(connection, bourse):
    bourse.orders, bourse.trades = history(1, 150, 0)
    read(connection)
    bourse.calls.clear()
    new = a_trade("new", "buy", "1", "1", market=HERE, created=now())
    bourse.trades.append(new)

    read(connection)

    assert [c for c in bourse.calls if c.startswith("trades")] == ["trades A00Q 150"]
    assert Trade.objects.filter(external_id="new").exists()


def test_periodic_sync_reads_trading_at_its_own_pace(connection, bourse):
    bourse.orders, bourse.trades = history(1, 5, 5)
    assert read(connection, "periodic").progress is not None
    connection.refresh_from_db()

    assert services.sync([connection], "periodic")[0].status == "ok"
    connection.trading_read_at -= timedelta(seconds=1801)
    connection.save()
    bourse.calls.clear()
    assert read(connection, "periodic").progress is not None

    assert not [c for c in bourse.calls if c.startswith("orders")]
    assert "open_orders" in bourse.calls


def test_rules_do_not_wait_for_orders_and_trades(connection, bourse):
    assert services.sync([connection], "pre_automation")[0].status == "ok"
    assert bourse.calls == ["observe"]


def test_missing_order_is_looked_up_and_each_outcome_is_its_own(connection, bourse):
    names = ["filled", "cancelled", "absent", "failing", *"abcd"]
    bourse.orders = [recent(name) for name in names]
    read(connection)
    bourse.replace(replace(bourse.order("filled"), status="filled", filled=Decimal(2)))
    bourse.replace(replace(bourse.order("cancelled"), status="cancelled"))
    bourse.orders = [
        o for o in bourse.orders if o.external_id not in ("absent", "failing")
    ]
    failed = Unavailable("Nobody answers")
    bourse.failing = lambda what: failed if what == "find_order failing" else None

    run = read(connection, "periodic")

    states = dict(Order.objects.values_list("external_id", "status"))
    assert {n: states[n] for n in names[:4]} == {
        "filled": "filled",
        "cancelled": "cancelled",
        "absent": "absent",
        "failing": "open",
    }
    assert set(states.values()) == {"filled", "cancelled", "absent", "open"}
    doubted = Order.objects.get(external_id="failing")
    assert "Nobody answers" in doubted.doubt
    assert (run.status, run.error_code) == ("partial", "unavailable")
    changes = Correction.objects.filter(field="status")
    assert {c.subject.split()[1]: c.new for c in changes} == {
        n: states[n] for n in names[:3]
    }


def again(connection) -> None:
    """Let the next periodic sync read trading."""
    connection.trading_read_at = None
    connection.save(update_fields=["trading_read_at"])


def test_look_up_that_failed_is_tried_again(connection, bourse):
    bourse.orders = [recent("one"), recent("two")]
    read(connection)
    bourse.replace(replace(bourse.order("one"), status="cancelled"))
    bourse.failing = lambda what: Refused("No") if what.startswith("find") else None
    read(connection, "periodic")
    assert Order.objects.get(external_id="one").doubt

    bourse.failing = lambda what: None
    again(connection)
    read(connection, "periodic")

    order = Order.objects.get(external_id="one")
    assert (order.status, order.doubt) == ("cancelled", "")


def test_nothing_is_concluded_where_open_orders_could_not_be_told(connection, bourse):
    bourse.orders = [recent("one")]
    read(connection)
    bourse.orders.clear()
    bourse.failing = lambda what: Refused("No") if what == "open_orders" else None

    run = read(connection)

    assert Order.objects.get().status == "open"
    assert run.status == "partial"
    assert not [c for c in bourse.calls if c.startswith("find")]


def reset(bourse) -> None:
    """Let a testnet begin anew: nobody remembers anything."""
    bourse.orders, bourse.trades, bourse.positions = [], [], []


def test_reset_of_a_testnet_is_not_taken_for_the_end_of_everything(connection, bourse):
    bourse.orders = [recent(f"o{n}") for n in range(5)]
    bourse.positions = [a_position(f"p{n}") for n in range(4)]
    read(connection)
    reset(bourse)

    run = read(connection)

    assert set(Order.objects.values_list("status", flat=True)) == {"open"}
    assert not Position.objects.exclude(closed_at=None).exists()
    assert run.status == "partial"
    found = {q.external_id: q for q in QuarantinedReading.objects.waiting()}
    assert set(found) == {"trading:orders", "trading:positions"}
    assert len(found["trading:orders"].raw["ids"]) == 5
    assert "gone at once" in Order.objects.first().doubt


def test_person_may_believe_that_everything_is_gone(connection, bourse):
    test_reset_of_a_testnet_is_not_taken_for_the_end_of_everything(connection, bourse)
    alice = User.objects.create(username="alice")

    for row in QuarantinedReading.objects.waiting():
        services.accept_reading(row, user=alice, reason="It was reset")

    assert set(Order.objects.values_list("status", flat=True)) == {"absent"}
    assert not Position.objects.open().exists()
    assert (
        Correction.objects.filter(reason__contains="alice: It was reset").count() == 9
    )
    again(connection)
    assert read(connection).status == "ok"


def test_what_comes_back_leaves_quarantine(connection, bourse):
    bourse.orders = [recent(f"o{n}") for n in range(5)]
    bourse.positions = [a_position(f"p{n}") for n in range(4)]
    there = bourse.orders, bourse.positions
    read(connection)
    reset(bourse)
    read(connection)
    bourse.orders, bourse.positions = there

    assert read(connection).status == "ok"

    assert not QuarantinedReading.objects.waiting().exists()
    assert not Order.objects.exclude(doubt="").exists()


def test_positions_closed_by_trades_are_closed(connection, bourse):
    bourse.trades = [
        a_trade("t", "buy", "1", "1", market=HERE, created=now() - timedelta(days=2))
    ]
    bourse.positions = [a_position(f"p{n}", market=HERE) for n in range(3)]
    read(connection)
    bourse.positions = []
    bourse.trades.append(a_trade("end", "sell", "1", "1", market=HERE, created=now()))

    assert read(connection).status == "ok"

    assert not Position.objects.filter(derived=False).open().exists()
    assert Correction.objects.filter(field="closed", severity="info").count() == 3


def test_trade_told_otherwise_is_kept_as_it_was_and_found(connection, bourse):
    first = a_trade(
        "t", "buy", "1", "10", market=HERE, created=now() - timedelta(days=1)
    )
    bourse.trades = [first]
    read(connection)
    bourse.trades = [replace(first, price=Decimal(11))]

    read(connection, "emergency")

    assert Trade.objects.get().price == Decimal(10)
    found = QuarantinedReading.objects.get()
    assert (found.rule, found.raw["told"]["price"]) == ("rewritten", "11")


def test_database_refuses_to_change_a_trade(connection, bourse):
    bourse.trades = [a_trade("t", "buy", "1", "10", market=HERE, created=now())]
    read(connection)

    for act in (
        lambda: Trade.objects.update(price=1),
        lambda: Trade.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


def test_emergency_restores_what_was_wiped_exactly_and_again_changes_nothing(
    connection, bourse
):
    bourse.orders, bourse.trades = history(4, 450, 40)
    bourse.balances = {"A00/8": 1, "A01/8": 2, "A02/8": 3, "A03/8": 4}
    bourse.positions = [a_position(f"p{n}") for n in range(3)]
    read(connection, "emergency")
    before = rows()
    assert len(before["Trade"]) == 450
    wipe()

    run = read(connection, "emergency")

    assert (run.status, rows()) == ("ok", before)
    assert run.progress["found"] == 450 + 40 + 3
    told = Counter(Correction.objects.filter(sync=run).values_list("field", flat=True))
    assert told == {"trade": 450, "order": 40, "position": 3}
    run = read(connection, "emergency")
    assert (run.status, rows()) == ("ok", before)
    assert (run.progress["found"], run.corrections.count()) == (0, 0)
    assert "books wide=True" in bourse.calls


def test_interrupted_recovery_goes_on_where_it_stopped(connection, bourse):
    bourse.orders, bourse.trades = history(1, 950, 0)
    died = {"after": 5}

    def dies(what: str):
        if what.startswith("trades"):
            died["after"] -= 1
            if not died["after"]:
                raise KeyboardInterrupt  # as a worker that is killed
        return None

    bourse.failing = dies
    [run] = services.sync([connection], "emergency")
    with pytest.raises(KeyboardInterrupt):
        services.carry_on(run.pk)
    assert 0 < Trade.objects.count() < 950
    bourse.calls.clear()
    hurry()  # its lease is over

    tasks.carry_on(str(run.pk))

    run.refresh_from_db()
    assert (run.status, Trade.objects.count()) == ("ok", 950)
    assert bourse.calls[0].startswith("trades A00Q 400")
    assert not BookCursor.objects.exclude(sync=None).exists()


def test_wait_that_a_provider_asks_for_is_a_pause_not_a_failure(connection, bourse):
    bourse.orders, bourse.trades = history(1, 350, 0)
    limits = iter([None, RateLimited(retry_after=40), None, RateLimited(retry_after=7)])
    bourse.failing = lambda what: (
        next(limits, None) if what.startswith("trades") else None
    )
    [run] = services.sync([connection], "emergency")
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        assert services.carry_on(run.pk) is None  # nobody goes on before
        hurry()

    run = services.see_through(run, sleep=sleep)

    assert (run.status, run.error, waited) == ("ok", "", [40, 7])
    assert Trade.objects.count() == 350


def test_beat_finds_what_waits_once_its_time_has_come(connection, bourse):
    bourse.failing = lambda what: (
        RateLimited(retry_after=60) if what == "positions" else None
    )
    [run] = services.sync([connection], "manual")
    assert services.claim_requested() == [run.pk]
    assert services.carry_on(run.pk).seconds == 60

    assert services.claim_requested() == []
    hurry()
    assert services.claim_requested() == [run.pk]


def test_only_one_of_many_reads_at_a_time(connection, bourse):
    [run] = services.sync([connection], "manual")
    bourse.failing = lambda what: (
        services.carry_on(run.pk) if what == "positions" else None
    )

    services.carry_on(run.pk)

    assert bourse.calls.count("positions") == 1


def test_rejected_key_ends_the_reading_with_its_reason(connection, bourse):
    bourse.failing = lambda what: (
        AuthenticationFailed("No such key") if what == "positions" else None
    )

    run = read(connection)

    assert (run.status, run.error_code) == ("partial", "authentication_failed")
    connection.refresh_from_db()
    assert connection.health == "reconnect_needed"


def test_book_that_fails_holds_up_no_other(connection, bourse):
    bourse.orders, bourse.trades = history(2, 40, 0)
    bourse.balances["A01/8"] = 1
    bourse.failing = lambda what: (
        Refused("Delisted") if what.startswith("trades A00Q") else None
    )

    run = read(connection)

    assert run.status == "partial"
    assert set(Trade.objects.values_list("market", flat=True)) == {"A01Q"}
    assert BookCursor.objects.get(what="trades", book="A00Q").error == "Delisted"
    bourse.failing = lambda what: None
    assert read(connection).status == "ok"
    assert Trade.objects.count() == 40


def test_order_older_than_the_histories_is_found_by_its_trades(connection, bourse):
    old = an_order(
        "old", market=HERE, status="filled", created=now() - timedelta(days=90)
    )
    bourse.orders = [old]
    bourse.trades = [
        a_trade(
            "t",
            "buy",
            "1",
            "1",
            market=HERE,
            order_id="old",
            created=now() - timedelta(days=3),
        )
    ]

    assert read(connection, "emergency").status == "ok"

    assert Order.objects.get().external_id == "old"


def test_gain_of_a_sale_and_what_is_kept_are_worked_out(connection, bourse):
    day = timedelta(days=1)
    bourse.balances = {"A00/8": 10**8, "Q/2": 100}
    bourse.trades = [
        a_trade("b", "buy", "2", "10", market=HERE, created=now() - 2 * day),
        a_trade("s", "sell", "1", "15", market=HERE, created=now() - day),
    ]

    read(connection)

    assert Trade.objects.get(external_id="s").gain.amount == Decimal(5)
    derived = Position.objects.get(derived=True)
    assert (derived.quantity, derived.entry_price) == (Decimal(1), Decimal(10))
    bourse.balances["A00/8"] = 0
    bourse.trades.append(a_trade("e", "sell", "1", "9", market=HERE, created=now()))
    read(connection)
    derived.refresh_from_db()
    assert derived.closed_at is not None


def test_key_that_may_withdraw_is_known(connection, bourse):
    bourse.may = replace(
        bourse.may, withdraw=True, trade=True, notes=("From anywhere",)
    )

    found = services.test_connection(connection)

    assert found.warnings == [services.MAY_WITHDRAW, services.MAY_TRADE]
    assert found.may == ["read", "list_trades", "trade", "withdraw"]
    connection.refresh_from_db()
    assert connection.key_may_withdraw


def test_asset_that_is_listed_no_more_holds_nothing(connection, bourse):
    read(connection)
    del bourse.balances["A00/8"]

    run = read(connection)

    assert run.status == "ok"
    account = connection.accounts.get(asset="A00/8")
    assert (account.balance.total, account.closed_at) == (0, None)
    assert Correction.objects.get(account=account, field="total").new == "0"


def test_most_assets_gone_at_once_are_doubted_and_believed_a_minute_later(
    connection, bourse
):
    bourse.balances |= {f"C{n}/8": 10 + n for n in range(4)}
    read(connection)
    bourse.balances = {"Q/2": 100_000}

    run = read(connection)

    assert run.status == "partial"
    rules = set(QuarantinedReading.objects.values_list("rule", flat=True))
    assert rules == {"mass_disappearance"}
    account = connection.accounts.get(asset="C3/8")
    assert account.balance.total == 13
    QuarantinedReading.objects.update(created=now() - timedelta(minutes=2))
    assert read(connection).status == "ok"
    account.balance.refresh_from_db()
    assert account.balance.total == 0


def test_answer_that_is_not_complete_empties_nothing(connection, bourse):
    read(connection)
    del bourse.balances["A00/8"]
    bourse.complete = False

    read(connection)

    assert connection.accounts.get(asset="A00/8").balance.total == 5_000


def test_emergency_is_no_less_than_an_emergency(connection, bourse):
    manual = services.request_sync(connection, "manual")

    emergency = services.request_sync(connection, "emergency")

    assert emergency != manual
    assert services.request_sync(connection, "emergency") == emergency


@pytest.fixture
def queued(monkeypatch) -> list[tuple]:
    sent: list[tuple] = []
    monkeypatch.setattr(
        "accounts.tasks.publish", lambda task, *args: sent.append((task, *args))
    )
    return sent


def test_sync_that_somebody_asked_for_is_read_to_the_end_by_its_task(
    connection, bourse, queued
):
    bourse.orders, bourse.trades = history(1, 150, 10)
    run = services.request_sync(connection, "emergency")

    tasks.run_sync(str(run.pk))

    run.refresh_from_db()
    assert (run.status, Trade.objects.count(), queued) == ("ok", 150, [])
    tasks.run_sync(str(run.pk))  # a message may come twice
    assert bourse.calls.count("observe") == 1


def test_batch_leaves_orders_and_trades_to_tasks_of_their_own(
    connection, bourse, queued
):
    tasks.sync_batch([str(connection.pk)], "periodic")

    run = SyncRun.objects.get()
    assert queued == [(tasks.carry_on, str(run.pk))]
    assert bourse.calls == ["observe"]
    tasks.carry_on(str(run.pk))
    run.refresh_from_db()
    assert run.status == "ok"


def test_long_reading_is_handed_on_in_slices(connection, bourse):
    bourse.orders, bourse.trades = history(1, 350, 0)
    [run] = services.sync([connection], "emergency")

    assert services.carry_on(run.pk, seconds=0.0).seconds == 0.0

    run.refresh_from_db()
    assert run.status == "running"
    while later := services.carry_on(run.pk, seconds=0.0):
        assert later.seconds == 0.0
    run.refresh_from_db()
    assert (run.status, Trade.objects.count()) == ("ok", 350)


def test_balance_is_not_called_updating_while_trades_are_read(connection, bourse):
    [run] = services.sync([connection], "manual")

    assert run.status == "running"
    account = connection.accounts.first()
    assert not row_answer(account).updating
    services.carry_on(run.pk)


def test_archived_connection_is_read_no_further(connection, bourse):
    bourse.orders, bourse.trades = history(1, 150, 0)
    [run] = services.sync([connection], "manual")
    connection.archive()

    services.carry_on(run.pk)

    run.refresh_from_db()
    assert (run.status, Trade.objects.count()) == ("partial", 0)
    assert "no longer in use" in run.error
