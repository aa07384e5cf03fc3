"""Defects of other balance keepers, read in their source or run: none may be ours.

From bumpy-croc/ai-trading-bot (an exchange synchronizer), freshwaterbruce2/crypto-bot
(a balance manager), alemxral/fqs (a cached balance endpoint) and
praiseunite/amani-backend (wallet snapshots).
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Account,
    Balance,
    BalanceSnapshot,
    Correction,
    SyncRun,
    Transaction,
)
from accounts.validation import validate
from providers.base import Observation, Reading
from providers.money import LARGEST, Asset
from providers.wire import parse_json

pytestmark = pytest.mark.django_db


def balance(account: Account) -> Balance:
    return Balance.objects.get(account=account)


def test_db_zero_drift_detected(alice, bank):
    """ai-trading-bot: a stored 0 made every difference 0 %, so it was never corrected."""
    assert balance(alice.main).total == 0
    bank.pay(alice.main.external_id, 12_34)

    alice.sync()

    assert balance(alice.main).total == 12_34
    seen = Correction.objects.get(account=alice.main, field="total")
    assert (seen.old, seen.new, seen.difference) == ("0", "1234", "1234")


def test_small_drift_is_corrected_too(alice, bank):
    """ai-trading-bot: only differences above 1 % were corrected; 0.9 % stayed for ever."""
    alice.fill(alice.main, 1_000_000_00)
    alice.sync()
    bank.spend(alice.main.external_id, 1)

    alice.sync()

    assert balance(alice.main).total == 1_000_000_00 - 1


def test_every_correction_leaves_a_trace(alice, bank):
    """ai-trading-bot: the largest event a session could produce left no audit row."""
    Correction.objects.all().delete()
    bank.pay(alice.main.external_id, 5_00)
    bank.move(alice.main.external_id, alice.pots[0].external_id, 2_00)

    alice.sync()

    told = Correction.objects.filter(field="total").values_list("account", "difference")
    assert dict(told) == {alice.main.pk: "300", alice.pots[0].pk: "200"}


def test_trade_pages_followed(alice, bank):
    """ai-trading-bot: one page of 1,000 entries was read, and never the next."""
    for number in range(250):  # the bank's pages hold 100
        bank.pay(alice.main.external_id, 1, description=f"entry {number}")

    alice.sync()

    told = Transaction.objects.filter(
        account=alice.main, description__startswith="entr"
    )
    assert told.count() == 250


def test_garbage_is_unknown(alice, bank):
    """crypto-bot: "garbage" became 0, and 0 was valid."""
    alice.fill(alice.main, 70_00)
    alice.sync()
    bank.fault("garbage", times=3)

    alice.sync()

    held = balance(alice.main)
    assert held.total == 70_00
    assert held.error


@pytest.mark.parametrize(
    "body", [b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}']
)
def test_nan_is_unknown(body):
    """crypto-bot: NaN raised from the depths; other parsers let it through."""
    with pytest.raises(ValueError, match="not an amount"):
        parse_json(body)


def test_emptied_asset_is_zero(alice, bank):
    """crypto-bot: zero balances were skipped, so an emptied asset kept its old value."""
    alice.fill(alice.pots[0], 40_00)
    alice.sync()
    alice.fill(alice.pots[0], 0)

    alice.sync()

    held = balance(alice.pots[0])
    assert (held.total, held.error) == (0, "")


def test_invalid_never_served(alice, bank):
    """crypto-bot: validation ran after the value had been stored, and never blocked."""
    alice.fill(alice.main, 70_00)
    alice.sync()
    snapshots = BalanceSnapshot.objects.count()
    bank.fault("wrong_currency", times=3)

    alice.sync()

    assert balance(alice.main).total == 70_00
    assert BalanceSnapshot.objects.count() == snapshots
    assert SyncRun.objects.filter(status__in=["failed", "partial"]).exists()


def test_eighteen_decimals_ok():
    """crypto-bot: any token with 18 decimals was flagged, and a context cut digits off."""
    wei = Asset.parse("TOKEN/18")
    validate(Observation([Reading("token", wei, LARGEST, LARGEST)]), {})

    assert wei.minor("123456.123456789012345678") == 123456123456789012345678


def test_large_holding_of_a_cheap_token_is_ok():
    """crypto-bot: 25 million of a cheap token were "unrealistic"."""
    cheap = Asset.parse("SHIB/18")
    amount = 25_000_000 * 10**18

    found = Observation([Reading("shib", cheap, amount, amount)])

    validate(found, {})

    assert found.readings[0].total == amount


def test_rpc_failure_not_zero(alice, bank):
    """fqs: a failed call returned (0, 0), saved as a success."""
    alice.fill(alice.main, 70_00)
    alice.sync()
    bank.fault("5xx", times=100)

    alice.sync()

    assert balance(alice.main).total == 70_00
    assert SyncRun.objects.latest("finished").status == "failed"


def test_partial_contract_marked(alice, bank):
    """fqs: an error in one part was skipped, and the sum of the rest looked whole."""
    bank.fault("5xx", path="/pots", times=20)

    alice.sync()

    run = SyncRun.objects.latest("finished")
    assert run.status in ("partial", "failed")
    assert all(r["total"] is None for r in run.results if r["status"] == "unknown")


def test_cold_start_not_zero(world):
    """fqs: before its first reading it answered success, balance 0.0."""
    account = world.mine.cash
    Balance.objects.filter(account=account).delete()

    answer = world.viewer.get(f"/api/v1/accounts/{account.pk}/balance/")

    assert answer.status_code == 202
    told = answer.json()
    assert (told["status"], told["total"]) == ("unknown", None)


def test_dead_refresh_not_updating(world):
    """fqs: `updating: true` for ever, even when the refresh had died."""
    account = world.mine.main
    long_ago = now() - SyncRun.LEASE - timedelta(seconds=1)
    died = SyncRun.objects.create(
        connection=account.connection, kind="manual", status="running", started=long_ago
    )
    SyncRun.objects.filter(pk=died.pk).update(created=long_ago)

    assert services.balance_answer(account)["updating"] is False


def test_external_id_scoped(workspace):
    """amani-backend: an id of one provider found another provider's wallet."""
    columns = {
        tuple(c.fields)
        for c in Account._meta.constraints
        if getattr(c, "fields", None) and "external_id" in c.fields
    }

    assert columns
    assert all({"connection", "provider"} & set(fields) for fields in columns)


def test_unknown_account_is_404_and_stores_nothing(world):
    """amani-backend: an unknown wallet got a stored snapshot of 0.0 USD."""
    before = BalanceSnapshot.objects.count()
    absent = "00000000-0000-4000-8000-000000000000"

    answer = world.operator.post(f"/api/v1/accounts/{absent}/snapshots/", {})

    assert answer.status_code == 404
    assert BalanceSnapshot.objects.count() == before


def test_multi_currency_wallet(world):
    """amani-backend: one currency per wallet, though providers return several."""
    jar = world.mine.cash.connection
    for asset in ("USD/2", "EUR/2"):
        services.create_typed_account(jar, name="Jar", asset=asset)

    assets = set(jar.accounts.values_list("asset", flat=True))
    assert {"GBP/2", "USD/2", "EUR/2"} <= assets
