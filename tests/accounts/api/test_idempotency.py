"""One key, one effect, whatever is repeated, changed, or sent at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from accounts import services, tasks
from accounts.api import idempotency
from accounts.models import Account, Connection, IdempotencyKey, Workspace
from accounts.services import connecting
from tests.fixtures_api import (
    ASSET,
    V1,
    bank_slug,
    build_world,
    cash_slug,
    expect_problem,
    member,
)

KEYED = {"Idempotency-Key": "k1"}


def connect(client, key="k1", **body):
    body = {"provider": cash_slug(), "label": "Purse"} | body
    return client.post(f"{V1}/connections/", body, headers={"Idempotency-Key": key})


def test_repeat_gets_the_stored_answer_and_has_no_effect(world):
    count = Connection.objects.count()
    first, second = connect(world.admin), connect(world.admin)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Connection.objects.count() == count + 1


def test_without_a_key_every_request_counts(world):
    body = {"provider": cash_slug()}
    first = world.admin.post(f"{V1}/connections/", body)
    second = world.admin.post(f"{V1}/connections/", body)

    assert first.json()["id"] != second.json()["id"]
    assert not IdempotencyKey.objects.exists()


def test_same_key_with_another_body_is_422(world):
    connect(world.admin)

    expect_problem(connect(world.admin, label="Other"), 422, "idempotency_key_reused")


def test_order_of_fields_is_no_difference(world):
    a = {"provider": cash_slug(), "label": "x"}
    first = world.admin.post(f"{V1}/connections/", a, headers=KEYED)
    b = dict(reversed(a.items()))
    again = world.admin.post(f"{V1}/connections/", b, headers=KEYED)

    assert first.content == again.content


def test_key_belongs_to_its_caller(world):
    other = member("second", (world.mine.workspace, "admin"))

    assert connect(world.admin).json()["id"] != connect(other).json()["id"]


def test_key_belongs_to_its_route(world, published):
    first, second = world.mine, world.mine.cash
    a = world.operator.post(
        f"{V1}/connections/{first.connection.pk}/sync/", headers=KEYED
    )
    b = world.operator.post(
        f"{V1}/connections/{second.connection_id}/sync/", headers=KEYED
    )

    assert a.json()["connection"] != b.json()["connection"]


def test_failed_request_does_not_use_its_key_up(world):
    expect_problem(connect(world.admin, label=5), 400, "invalid")
    assert not IdempotencyKey.objects.exists()

    assert connect(world.admin).status_code == 201


@pytest.mark.parametrize("key", ["", " ", " x", "x ", "é", "a\tb", "x" * 256])
def test_unprintable_or_long_keys_are_400(world, key):
    expect_problem(connect(world.admin, key), 400, "idempotency_key_invalid")


@pytest.mark.parametrize("key", ["x", "x y", "~" * 255])
def test_any_printable_key_will_do(world, key):
    assert connect(world.admin, key).status_code == 201


@pytest.mark.parametrize(("days", "left"), [(6, 1), (8, 0)])
def test_answers_are_forgotten_after_a_week(world, days, left, monkeypatch):
    monkeypatch.setattr("accounts.models.idempotency.BATCH", 2)
    for number in range(5):
        connect(world.admin, key=f"old {number}")
    IdempotencyKey.objects.update(created=now() - timedelta(days=days))
    connect(world.admin, key="young")

    tasks.forget_old_answers()

    assert IdempotencyKey.objects.count() == 5 * left + 1


def test_key_that_was_forgotten_counts_as_new(world):
    connect(world.admin)
    IdempotencyKey.objects.update(created=now() - timedelta(days=8))
    tasks.forget_old_answers()

    again = connect(world.admin)

    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers


def test_beat_forgets_answers_once_a_day(db):
    row = PeriodicTask.objects.get(task=tasks.forget_old_answers.name)

    assert (row.interval.every, row.interval.period) == (1, "days")
    assert PeriodicTask.objects.count() < 20


def test_stored_answer_is_sealed(world):
    path = f"{V1}/connections/{world.mine.connection.pk}/authorize/"
    first = world.admin.post(path, headers=KEYED)
    again = world.admin.post(path, headers=KEYED)

    assert first.content == again.content
    kept = IdempotencyKey.objects.get()
    assert "http" not in kept.body
    assert first.json()["url"] not in kept.body


def test_sealed_answer_opens_for_its_own_key_only(world):
    connect(world.admin, "a")
    connect(world.admin, "b", label="Other")
    a, b = (IdempotencyKey.objects.get(key=k) for k in "ab")
    b.body = a.body
    b.save()

    expect_problem(
        connect(world.admin, "b", label="Other"), 503, "credentials_unreadable"
    )


@pytest.fixture
def calls(world, settings, monkeypatch) -> list:
    """Every call to the provider, which cannot be reached."""
    settings.PROVIDER_URLS = {bank_slug(): "http://127.0.0.1:9"}
    made, ask = [], services.test_connection

    def counted(connection):
        made.append(connection.pk)
        return ask(connection)

    monkeypatch.setattr(services, "test_connection", counted)
    return made


def try_out(world):
    path = f"{V1}/connections/{world.mine.connection.pk}/test/"
    return world.operator.post(path, headers=KEYED)


def test_repeated_call_to_a_provider_is_made_once(world, calls):
    first, again = try_out(world), try_out(world)

    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(calls) == 1


def test_repeat_of_an_unfinished_call_to_a_provider_is_409(world, calls, monkeypatch):
    monkeypatch.setattr(idempotency, "PATIENCE", 0.3)
    try_out(world)
    IdempotencyKey.objects.update(status=None, body=None)

    told = try_out(world)

    expect_problem(told, 409, "still_running")
    assert told.headers["Retry-After"] == "2"
    assert len(calls) == 1


def test_call_whose_process_died_is_taken_over(world, calls):
    try_out(world)
    IdempotencyKey.objects.update(
        status=None, body=None, created=now() - timedelta(minutes=5)
    )

    assert try_out(world).status_code == 200
    assert len(calls) == 2
    assert IdempotencyKey.objects.get().status == 200


def test_typed_balance_is_written_once_per_key(world):
    path = f"{V1}/accounts/{world.mine.cash.pk}/snapshots/"
    body = {"total": {"asset": ASSET, "minor": "5"}}
    first = world.operator.post(path, body, headers=KEYED)
    again = world.operator.post(path, body, headers=KEYED)

    assert (first.status_code, first.content) == (201, again.content)
    assert world.mine.cash.snapshots.count() == 1


def test_failed_call_to_a_provider_may_be_tried_again_under_its_key(world, settings):
    settings.PROVIDER_URLS = {bank_slug(): "http://127.0.0.1:9"}
    path = f"{V1}/accounts/{world.mine.main.pk}/snapshots/"

    expect_problem(world.operator.post(path, headers=KEYED), 502)

    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Real commits, real threads: what holds is held by PostgreSQL."""

    @pytest.fixture
    def world(self):
        return build_world()

    @pytest.fixture
    def held_up(self, monkeypatch):
        """Return what says that the winner is at work, and what lets it go on."""
        inside, go_on = threading.Event(), threading.Event()
        adapter = connecting._adapter

        def slow(slug):
            inside.set()
            assert go_on.wait(timeout=30)
            return adapter(slug)

        monkeypatch.setattr(connecting, "_adapter", slow)
        return inside, go_on

    def together(self, count, ask):
        barrier = threading.Barrier(count)

        def one(number):
            try:
                barrier.wait(timeout=30)
                return ask(number)
            finally:
                database.close()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    def test_twenty_posts_with_one_key_have_one_effect(self, world):
        count = Connection.objects.count()

        answers = self.together(20, lambda _: connect(world.admin))

        assert {a.status_code for a in answers} == {201}
        assert len({a.content for a in answers}) == 1
        replays = [a for a in answers if a.headers.get("Idempotent-Replayed")]
        assert len(replays) == 19
        assert Connection.objects.count() == count + 1

    def test_twenty_calls_to_a_provider_with_one_key_are_one_call(self, world, calls):
        answers = self.together(20, lambda _: try_out(world))

        assert {a.status_code for a in answers} == {200}
        assert len({a.content for a in answers}) == 1
        assert len(calls) == 1

    def test_twenty_typed_balances_with_one_key_are_one(self, world):
        path = f"{V1}/accounts/{world.mine.cash.pk}/snapshots/"
        body = {"total": {"asset": ASSET, "minor": "5"}}

        answers = self.together(
            20, lambda _: world.operator.post(path, body, headers=KEYED)
        )

        assert {a.status_code for a in answers} == {201}
        assert len({a.content for a in answers}) == 1
        assert world.mine.cash.snapshots.count() == 1

    def test_of_two_bodies_at_once_one_wins_and_the_other_is_422(self, world):
        answers = self.together(
            8, lambda n: connect(world.admin, label=f"label {n % 2}")
        )

        assert sorted({a.status_code for a in answers}) == [201, 422]
        labels = {a.json()["label"] for a in answers if a.status_code == 201}
        assert len(labels) == 1

    def test_loser_waits_while_the_winner_works_and_gets_its_answer(
        self, world, held_up
    ):
        inside, go_on = held_up

        def ask(number):
            if number == 1:
                assert inside.wait(timeout=30)
                threading.Timer(0.5, go_on.set).start()
            return connect(world.admin)

        first, second = self.together(2, ask)

        assert first.content == second.content
        assert second.headers["Idempotent-Replayed"] == "true"

    def test_loser_gives_up_when_the_winner_takes_too_long(
        self, world, held_up, monkeypatch
    ):
        monkeypatch.setattr(idempotency, "PATIENCE", 1.0)
        inside, go_on = held_up

        def ask(number):
            if number == 0:
                return connect(world.admin)
            assert inside.wait(timeout=30)
            try:
                return connect(world.admin)
            finally:
                go_on.set()

        first, second = self.together(2, ask)

        assert first.status_code == 201
        expect_problem(second, 409, "still_running")

    def test_winner_that_fails_leaves_the_key_to_the_loser(self, world, monkeypatch):
        inside, failed = threading.Event(), []
        adapter = connecting._adapter

        def fails_once(slug):
            if not failed:
                failed.append(slug)
                inside.set()
                raise connecting.UnknownProvider("gone")
            return adapter(slug)

        monkeypatch.setattr(connecting, "_adapter", fails_once)

        def ask(number):
            if number == 1:
                assert inside.wait(timeout=30)
            return connect(world.admin)

        first, second = self.together(2, ask)

        assert first.status_code >= 400
        assert second.status_code == 201
        assert "Idempotent-Replayed" not in second.headers

    def test_lock_timeout_is_back_to_normal_after_the_claim(self, world):
        with database.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            usual = cursor.fetchone()
        seen = []
        original = Workspace.objects.get

        def look(*args, **kwargs):
            with database.cursor() as cursor:
                cursor.execute("SHOW lock_timeout")
                seen.append(cursor.fetchone())
            return original(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(Workspace.objects), "get", look)
            connect(world.admin)

        assert usual in seen
        assert Account.objects.exists()
