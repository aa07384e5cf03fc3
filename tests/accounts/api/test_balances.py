"""The instant answer: at once, with its age, and never a zero that nobody read."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

import pytest
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts import services
from accounts.models import Balance, Connection, SyncRun
from tests.fixtures_api import V1, account, expect_problem, fields_of

NAMES = {
    *("account", "asset", "total", "available", "held", "as_of", "fetched_at"),
    *("age_seconds", "source", "status", "stale", "updating", "error"),
    "found_in",
}


def path(account, query=""):
    return f"{V1}/accounts/{account.pk}/balance/{query}"


@pytest.fixture
def fresh(world):
    moment = now()
    Balance.objects.update(as_of=moment, fetched_at=moment)
    return world.mine.main


def test_answer_has_the_contract_s_members(world, fresh, published):
    told = world.viewer.get(path(fresh)).json()

    assert set(told) == NAMES
    assert told["total"] == {"asset": "GBP/2", "minor": "100000", "amount": "1000.00"}
    assert (told["status"], told["stale"], told["updating"]) == ("ok", False, False)
    assert published == []


def test_cold_start_is_202_with_nulls_and_starts_a_refresh(world, published):
    unread = account(world.mine.connection, "New", None)

    answer = world.viewer.get(path(unread))

    told = answer.json()
    assert answer.status_code == 202
    assert told["status"] == "unknown"
    assert told["total"] is told["available"] is told["held"] is told["as_of"] is None
    assert told["updating"] is True
    assert published == [("accounts.tasks.refresh", str(world.mine.connection.pk))]


def test_however_many_ask_one_refresh_is_in_flight(world, published):
    runs = SyncRun.objects.count()
    for _ in range(5):
        assert world.viewer.get(path(world.mine.main)).json()["updating"] is True

    assert published == [("accounts.tasks.refresh", str(world.mine.connection.pk))]
    assert SyncRun.objects.count() == runs  # the worker writes it, not the request

    for _ in range(2):
        services.request_refresh(world.mine.connection.pk)
    assert SyncRun.objects.count() == runs + 1


@pytest.mark.parametrize(
    "reason",
    [
        {"health": Connection.Health.RECONNECT_NEEDED},
        {"archived_at": Now()},
        {"failures": 1, "last_sync_at": Now()},
        {"last_sync_at": Now() + timedelta(seconds=5)},
    ],
)
def test_nobody_is_asked_where_asking_cannot_help(world, published, reason):
    Connection.objects.filter(pk=world.mine.connection.pk).update(**reason)

    told = world.viewer.get(path(world.mine.main)).json()

    assert (told["stale"], told["updating"], published) == (True, False, [])


def test_typed_balances_are_never_refreshed(world, published):
    assert world.viewer.get(path(world.mine.cash)).status_code == 202
    assert published == []


def test_max_age_decides_what_is_stale(world, fresh, published):
    Balance.objects.update(as_of=now() - timedelta(seconds=60))

    assert world.viewer.get(path(fresh, "?max_age=30")).json()["stale"] is True
    assert world.viewer.get(path(fresh, "?max_age=90")).json()["stale"] is False


def test_wait_is_bounded(world, published):
    began = monotonic()

    told = world.viewer.get(path(world.mine.main, "?wait=1")).json()

    assert told["stale"] is True
    assert 0.9 < monotonic() - began < 5


def test_wait_ends_when_the_reading_comes(world, monkeypatch):
    def arrives(_task, run):
        SyncRun.objects.filter(pk=run).update(status="ok", finished=now())
        Balance.objects.update(as_of=now(), fetched_at=now(), total=7, available=7)

    monkeypatch.setattr("accounts.publishing.publish", arrives)
    began = monotonic()

    told = world.viewer.get(path(world.mine.main, "?wait=10")).json()

    assert (told["total"]["minor"], told["stale"]) == ("7", False)
    assert monotonic() - began < 5


@pytest.mark.parametrize("name", ["max_age", "wait"])
@pytest.mark.parametrize("value", ["-1", "1_0", "+5", " 5", "1.5", "x", "٣", "1e3", ""])
def test_odd_numbers_are_400(world, name, value):
    answer = world.viewer.get(path(world.mine.main), {name: value})

    assert fields_of(expect_problem(answer, 400)) == {name: "invalid"}


def test_long_waits_are_400(world):
    expect_problem(world.viewer.get(path(world.mine.main, "?wait=11")), 400)


def test_same_etag_is_304_without_a_body(world, fresh, published):
    first = world.viewer.get(path(fresh))
    tag = first.headers["ETag"]

    for told in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        again = world.viewer.get(path(fresh), headers={"If-None-Match": told})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag


def test_age_alone_is_no_news_but_an_amount_is(world, fresh, published):
    tag = world.viewer.get(path(fresh)).headers["ETag"]
    assert world.viewer.get(path(fresh)).headers["ETag"] == tag

    Balance.objects.filter(account=fresh).update(total=1)

    changed = world.viewer.get(path(fresh), headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_unknown_is_never_cached(world, published):
    answer = world.viewer.get(path(world.mine.cash), headers={"If-None-Match": "*"})

    assert answer.status_code == 202
    assert "ETag" not in answer.headers


def test_answer_takes_few_queries(world, fresh, django_assert_max_num_queries):
    with django_assert_max_num_queries(7):
        answer = world.viewer.get(path(fresh))

    assert answer.status_code == 200
