from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from django.utils.timezone import now

import providers
from accounts import services
from accounts.logs import balance_line
from accounts.models import Account, Balance, Connection, Correction
from providers.base import TakesTypedBalances
from providers.money import Asset, MoneyError

pytestmark = pytest.mark.django_db
TYPED = next(
    s for s in providers.slugs() if issubclass(providers.load(s), TakesTypedBalances)
)


@pytest.fixture
def main(person) -> Account:
    services.sync([person[1]], "periodic")
    name = person[0].account.external_id
    return Account.objects.select_related("balance", "connection").get(external_id=name)


@pytest.fixture
def purse(workspace) -> Account:
    connection = services.connect(workspace, TYPED, {})
    return services.create_typed_account(connection, "Purse", "GBP/2")


def aged(account: Account, seconds: float) -> Account:
    moment = now() - timedelta(seconds=seconds)
    Balance.objects.filter(account=account).update(as_of=moment, fetched_at=moment)
    return Account.objects.select_related("balance", "connection").get(pk=account.pk)


def test_answer_says_amounts_source_and_age(main, bank):
    told = services.balance_answer(main)

    held = bank.balance(main.external_id)
    assert told["available"] == {
        "asset": "GBP/2",
        "minor": str(held),
        "amount": f"{held // 100}.{held % 100:02}",
    }
    assert (told["account"], told["asset"]) == (str(main.pk), "GBP/2")
    assert (told["source"], told["status"], told["stale"]) == ("live", "ok", False)
    assert (told["updating"], told["error"]) == (False, None)
    assert 0 <= told["age_seconds"] < 5
    assert told["as_of"].endswith("Z")
    assert json.loads(json.dumps(told)) == told


def test_account_never_read_is_unknown_not_zero(person, bank, workspace):
    account = Account.objects.create(
        workspace=workspace,
        connection=person[1],
        provider=person[1].provider,
        external_id="new",
        asset="GBP/2",
    )

    told = services.balance_answer(account)

    assert (told["status"], told["stale"]) == ("unknown", True)
    assert told["total"] is told["available"] is told["as_of"] is None
    assert told["age_seconds"] is told["source"] is None


@pytest.mark.parametrize(
    ("age", "max_age", "stale"),
    [(899, None, False), (910, None, True), (50, 60, False), (70, 60, True)],
)
def test_age_decides_what_is_stale(main, age, max_age, stale):
    told = services.balance_answer(aged(main, age), max_age=max_age)

    assert told["stale"] is stale
    assert told["source"] == ("cache" if stale else "live")


def test_failure_is_told_beside_the_last_good_value(main, bank):
    before = services.balance_answer(main)
    bank.fault("5xx", times=None)
    services.sync([main.connection], "periodic")

    told = services.balance_answer(aged(main, 5))

    assert told["total"] == before["total"]
    assert told["error"]


def test_answer_says_that_a_newer_one_is_on_its_way(main):
    services.request_sync(main.connection, "manual")

    assert services.balance_answer(main)["updating"] is True


def test_several_pots_are_refreshed_by_one_sync(main, bank):
    pots = list(Account.objects.all())

    runs = services.sync_for(pots)

    assert [(r.kind, r.status) for r in runs] == [("pre_automation", "ok")]


def test_only_what_is_too_old_is_read_again(main, bank):
    asked = bank.requests
    services.fresh_balances([main], max_age_seconds=60)
    assert bank.requests == asked

    bank.pay(main.external_id, 9)
    aged(main, 61)
    found = services.fresh_balances([main], max_age_seconds=60)
    assert found[main.pk].total == bank.balance(main.external_id)


def test_snapshot_now_is_the_last_one_where_nothing_changed(main, bank):
    before, read = main.snapshots.first(), Balance.objects.get(account=main).fetched_at

    for _ in range(3):
        assert services.take_snapshot(main) == before
    assert main.snapshots.count() == 1
    assert Balance.objects.get(account=main).fetched_at > read

    bank.pay(main.external_id, 7)
    taken = services.take_snapshot(main)

    assert (taken.total, main.snapshots.count()) == (before.total + 7, 2)


def test_snapshot_of_what_cannot_be_read_is_refused(main, bank):
    bank.fault("5xx", times=None)

    with pytest.raises(services.BalanceUnknown):
        services.take_snapshot(main)


def test_typed_balance_is_the_balance_and_its_history(purse, django_user_model):
    alice = django_user_model.objects.create(username="alice")
    services.record_typed_balance(purse, 50_00, user=alice)
    taken = services.record_typed_balance(purse, 42_00, user=alice)

    balance = Balance.objects.get(account=purse)
    assert (balance.total, balance.source, taken.source) == (42_00, "manual", "manual")
    assert purse.snapshots.count() == 2
    [change] = Correction.objects.filter(field="total")
    assert (change.difference, change.sync.requested_by) == ("-800", alice)
    purse.connection.refresh_from_db()
    assert purse.connection.next_sync_at is None


def test_count_of_the_past_enters_the_history_alone(purse):
    services.record_typed_balance(purse, 50_00)
    earlier = now() - timedelta(days=3)

    services.record_typed_balance(purse, 1_00, as_of=earlier)

    assert Balance.objects.get(account=purse).total == 50_00
    assert purse.snapshots.get(as_of=earlier).total == 1_00


def test_typed_balance_of_one_account_leaves_the_others_alone(purse):
    other = services.create_typed_account(purse.connection, "Jar", "EUR/2")
    services.record_typed_balance(other, 5_00)

    services.record_typed_balance(purse, 1_00)

    kept = Balance.objects.get(account=other)
    assert (kept.total, kept.error) == (5_00, "")
    other.refresh_from_db()
    assert other.missing_reads == 0


def test_nobody_is_asked_about_typed_balances(purse):
    services.record_typed_balance(purse, 5_00)

    [run] = services.sync([purse.connection], "periodic")

    balance = Balance.objects.get(account=purse)
    assert (run.status, balance.total, balance.error) == ("ok", 5_00, "")
    assert Connection.objects.get(pk=purse.connection_id).next_sync_at is None


def test_typed_balance_never_grows_stale_by_itself(purse):
    services.record_typed_balance(purse, 5_00)

    told = services.balance_answer(aged(purse, 10 * 86_400))

    assert (told["stale"], told["source"]) == (False, "manual")


@pytest.mark.parametrize("wrong", [1.5, "5", True, 10**78])
def test_typed_balance_must_be_whole_units(purse, wrong):
    with pytest.raises(MoneyError):
        services.record_typed_balance(purse, wrong)
    assert not Balance.objects.exists()


def test_nobody_knows_the_future(purse):
    with pytest.raises(services.FutureMoment):
        services.record_typed_balance(purse, 1, as_of=now() + timedelta(hours=1))


def test_what_a_provider_reports_cannot_be_typed(main):
    with pytest.raises(services.NotTyped):
        services.record_typed_balance(main, 1)
    with pytest.raises(services.NotTyped):
        services.create_typed_account(main.connection, "Mine", "GBP/2")


def test_log_line_says_account_amount_source_and_age(caplog):
    caplog.set_level(logging.DEBUG, "accounts.balances")
    gbp = Asset("GBP", 2)

    balance_line("SWEEP", "pot_1", 50000, gbp, age=2.2)
    balance_line("TOPUP", "pot_2", None, "GBP/2", source="cache", age=3)

    said = [record.msg["event"] for record in caplog.records]
    assert said == [
        "[SWEEP] live balance pot_1 50000 (£500.00), 2 s old",
        "[TOPUP] cache balance pot_2 unknown, 3 s old",
    ]


@pytest.mark.parametrize(
    ("kind", "level"),
    [("periodic", logging.DEBUG), ("manual", logging.INFO)],
)
def test_every_balance_read_is_logged_quietly_when_it_is_routine(
    person, caplog, kind, level
):
    caplog.set_level(logging.DEBUG, "accounts.balances")

    services.sync([person[1]], kind)

    said = [r for r in caplog.records if "balance" in r.msg["event"]]
    assert len(said) == Balance.objects.count()
    assert {record.levelno for record in said} == {level}
