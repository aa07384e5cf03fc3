"""How past balances are stored: by month, with the figures of each day beside them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from accounts import services, tasks
from accounts.models import (
    Account,
    AuditEvent,
    BalanceDay,
    BalanceSnapshot,
    SnapshotKey,
)
from accounts.services import history, keeping, trends

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def midnight() -> datetime:
    return datetime.combine(now().date(), datetime.min.time(), UTC)


TODAY = midnight()


@pytest.fixture(autouse=True)
def today(monkeypatch) -> None:
    """Let a test begin in its own day: midnight may have passed since this was loaded."""
    monkeypatch.setitem(globals(), "TODAY", midnight())


def put(account: Account, *told: tuple[datetime, int], **more) -> None:
    """Write snapshots in one statement."""
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(account=account, total=n, available=n, as_of=at, **more)
        for at, n in told
    )


def ask(statement: str, *values) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def place_of(moment: datetime) -> str:
    """Return the table in which the snapshot of a moment lies."""
    sql = (
        "SELECT tableoid::regclass::text FROM accounts_balancesnapshot WHERE as_of = %s"
    )
    return ask(sql, moment)[0][0]


def test_snapshots_lie_in_their_month_and_no_month_is_refused(account):
    old = datetime(2019, 5, 31, 23, 59, tzinfo=UTC)
    put(account, (TODAY, 1), (old, 2), (TODAY + 40 * 366 * DAY, 3))

    assert place_of(TODAY) == f"accounts_balancesnapshot_{TODAY:%Y_%m}"
    assert place_of(old) == "accounts_balancesnapshot_other"

    added = keeping.add_months()

    assert place_of(old) == "accounts_balancesnapshot_2019_05"
    assert "2019-05-01" in added
    assert ask("SELECT count(*) FROM accounts_balancesnapshot_other") == [(0,)]
    assert account.snapshots.count() == 3
    assert keeping.add_months() == []


def test_months_to_come_are_there_before_them(db):
    keeping.add_months()

    later = (TODAY.replace(day=1) + 62 * DAY).replace(day=1)
    assert ask("SELECT to_regclass(%s)", f"accounts_balancesnapshot_{later:%Y_%m}")[0][
        0
    ]


@pytest.mark.parametrize("place", ["", "_other", "_2019_05", f"_{TODAY:%Y_%m}"])
def test_no_part_of_history_can_be_changed_beside_the_whole(account, place):
    put(account, (datetime(2019, 5, 3, tzinfo=UTC), 2))
    keeping.add_months()
    put(account, (TODAY, 1), (datetime(2031, 1, 1, tzinfo=UTC), 3))

    for act in ("UPDATE {} SET total = 9", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            ask(act.format(f"accounts_balancesnapshot{place}"))
    assert account.snapshots.count() == 3


def test_figures_of_a_day_are_guarded_and_hold_their_account(account):
    put(account, (TODAY, 1))

    for act in ("DELETE FROM accounts_balanceday", "TRUNCATE accounts_balanceday"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            ask(act)
    with pytest.raises(DatabaseError, match="has a history"), transaction.atomic():
        ask("DELETE FROM accounts_account")


def test_snapshot_is_found_by_its_number_and_its_moment_is_unique(account):
    put(account, (TODAY, 1), (TODAY - 400 * DAY, 2))
    row = account.snapshots.last()

    assert BalanceSnapshot.objects.get(pk=row.pk).total == 2
    with pytest.raises(DatabaseError), transaction.atomic():
        account.snapshots.create(total=9, available=9, as_of=TODAY)


def test_beat_keeps_history_once_a_day(db):
    row = PeriodicTask.objects.get(task=tasks.keep_history.name)

    assert (row.interval.every, row.interval.period) == (1, "days")
    tasks.keep_history()


# --- retention ---


@pytest.fixture
def long(account) -> Account:
    """Three snapshots a day for 60 days until yesterday, of which 40 are to be kept."""
    put(
        account,
        *(
            (TODAY - DAY * day + HOUR * (5 * n + 1), day * 100 + n)
            for day in range(60, 0, -1)
            for n in range(3)
        ),
    )
    account.keep_days = 40
    account.save()
    return account


def test_what_is_given_up_leaves_its_days_and_nothing_else_goes(long):
    before = list(BalanceDay.objects.order_by("day").values_list())
    kept = list(long.snapshots.filter(as_of__gte=TODAY - 40 * DAY).values_list())

    services.keep_history()

    assert list(long.snapshots.values_list()) == kept
    assert list(BalanceDay.objects.order_by("day").values_list()) == before
    long.refresh_from_db()
    assert long.days_only_until == TODAY - 40 * DAY
    told = AuditEvent.objects.filter(action="history.given_up")
    assert {event.workspace_id for event in told} == {long.workspace_id}
    assert sum(int(event.new["snapshots"]) for event in told) == 60
    changed = AuditEvent.objects.get(action="account.changed")
    assert (changed.old, changed.new) == ({"keep_days": None}, {"keep_days": "40"})


def test_everything_is_kept_where_nobody_said_otherwise(long):
    Account.objects.update(keep_days=None)

    services.keep_history()

    assert long.snapshots.count() == 180
    long.refresh_from_db()
    assert long.days_only_until is None


def test_newest_snapshot_stays_whatever_its_age_and_so_does_the_newest_heard(account):
    put(account, (TODAY - 300 * DAY, 1), (TODAY - 200 * DAY, 2))
    put(account, (TODAY - 100 * DAY, 3), (TODAY - 90 * DAY, 4), source="import")
    Account.objects.update(keep_days=31)

    services.keep_history()

    left = account.snapshots.values_list("total", flat=True)
    assert list(left) == [4, 3, 2]


def test_figures_stay_exactly_as_they_were_and_say_that_they_are_of_days(long):
    ends = (TODAY - 59 * DAY, TODAY)
    before = trends.trend_of(long, *ends)
    path = [(c.least, c.most) for c in trends.drawn(long, *ends)[1]]
    assert before.days_until is None

    services.keep_history()
    long.refresh_from_db()

    after = trends.trend_of(long, *ends)
    assert (after.trend, after.count) == (before.trend, before.count)
    assert after.days_until == TODAY - 40 * DAY
    drawn = [(c.least, c.most) for c in trends.drawn(long, *ends)[1]]
    assert (min(drawn)[0], max(m for _, m in drawn)) == (
        min(path)[0],
        max(m for _, m in path),
    )


def test_long_windows_read_the_days_and_tell_the_same(account):
    put(
        account,
        *((TODAY - DAY * n + HOUR * h, n * h % 77) for n in range(600) for h in (1, 9)),
    )
    since, until = TODAY - 599 * DAY + 5 * HOUR, TODAY + 4 * HOUR

    seen = trends.trend_of(account, since, until)

    told = account.snapshots.order_by("as_of").values_list("as_of", "total")
    assert seen.days_until == TODAY
    assert seen.trend == trends.trend(told.filter(as_of__lte=until), since, until)


def test_months_that_nobody_keeps_are_dropped_with_their_names(account):
    old = datetime(2019, 5, 3, tzinfo=UTC)
    put(account, (old, 1), (old + HOUR, 2), (TODAY, 3))
    SnapshotKey.objects.create(account=account, as_of=old, scope="client", key="k")
    keeping.add_months()
    Account.objects.update(keep_days=31)

    services.keep_history()

    assert ask("SELECT to_regclass('accounts_balancesnapshot_2019_05')") == [(None,)]
    assert not SnapshotKey.objects.exists()
    assert BalanceDay.objects.get(day=date(2019, 5, 3)).count == 2
    assert list(account.snapshots.values_list("total", flat=True)) == [3]


def test_snapshots_that_come_for_a_given_up_day_lose_nothing_of_it(long):
    services.keep_history()
    day = BalanceDay.objects.get(day=(TODAY - 50 * DAY).date())

    put(long, (TODAY - 50 * DAY + 2 * HOUR, 7))

    assert BalanceDay.objects.get(Q(day=day.day)).area == day.area


def test_past_before_all_snapshots_is_known_by_the_day(long):
    services.keep_history()
    long.refresh_from_db()
    seven = TODAY - 50 * DAY + 7 * HOUR

    assert history.at(long, seven, "before") is None
    [*within] = trends.points(long, seven, seven + DAY)
    assert within[0] == (TODAY - 50 * DAY + HOUR, 5000)  # what that day began with
