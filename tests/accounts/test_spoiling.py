"""What is odd about one connection, or set by one workspace, spoils nobody else's sync."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import Account, CheckSetting, Connection, Transaction, Workspace
from accounts.services import movements
from accounts.services.entries import Entry
from accounts.services.recording import record
from accounts.services.sync import new_run
from accounts.verdicts import Heard
from providers.base import History, Movement, Observation, Reading
from providers.money import Asset

pytestmark = pytest.mark.django_db
POUNDS = Asset("GBP", 2)


def test_half_a_character_in_what_a_bank_says_fails_its_own_connection_alone(
    people, bank
):
    connections = [connection for _, connection in people(2, pots=1)]
    odd = {"status": 403, "body": {"code": "forbidden.\ud800"}}
    bank.fault("refuse", path="/accounts", times=1, **odd)

    runs = services.sync(connections, "periodic")

    assert sorted(run.status for run in runs) == ["failed", "ok"]
    [failed] = (run for run in runs if run.status == "failed")
    assert failed.error_code == "account_unusable"
    assert failed.error.endswith("forbidden.?")
    kept = Connection.objects.get(pk=failed.connection_id)
    assert (kept.health, kept.error) == ("failing", failed.error)


def test_answer_that_cannot_be_judged_fails_its_own_connection_alone(workspace):
    here = {"workspace": workspace, "provider": "somewhere"}
    odd, good = (Connection.objects.create(**here) for _ in range(2))
    moment = now()

    def entry(owner: Connection, as_of: datetime) -> Entry:
        told = Reading(f"of-{owner.pk}", POUNDS, 5, 5, as_of=as_of)
        heard = Heard(Observation([told]), moment, moment)
        run = new_run(owner, "periodic")
        run.started = moment
        return Entry(run, heard=heard, covers=lambda name: True)

    # Without its zone a moment cannot be compared with any other.
    entries = [entry(odd, moment.replace(tzinfo=None)), entry(good, moment)]
    record(entries)

    told = {e.connection_id: (e.run.status, e.run.error_code) for e in entries}
    assert told == {odd.pk: ("failed", "unstorable"), good.pk: ("ok", "")}
    assert Account.objects.get().connection == good


def test_absurd_threshold_of_one_workspace_stops_no_sync_of_any(people, bank):
    [(_, connection)] = people(1, pots=1)
    elsewhere = Workspace.objects.create(name="elsewhere")
    for place in (connection.workspace, elsewhere):
        setting = CheckSetting(workspace=place, rule="stale", threshold=10**40)
        setting.full_clean()
        setting.save()

    [run] = services.sync([connection], "periodic")

    assert (run.status, run.error) == ("ok", "")


def test_movements_whose_ids_are_alike_once_they_are_cut_are_written_once(account):
    since = now() - timedelta(days=1)
    ids = [f"{'x' * 100}{end}" for end in "ab"]
    told = [Movement(name, 5, POUNDS, now()) for name in ids]
    visit = SimpleNamespace(
        histories={"main": History(told, "")},
        before={"main": None},
        fetched_at=now(),
        since=since,
    )

    movements.write_all([({"main": account.pk}, visit)])

    assert Transaction.objects.get().external_id == "x" * 100
