"""The store of snapshots beside a model of it: what is put there, in whatever order."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts import services
from accounts.history.files import Line
from accounts.history.held import midnight
from accounts.models import (
    Account,
    BalanceDay,
    Connection,
    SnapshotKey,
    SyncRun,
    Workspace,
)
from accounts.services import importing, trends
from accounts.services.entries import Entry
from accounts.services.recording import record
from accounts.verdicts import Heard
from providers.base import Observation, Reading

from .test_days import day_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEPT_DAYS = 31
AGES = st.builds(lambda d, h: d * DAY + h * HOUR, st.integers(1, 70), st.integers(0, 3))
STEPS = st.sampled_from([-2 * DAY, HOUR, 2 * HOUR, DAY, 9 * DAY, 25 * DAY])
TOTALS = st.integers(-3, 3)
NAMES = st.sampled_from(["", "", "a", "b", "c"])


class Store(RuleBasedStateMachine):
    """One account whose provider tells moments, and sometimes names its figures."""

    @initialize()
    def open(self) -> None:
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.today = midnight(now())
        place = Workspace.objects.create(name="home")
        owner = Connection.objects.create(workspace=place, provider="somewhere")
        self.account = Account.objects.create(
            workspace=place,
            connection=owner,
            provider="somewhere",
            external_id="main",
            asset="GBP/2",
        )
        self.put: dict[datetime, int] = {}  # all that ever stood there
        self.kept: dict[datetime, str] = {}  # what is left of it, and its source
        self.names: dict[str, int] = {}  # which figures each stands for
        self.named: dict[str, datetime] = {}
        self.held: tuple[datetime, int] | None = None
        self.given_up: datetime | None = None

    def teardown(self) -> None:
        if hasattr(self, "undo"):
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    # --- what happens ---

    @rule(step=STEPS, total=TOTALS, name=NAMES)
    def provider_tells(self, step: timedelta, total: int, name: str) -> None:
        last = self.held[0] if self.held else self.today - 70 * DAY
        as_of = min(last + step, self.today)
        if self.held is not None and as_of == self.held[0]:
            total = self.held[1]
        self.tell(as_of, total, name)
        if self.held is not None and as_of < self.held[0]:
            return
        same = self.held is not None and self.held[1] == total
        if not same and name in self.names:
            return  # it comes late, or its name is worth nothing
        self.held = as_of, total
        if not same:
            self.add(as_of, total, "live")
            if name:
                self.names[name], self.named[name] = total, as_of

    @rule()
    def provider_tells_the_same_again(self) -> None:
        if self.held is not None:
            self.tell(*self.held)

    @rule(age=AGES, total=TOTALS)
    def file_tells(self, age: timedelta, total: int) -> None:
        as_of = self.today - age
        line = Line(as_of, total, total, 0, "live")
        try:
            importing.import_snapshots(self.account, [(2, line)])
        except importing.BadHistory:
            stands = self.kept.get(as_of) and self.put[as_of] == total
            given_up = self.given_up is not None and as_of < self.given_up
            assert not stands and (given_up or as_of in self.kept)
        else:
            assert self.put.get(as_of, total) == total
            self.add(as_of, total, "import")

    @rule()
    def night_falls(self) -> None:
        Account.objects.update(keep_days=KEPT_DAYS)
        services.keep_history()
        until = self.today - KEPT_DAYS * DAY
        if any(at < until for at in self.put):
            self.given_up = until
        heard = [at for at, source in self.kept.items() if source != "import"]
        newest = max(heard, default=datetime.min.replace(tzinfo=UTC))
        gone = {at for at in self.kept if at < until and at < newest}
        self.kept = {at: s for at, s in self.kept.items() if at not in gone}
        for name in [n for n, at in self.named.items() if at in gone]:
            del self.names[name], self.named[name]

    def tell(self, as_of: datetime, total: int, name: str = "") -> None:
        unit = self.account.unit
        reading = Reading(
            "main", unit, total, total, as_of=as_of, balance_id=name, name="Main"
        )
        moment = now()
        run = SyncRun.objects.create(connection=self.account.connection, kind="manual")
        heard = Heard(Observation([reading]), moment, moment)
        record([Entry(run, heard=heard)])

    def add(self, as_of: datetime, total: int, source: str) -> None:
        self.put.setdefault(as_of, total)
        self.kept.setdefault(as_of, source)

    # --- what holds ---

    @invariant()
    def snapshots_are_those_that_were_put_and_kept(self) -> None:
        if not hasattr(self, "put"):
            return
        told = self.account.snapshots.values_list("as_of", "total", "source")
        assert {at: (n, s) for at, n, s in told} == {
            at: (self.put[at], source) for at, source in self.kept.items()
        }

    @invariant()
    def names_are_those_of_kept_snapshots(self) -> None:
        if not hasattr(self, "put"):
            return
        told = SnapshotKey.objects.values_list("key", "as_of")
        assert dict(told) == self.named

    @invariant()
    def days_are_what_all_snapshots_say(self) -> None:
        if not hasattr(self, "put"):
            return
        days = defaultdict(list)
        for point in sorted(self.put.items()):
            days[point[0].date()].append(point)
        fields = day_of([(self.today, 0)])._fields
        told = {
            row.day: tuple(getattr(row, name) for name in fields)
            for row in BalanceDay.objects.all()
        }
        assert told == {day: day_of(points) for day, points in days.items()}

    @invariant()
    def balance_is_the_newest_that_was_believed(self) -> None:
        if not hasattr(self, "put") or self.held is None:
            return
        row = self.account.__class__.objects.get().balance
        assert (row.as_of, row.total) == self.held

    @invariant()
    def trend_is_that_of_everything_ever_put(self) -> None:
        if not hasattr(self, "put") or not self.put:
            return
        account = Account.objects.select_related("balance").get()
        since, until = self.today - 80 * DAY, self.today
        first, last = min(self.put), max(self.put)
        seen = trends.trend_of(account, since, until)
        assert seen.count == len(self.put)
        assert seen.trend.first == self.put[first]
        if self.held is None or last >= self.held[0]:
            assert seen.trend.last == self.put[last]
        assert seen.trend.least == min(self.put.values())
        assert seen.trend.most == max(self.put.values())


@pytest.mark.django_db
def test_store_of_snapshots_is_what_its_model_says():
    many = max(10, settings().max_examples // 10)
    run_state_machine_as_test(
        Store,
        settings=settings(max_examples=many, stateful_step_count=16, deadline=None),
    )
