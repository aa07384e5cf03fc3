"""What a bank says and nobody believes: kept, told, never served, and let go again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Balance,
    BalanceSnapshot,
    CheckSetting,
    Correction,
    Discrepancy,
    DriftSetting,
    Event,
    QuarantinedReading,
)
from accounts.services import events
from automation.models import Transfer
from automation.rules.draft import STALE_SECONDS
from automation.services.funds import oldest
from tests.automation.conftest import leg
from tests.fixtures_api import V1, expect_problem, member

pytestmark = pytest.mark.django_db
MOON = 2 * 10**14  # two trillion pounds
TIMES = 6  # a visit that finds its figures at odds looks twice


def tell(alice, **figures) -> None:
    """Let the bank tell these figures in the next sync, and no longer."""
    alice.bank.fault("replace", times=TIMES, path="/balance", value=figures)
    alice.sync()
    alice.bank.calm()


def held(account) -> Balance:
    return Balance.objects.get(account=account)


def heard_of(kind: str) -> list[str]:
    """Look for conditions, and return the phases told of `kind` so far."""
    events.look_for_conditions()
    rows = Event.objects.filter(kind__in=[kind, kind.replace("protected", "released")])
    return list(rows.order_by("created").values_list("phase", flat=True))


@pytest.fixture
def filled(alice):
    alice.fill(alice.main, 70_00)
    alice.sync()
    return alice


def test_unbelieved_reading_is_kept_and_told_and_the_last_good_one_stays(filled, run):
    alice, before = filled, held(filled.main)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
    )
    snapshots = BalanceSnapshot.objects.count()

    for _ in range(2):
        tell(alice, balance=MOON, total_balance=MOON)

    after = held(alice.main)
    assert (after.total, after.fetched_at) == (70_00, before.fetched_at)
    assert after.distrusted
    assert "More than anybody has" in after.error
    assert BalanceSnapshot.objects.count() == snapshots
    [kept] = QuarantinedReading.objects.all()
    assert (kept.rule, kept.status, kept.total, kept.seen) == (
        "unrealistic",
        "open",
        MOON,
        2,
    )
    assert kept.raw["total"] == str(MOON)
    assert heard_of("validation_failed") == heard_of("validation_failed") == ["began"]
    answer = services.balance_answer(alice.account(alice.main.external_id))
    assert (answer["stale"], answer["total"]["minor"]) == (True, "7000")

    wrong = {"balance": MOON, "total_balance": MOON}
    alice.bank.fault("replace", path="/balance", value=wrong, times=TIMES)
    done = run(rule)
    alice.bank.calm()
    assert (done.status, done.moves) == ("skipped_stale", [])

    alice.sync()
    kept.refresh_from_db()
    after = held(alice.main)
    assert (kept.status, kept.decided_by) == ("released", None)
    assert (after.total, after.error, after.distrusted) == (70_00, "", False)
    assert heard_of("validation_failed") == ["began", "ended"]


def test_a_sync_that_finds_nothing_wrong_writes_nothing_about_it(filled):
    with CaptureQueriesContext(database) as asked:
        filled.sync()

    told = " ".join(query["sql"] for query in asked)
    for noun in ("quarantinedreading", "checksetting", "driftsetting"):
        for verb in ("INSERT INTO", "UPDATE", "DELETE FROM"):
            assert f"{verb} accounts_{noun}" not in told
    assert "SET distrusted = true" not in told


def test_person_may_believe_a_reading_and_says_why(filled):
    alice = filled
    tell(alice, balance=MOON, total_balance=MOON)
    kept = QuarantinedReading.objects.get()
    operator = member("olive", (alice.workspace, "operator"))
    path = f"{V1}/quarantine/{kept.pk}/accept/"
    [listed] = operator.get(f"{V1}/quarantine/?status=open").json()["results"]
    assert (listed["rule"], listed["total"]["minor"]) == ("unrealistic", str(MOON))

    at_once = f"{V1}/accounts/{alice.main.pk}/balance/?max_age=1000"
    before = operator.get(at_once).json()
    assert (before["total"]["minor"], before["stale"]) == ("7000", True)

    expect_problem(operator.post(path, {}, headers={"Idempotency-Key": "0"}), 400)
    why = {"reason": "A lottery"}
    done = operator.post(path, why, headers={"Idempotency-Key": "1"}).json()

    assert (done["status"], done["decided_by"]) == ("accepted", "olive")
    assert (done["reason"], held(alice.main).total) == ("A lottery", MOON)
    assert not held(alice.main).distrusted
    after = operator.get(at_once).json()
    assert (after["total"]["minor"], after["stale"]) == (str(MOON), False)
    noted = Correction.objects.filter(account=alice.main).latest("created")
    assert (noted.old, noted.new) == ("7000", str(MOON))
    assert "A lottery" in noted.reason
    again = operator.post(path, why, headers={"Idempotency-Key": "2"})
    expect_problem(again, 409, "cannot_accept")
    tell(alice, balance=MOON, total_balance=MOON)
    assert QuarantinedReading.objects.waiting().count() == 0


def test_reading_that_is_older_than_the_balance_is_not_believed_any_more(filled):
    tell(filled, balance=MOON, total_balance=MOON)
    kept = QuarantinedReading.objects.get()
    Balance.objects.update(fetched_at=now() + timedelta(seconds=1))
    user = member("olive", (filled.workspace, "operator")).user

    with pytest.raises(services.CannotAccept, match="newer"):
        services.accept_reading(kept, user=user, reason="so")


def test_settings_of_a_workspace_hold_from_the_next_sync_on(filled):
    alice = filled
    setting = CheckSetting.objects.create(
        workspace=alice.workspace, rule="unrealistic", threshold=Decimal("69.99")
    )
    alice.fill(alice.main, 71_00)
    alice.sync()
    assert held(alice.main).total == 70_00

    setting.enabled = False
    setting.save()
    alice.sync()

    assert held(alice.main).total == 71_00
    viewer = member("vera", (alice.workspace, "viewer"))
    [told] = viewer.get(f"{V1}/checks/").json()["results"]
    assert told["settings"][0]["threshold"] == "69.99"
    assert {r["name"] for r in told["rules"]} >= {"negative", "all_zero"}


def test_amount_that_is_none_puts_the_whole_answer_into_quarantine(filled):
    tell(filled, balance=True)

    [kept] = QuarantinedReading.objects.all()
    assert (kept.rule, kept.account, kept.total) == ("garbage", None, None)
    assert held(filled.main).total == 70_00
    filled.sync()
    kept.refresh_from_db()
    assert kept.status == "released"


def test_critical_drift_protects_its_account_until_enough_syncs_are_clean(filled, run):
    alice = filled
    DriftSetting.objects.create(workspace=alice.workspace, clean_syncs=2)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
    )

    tell(alice, total_balance=1)
    assert not alice.account(alice.main.external_id).protected_at  # it may be moving
    tell(alice, total_balance=1)

    account = alice.account(alice.main.external_id)
    assert account.protected_at
    assert (account.protected_reason, account.clean_syncs_left) == ("total balance", 2)
    assert not alice.account(alice.pots[0].external_id).protected_at
    assert heard_of("account_protected") == ["began"]
    assert Discrepancy.objects.get().protected_at

    assert run(rule).status == "skipped_protected"  # its own sync was the first
    alice.sync()

    account.refresh_from_db()
    assert (account.protected_at, account.clean_syncs_left) == (None, None)
    assert heard_of("account_protected") == ["began", "ended"]


def test_who_releases_an_account_is_not_overruled_by_the_same_drift(filled):
    alice = filled
    user = member("olive", (alice.workspace, "operator")).user
    for _ in range(2):
        tell(alice, total_balance=1)
    services.release(alice.account(alice.main.external_id), user=user)

    tell(alice, total_balance=1)

    assert alice.account(alice.main.external_id).protected_at is None


def test_deciding_about_the_drift_releases_what_it_protected(filled):
    alice = filled
    user = member("olive", (alice.workspace, "operator")).user
    for _ in range(2):
        tell(alice, total_balance=1)

    services.decide_discrepancies(Discrepancy.objects.all(), "accepted", user)

    assert alice.account(alice.main.external_id).protected_at is None
    tell(alice, total_balance=1)
    assert alice.account(alice.main.external_id).protected_at is None


def test_person_is_asked_before_a_large_change_is_taken(filled):
    alice = filled
    DriftSetting.objects.create(
        workspace=alice.workspace,
        account=alice.main,
        least=10,
        changes=True,
        correction="ask",
        protect=False,
    )
    alice.fill(alice.main, 79_99)
    alice.sync()
    assert held(alice.main).total == 79_99  # less than the limit

    alice.fill(alice.main, 1_000_00)
    alice.sync()

    assert held(alice.main).total == 79_99
    drift = Discrepancy.objects.get(status="open")
    assert (drift.name, drift.expected, drift.actual) == (
        "unexpected_change",
        79_99,
        1_000_00,
    )
    user = member("olive", (alice.workspace, "operator")).user
    kept = QuarantinedReading.objects.waiting().get()
    services.accept_reading(kept, user=user, reason="The salary")
    alice.sync()
    drift.refresh_from_db()
    assert (held(alice.main).total, drift.status) == (1_000_00, "resolved")


def test_balance_is_proved_by_what_the_bank_says_moved(filled):
    alice = filled
    alice.bank.move(alice.main.external_id, alice.pots[0].external_id, 20_00)
    alice.sync()
    alice.fill(alice.main, 55_00)
    alice.sync()
    viewer = member("vera", (alice.workspace, "viewer"))

    for account, closing in ((alice.main, "5500"), (alice.pots[0], "2000")):
        told = viewer.get(f"{V1}/accounts/{account.pk}/proof/").json()
        whole = told["all"]
        assert (whole["closing"]["minor"], told["gaps"]) == (closing, [])
        assert (whole["unexplained"]["minor"], told["grade"]) == ("0", "low")
        assert whole["movements"] > 0

    pot = alice.pots[0]
    BalanceSnapshot.objects.create(
        account=pot, total=21_00, available=21_00, as_of=now()
    )
    told = viewer.get(f"{V1}/accounts/{pot.pk}/proof/").json()
    [gap] = told["gaps"]
    assert (gap["unexplained"]["minor"], told["grade"]) == ("100", "critical")


def test_reading_that_a_later_one_contradicts_is_too_old_to_send_on(filled):
    row, balance = Transfer(source=filled.main), held(filled.main)
    assert oldest(row, {filled.main.pk: balance}) <= STALE_SECONDS

    balance.distrusted = True

    assert oldest(row, {filled.main.pk: balance}) > STALE_SECONDS
