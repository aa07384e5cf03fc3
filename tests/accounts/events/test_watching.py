"""What truly happens is told: balances, sources, answers, consents, differences."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection as database
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import (
    Account,
    Balance,
    Channel,
    Condition,
    Connection,
    Discrepancy,
    Event,
    Threshold,
)
from accounts.services import events
from accounts.services.recording import announce
from accounts.signals import BalanceChange, events_told
from providers.money import MoneyError

from .conftest import household

pytestmark = pytest.mark.django_db


def look() -> list[tuple[str, str]]:
    """Look once, and return what was told since the last look."""
    before = set(Event.objects.values_list("pk", flat=True))
    events.look_for_conditions()
    return told_since(before)


def told_since(before: set) -> list[tuple[str, str]]:
    rows = Event.objects.exclude(pk__in=before).order_by("kind")
    return list(rows.values_list("kind", "phase"))


def hours(count: float) -> None:
    """Let so much time pass since anything was told."""
    for row in Condition.objects.exclude(told_at=None):
        row.told_at -= timedelta(hours=count)
        row.save()


def change(home, old: int | None, new: int) -> list[tuple[str, str]]:
    before = set(Event.objects.values_list("pk", flat=True))
    with transaction.atomic():
        announce(
            [
                BalanceChange(
                    home.account.pk, home.connection.pk, "GBP/2", old, new, old, new
                )
            ]
        )
    return told_since(before)


def test_a_failing_source_is_told_once_and_so_is_its_recovery(home):
    Connection.objects.update(health="failing", failures=1, error_code="unavailable")
    assert look() == []  # one failed try is no news
    Connection.objects.update(failures=2)
    assert look() == [("fallback_activated", "began")]
    assert look() == []
    Connection.objects.update(health="new", failures=0)
    assert look() == []  # new credentials prove nothing yet
    Connection.objects.update(health="ok", failures=0, error_code="")
    assert look() == [("source_recovered", "ended")]
    assert look() == []


def test_what_lasts_is_told_again_later(home):
    Connection.objects.update(health="failing", failures=5)
    assert look() == [("fallback_activated", "began")]
    hours(5.9)
    assert look() == []
    hours(0.2)
    assert look() == [("fallback_activated", "again")]
    hours(6)
    assert look() == []
    hours(6)
    assert look() == [("fallback_activated", "again")]


def test_a_source_that_needs_a_person_is_worse(home):
    Connection.objects.update(health="failing", failures=5)
    look()
    Connection.objects.update(health="reconnect_needed")
    assert look() == [("fallback_activated", "again")]
    assert Event.objects.filter(severity="error").count() == 1


def test_an_archived_connection_is_no_recovery(home):
    Connection.objects.update(health="failing", failures=5)
    look()
    home.connection.archive()

    assert look() == []
    assert not Condition.objects.exists()


def test_an_answer_that_is_not_believed_is_told(home):
    Connection.objects.update(error_code="duplicate_account", error="twice")
    assert look() == [("validation_failed", "began")]
    assert "twice" in Event.objects.get().text
    Connection.objects.update(error_code="unavailable")
    assert look() == [("validation_failed", "ended")]


@pytest.mark.parametrize(
    ("minutes", "interval", "source", "told"),
    [
        (14, 600, "live", False),
        (16, 600, "live", True),
        (16, 3600, "live", False),
        (91, 3600, "live", True),
        (999, 600, "manual", False),
        (999, 600, "import", False),
    ],
)
def test_old_balances_are_told_by_the_interval_of_their_source(
    home, minutes, interval, source, told
):
    Connection.objects.update(sync_interval_seconds=interval)
    Balance.objects.update(fetched_at=now() - timedelta(minutes=minutes), source=source)

    assert look() == ([("stale", "began")] if told else [])


def test_source_that_was_not_heard_of_for_hours_is_told_even_if_it_never_was(home):
    def silent(hours: float, **more) -> list[tuple[str, str]]:
        heard = {"last_success_at": now() - timedelta(hours=hours)} | more
        Connection.objects.update(next_sync_at=now(), **heard)
        return look()

    assert silent(5.9) == []
    assert silent(6.1, sync_interval_seconds=3 * 3600) == []
    assert silent(6.1, sync_interval_seconds=600) == [("no_good_sync", "began")]
    assert Connection.objects.get().is_silent
    assert silent(6.5) == []
    assert silent(25) == [("no_good_sync", "again")]
    assert Event.objects.filter(severity="critical").count() == 1
    assert silent(0) == [("no_good_sync", "ended")]
    created = now() - timedelta(hours=7)
    assert silent(0, last_success_at=None, created=created) == []  # told lately
    hours(100)
    assert look() == [("no_good_sync", "began")]


def test_consent_that_ends_soon_is_told_and_again_as_it_gets_urgent(home):
    Connection.objects.update(consent_expires_at=now() + timedelta(days=8))
    assert look() == []
    Connection.objects.update(consent_expires_at=now() + timedelta(days=6))
    assert look() == [("consent_expiring", "began")]
    Connection.objects.update(consent_expires_at=now() + timedelta(hours=20))
    assert look() == [("consent_expiring", "again")]
    Connection.objects.update(consent_expires_at=now() - timedelta(minutes=1))
    assert look() == [("consent_expiring", "again")]
    told = list(Event.objects.order_by("created").values_list("severity", "data"))
    assert [severity for severity, _ in told] == ["warning", "error", "critical"]
    assert [data["days_left"] for _, data in told] == [5, 0, -1]
    Connection.objects.update(consent_expires_at=now() + timedelta(days=90))
    assert look() == [("consent_expiring", "ended")]


def test_low_balance_is_of_the_person_who_set_the_threshold(home):
    Threshold.objects.create(preference=home.preference, account=home.account, low=1000)
    assert look() == []  # just enough
    Balance.objects.update(available=999)
    assert look() == [("low_balance", "began")]
    event = Event.objects.get()
    assert event.recipient == home.user
    assert event.data["available"] == {
        "asset": "GBP/2",
        "minor": "999",
        "amount": "9.99",
    }
    Balance.objects.update(available=1000)
    assert look() == [("low_balance", "ended")]


def test_account_that_is_read_no_more_is_not_low_for_ever(home):
    Threshold.objects.create(preference=home.preference, account=home.account, low=1000)
    Balance.objects.update(available=999)
    assert look() == [("low_balance", "began")]

    Account.objects.update(active=False)

    assert look() == [("low_balance", "ended")]


def test_unknown_balance_is_not_a_low_one(home):
    Threshold.objects.create(preference=home.preference, account=home.account, low=1000)
    Balance.objects.all().delete()

    assert look() == []


def differ(home, severity: str = "warning", **more) -> Discrepancy:
    fields = {"name": "sum", "expected": 100, "actual": 90, "severity": severity}
    return Discrepancy.objects.create(
        account=home.account, last_seen_at=now(), **fields | more
    )


def test_differences_are_told_with_the_worst_of_them(home):
    one = differ(home)
    assert look() == [("drift", "began")]
    data = Event.objects.get().data
    assert data["difference"] == {"asset": "GBP/2", "minor": "-10", "amount": "-0.10"}
    other = differ(home, "critical", subject="x")
    assert look() == [("drift", "again")]
    Discrepancy.objects.filter(pk=one.pk).update(status="accepted")
    assert look() == []
    Discrepancy.objects.filter(pk=other.pk).update(status="resolved")
    assert look() == [("drift", "ended")]


def listen(home, *kinds: str) -> None:
    home.preference.kinds = list(kinds)
    home.preference.save()
    Channel.objects.create(preference=home.preference, kind="webhook", name="x")


def test_every_change_is_told_to_who_wants_every_change(home):
    listen(home, "balance_update")

    assert change(home, 1000, 1001) == [("balance_update", "once")]
    data = Event.objects.get().data
    assert data["total"] == {"asset": "GBP/2", "minor": "1001", "amount": "10.01"}
    assert data["change"]["minor"] == "1"
    assert change(home, None, 5) == [("balance_update", "once")]


def test_changes_are_told_from_a_threshold_on_and_measured_from_there(home):
    listen(home, "balance_change")
    row = Threshold.objects.create(
        preference=home.preference, account=home.account, change=100
    )
    assert change(home, 1000, 1060) == []
    # Not much since the last reading, but enough since it was first seen.
    assert change(home, 1060, 1120) == [("balance_change", "once")]
    assert change(home, 1120, 9000) == []  # a moment ago
    Threshold.objects.update(told_at=now() - timedelta(minutes=6))
    assert change(home, 9000, 9001) == [("balance_change", "once")]
    row.refresh_from_db()
    assert row.told_total == 9001


def test_a_share_and_an_amount_must_both_be_reached(home):
    listen(home, "balance_change")
    Threshold.objects.create(
        preference=home.preference,
        account=home.account,
        change=100,
        change_percent=Decimal("50"),
    )

    assert change(home, 1000, 1200) == []
    assert change(home, 1200, 1500) == [("balance_change", "once")]


def test_nothing_is_written_and_little_asked_where_nobody_listens(home):
    Threshold.objects.create(preference=home.preference, account=home.account, change=1)
    with CaptureQueriesContext(database) as asked:
        assert change(home, 1000, 5000) == []
    mine = [q["sql"] for q in asked if "accounts_preference" in q["sql"]]

    assert len(mine) == 1
    assert not [q for q in asked if "INSERT" in q["sql"] or "UPDATE" in q["sql"]]


def test_two_looks_at_once_tell_once(transactional_db):
    home = household("twice")
    Connection.objects.update(health="failing", failures=5)
    ready = Barrier(8)

    def run() -> None:
        ready.wait(60)
        events.look_for_conditions()
        connections.close_all()

    threads = [Thread(target=run) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    assert Event.objects.filter(workspace=home.workspace).count() == 1


def test_receivers_in_this_process_hear_of_what_is_routed(home):
    heard = []

    def listener(sender, *, events, **_):
        heard.extend(event.kind for event in events)

    events_told.connect(listener)
    try:
        Connection.objects.update(health="failing", failures=5)
        look()
        events.route()
    finally:
        events_told.disconnect(listener)

    assert heard == ["fallback_activated"]


def test_condition_that_cannot_be_told_keeps_no_other_back(home):
    most = 10**78 - 1
    odd = differ(home, expected=-most, actual=most)  # no amount is as much as that
    Threshold.objects.create(preference=home.preference, account=home.account, low=9999)

    with pytest.raises(MoneyError):
        look()

    assert Event.objects.get().kind == "low_balance"
    odd.delete()
    assert look() == []
