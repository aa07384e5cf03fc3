"""Streams are held by one process, written down, and replaced by REST when they end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils.timezone import now

import providers
from accounts import services
from accounts.models import (
    BalanceSnapshot,
    Connection,
    Event,
    Order,
    QuarantinedReading,
    Stream,
    SyncRun,
    Trade,
)
from accounts.services import events
from accounts.services.streaming import Supervisor, hearing, supervisor
from providers.drivers.gates import all_gates
from providers.drivers.streaming import State
from providers.errors import Refused
from tests.accounts.streaming.conftest import STREAMING, states

pytestmark = pytest.mark.usefixtures("valkey")


def stream(desk) -> Stream:
    """Return the stream that tells about the main account, or the only one."""
    names = [
        key.stream for key, held in desk.supervisor.held.items() if told(desk, held)
    ]
    rows = desk.connection.streams.all()
    return rows.get(name=names[0]) if names else rows.get()


def told(desk, held) -> bool:
    return held.session.covers(desk.customer.account.external_id)


@pytest.mark.parametrize("slug", STREAMING, indirect=True)
def test_change_at_the_institution_is_known_without_being_asked_for(desk):
    desk.live()
    before, shown = stream(desk).requests, desk.shown()
    desk.bank.pay(desk.customer.account.external_id, 12_345)
    if not covers(desk):
        desk.bank.stir(desk.customer.name)  # it tells of orders alone

    desk.until(lambda: desk.shown() == desk.held() != shown)

    run = desk.connection.sync_runs.filter(kind="stream").latest("created")
    assert run.status == "ok"
    assert desk.account.balance.source == "stream"
    assert stream(desk).requests - before <= 3


def covers(desk) -> bool:
    return any(told(desk, held) for held in desk.supervisor.held.values())


def test_live_stream_makes_the_usual_syncs_wait_until_a_check_is_due(desk):
    desk.live()
    desk.until(lambda: due(desk) > now() + timedelta(seconds=20))

    rows = Connection.objects.filter(pk=desk.connection.pk)
    rows.update(
        accounts_listed_at=now() - supervisor.CHECK_EVERY - timedelta(minutes=1),
        next_sync_at=now(),
    )
    desk.supervisor._renew_at = 0
    desk.supervisor.step()
    assert due(desk) <= now()

    services.sync([desk.connection], "periodic")
    desk.supervisor._renew_at = 0
    desk.supervisor.step()
    assert due(desk) > now() + timedelta(seconds=20)


def test_constant_news_does_not_put_off_the_comparison_with_rest(desk):
    desk.live()
    rows = Connection.objects.filter(pk=desk.connection.pk)
    rows.update(next_sync_at=now() - timedelta(seconds=1))
    before, runs = due(desk), desk.connection.sync_runs.filter(kind="stream")

    (held,) = desk.supervisor.held.values()
    told = [
        hearing.Told(held.connection, list(held.figures.values()), True, covers_all)
    ]
    count = runs.count()
    hearing.hear(told, now())

    assert runs.count() == count + 1
    assert due(desk) == before


def covers_all(name: str) -> bool:
    return True


def test_reading_in_quarantine_is_not_told_again_and_again(desk):
    desk.live()
    balance = desk.account.balance
    balance.total += 7
    balance.save()
    QuarantinedReading.objects.create(
        connection=desk.connection,
        account=desk.account,
        external_id=desk.account.external_id,
        sync=desk.connection.sync_runs.latest("created"),
        rule="unrealistic",
        severity="error",
        text="?",
        last_seen_at=now(),
    )
    runs = desk.connection.sync_runs.count()

    desk.supervisor._confirm_at = 0
    desk.supervisor.step()
    desk.supervisor.step()

    assert desk.connection.sync_runs.count() == runs
    assert desk.shown() == desk.held() + 7


def due(desk):
    return Connection.objects.get(pk=desk.connection.pk).next_sync_at


def test_check_of_a_stream_that_agrees_makes_no_snapshots(desk):
    desk.live()
    before = BalanceSnapshot.objects.count()

    services.sync([desk.connection], "periodic")
    desk.supervisor._confirm_at = 0
    desk.supervisor.step()

    assert BalanceSnapshot.objects.count() == before


def test_quiet_stream_confirms_what_it_stands_by_and_makes_no_runs(desk):
    desk.live()
    runs, read = SyncRun.objects.count(), desk.account.balance.fetched_at

    desk.supervisor._confirm_at = 0
    desk.supervisor.step()

    assert desk.account.balance.fetched_at > read
    assert SyncRun.objects.count() == runs


def test_what_is_known_otherwise_is_told_again(desk):
    desk.live()
    balance = desk.account.balance
    balance.total += 7
    balance.save()

    desk.supervisor._confirm_at = 0
    assert desk.until(lambda: desk.shown() == desk.held())


@pytest.mark.parametrize("slug", STREAMING, indirect=True)
def test_lost_stream_falls_back_to_rest_and_is_announced_both_ways(desk, monkeypatch):
    monkeypatch.setattr("accounts.services.events.streams.LASTING", timedelta())
    monkeypatch.setattr("providers.drivers.streaming.session.LONGEST_PAUSE", 1.0)
    desk.live()
    Connection.objects.update(next_sync_at=now() + timedelta(hours=1))
    desk.bank.plan.faults.clear()
    for path in desk.bank.sockets:
        desk.bank.fault("frame_hang_up", path=path.partition("{")[0], times=None)
    desk.bank.fault("5xx", times=None, status=503)
    with desk.bank.lock:
        for talk in list(desk.bank.talks):  # who is gone is taken off that list
            talk.close(1012)

    desk.until(lambda: "live" not in states(desk))
    desk.until(lambda: due(desk) <= now())
    desk.until(lambda: desk.connection.streams.exclude(reason="").exists())
    events.look_for_conditions()
    lost = Event.objects.filter(kind="fallback_activated").count()
    assert lost == desk.connection.streams.count()

    desk.bank.calm()
    gate_opens(desk)
    desk.live()
    events.look_for_conditions()
    assert Event.objects.filter(kind="source_recovered").count() == lost


def gate_opens(desk) -> None:
    """Let the circuit be closed by a person, so that nobody has to wait for it."""
    for gate in all_gates():
        gate.reset()


def test_one_process_holds_a_stream_and_another_takes_over_when_it_is_silent(desk):
    desk.live()
    other = Supervisor("other")
    other.step()
    assert not other.held

    (held,) = desk.supervisor.held.values()
    desk.supervisor._until = 0  # it hangs, and renews nothing any more
    Stream.objects.update(lease_until=now() - timedelta(seconds=1))
    other._renew_at = 0
    other.step()

    assert list(other.held) == [held.key]
    desk.until(lambda: held.session.report.state is State.ENDED, other)
    desk.until(lambda: stream(desk).state == "live", other)
    assert stream(desk).holder == "other"
    other.stop()
    other._end()
    assert stream(desk).shown_state == "off"


def test_process_that_ends_gives_its_streams_back_at_once(desk):
    desk.live()
    desk.supervisor.stop()
    desk.supervisor._end()
    assert stream(desk).shown_state == "off"
    assert due(desk) <= now()

    other = Supervisor("other")
    other.step()
    assert len(other.held) == 1
    other.stop()
    other._end()


def test_new_credentials_open_the_stream_anew(desk):
    desk.live()
    (held,) = desk.supervisor.held.values()
    held.credentials = "those of yesterday"
    desk.supervisor._renew_at = 0
    desk.supervisor.step()
    desk.live()

    assert held.session not in [h.session for h in desk.supervisor.held.values()]


def test_connection_that_cannot_say_which_streams_it_has_stops_no_other(
    desk, monkeypatch
):
    kind = providers.load(desk.connection.provider)
    streams = kind.streams

    def told(provider):
        if "odd" in provider.credentials:
            raise Refused("There is no such market")
        return streams(provider)

    monkeypatch.setattr(kind, "streams", told)
    here = {
        "workspace": desk.connection.workspace,
        "provider": desk.connection.provider,
    }
    Connection.objects.create(**here, credentials={"odd": "yes"})

    desk.live()

    assert {key.connection for key in desk.supervisor.held} == {desk.connection.pk}


def test_archived_connection_has_no_stream(desk):
    desk.live()
    desk.connection.refresh_from_db()
    desk.connection.archive()
    desk.supervisor._renew_at = 0
    desk.supervisor.step()

    assert not desk.supervisor.held


def test_nothing_that_was_told_is_lost_while_the_database_is_away(desk, monkeypatch):
    desk.live()
    paid = desk.held() + 5
    with monkeypatch.context() as broken:

        def away(*_):
            raise OperationalError("away")

        broken.setattr(hearing, "hear", away)
        desk.bank.pay(desk.customer.account.external_id, 5)
        with pytest.raises(OperationalError):
            desk.until(lambda: False)

    desk.until(lambda: desk.shown() == paid)


@pytest.mark.parametrize("slug", STREAMING, indirect=True)
def test_orders_and_trades_are_kept_as_the_stream_tells_them(desk):
    desk.live()
    orders, trades = set(names(Order, desk)), set(names(Trade, desk))

    desk.bank.stir(desk.customer.name)
    (new,) = desk.until(lambda: set(names(Order, desk)) - orders)

    order = Order.objects.get(connection=desk.connection, external_id=new)
    desk.until(lambda: Order.objects.get(pk=order.pk).status == "filled")
    if set(names(Trade, desk)) - trades:  # some streams tell of orders alone
        (trade,) = Trade.objects.filter(order_id=new)
        assert trade.quantity == Order.objects.get(pk=order.pk).filled


def names(model, desk):
    rows = model.objects.filter(connection=desk.connection)
    return rows.values_list("external_id", flat=True)
