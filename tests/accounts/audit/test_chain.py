"""The chain that seals the audit shows every tampering, even that of a superuser."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django_celery_beat.models import PeriodicTask
from hypothesis import given
from hypothesis import strategies as st

from accounts import services, tasks
from accounts.links import GENESIS, Link, Walk, canonical, link
from accounts.models import AuditEvent, AuditSeal
from automation.models import Transfer
from tests import fixtures_api
from tests.guards import unguarded

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
world = fixtures_api.world


# -- the chain by itself


def chain_of(texts: list[str]) -> list[Link]:
    head, links = GENESIS, []
    for position, text in enumerate(texts, start=1):
        head = link(head, text)
        links.append(Link(position, position, head, NOON, text, NOON))
    return links


def walked(links: list[Link], expected: str = "") -> Walk:
    walk = Walk(expected)
    for one in links:
        walk.take(one)
    walk.finish()
    return walk


@given(st.lists(st.text(max_size=5), min_size=1, max_size=8), st.data())
def test_a_chain_holds_until_one_text_is_another(texts, data):
    links = chain_of(texts)
    assert walked(links, links[-1].hash).breaks == []

    at = data.draw(st.integers(0, len(texts) - 1))
    one = links[at]
    links[at] = Link(one.position, one.event, one.hash, NOON, f"{one.text}!", NOON)

    [told] = walked(links).breaks
    assert told.startswith(f"link {at + 1}: event {at + 1} is not what was sealed")


@given(st.lists(st.text(max_size=5), min_size=1, max_size=8), st.data())
def test_a_chain_that_was_made_anew_has_another_head(texts, data):
    kept = chain_of(texts)[-1].hash
    at = data.draw(st.integers(0, len(texts) - 1))
    shorter = chain_of(texts[:at] + texts[at + 1 :])

    assert walked(shorter).breaks == []
    [told] = walked(shorter, kept).breaks
    assert "the head that was kept" in told


def test_numbers_and_moments_are_hashed_as_strings():
    assert canonical({"b": NOON, "a": [1, None, True]}) == (
        '{"a":["1",null,true],"b":"2026-03-01T12:00:00+00:00"}'
    )


# -- the chain in the database


def run(sql: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def tamper(sql: str, *params: object) -> None:
    """Do what only a superuser can: no trigger sees it."""
    run("SET LOCAL session_replication_role = 'replica'")
    run(sql, *params)
    run("SET LOCAL session_replication_role = 'origin'")


@pytest.fixture
def sealed(db) -> list[AuditEvent]:
    """Five events, sealed; what the migrations did stands before them."""
    made = [services.audit("balance.synced", new={"total": n}) for n in range(5)]
    tasks.seal_audit()
    return made


def verify(**options) -> dict:
    """Return what the command says; `failed` is whether it exits 1."""
    out = StringIO()
    try:
        call_command("verify_chain", json=True, stdout=out, **options)
    except CommandError as error:
        assert error.returncode == 1
        return json.loads(out.getvalue()) | {"failed": True}
    return json.loads(out.getvalue()) | {"failed": False}


def position(event: AuditEvent) -> int:
    return AuditSeal.objects.get(event=event).position


def test_an_untouched_chain_holds_and_tells_its_head(sealed):
    services.audit("balance.synced")

    told = verify()

    assert not told["failed"]
    assert told["count"] == AuditSeal.objects.count() >= 5
    assert told["head"] == AuditSeal.objects.latest("position").hash
    assert told["waiting"] == 1


def test_a_changed_row_is_named(sealed):
    tamper(
        'UPDATE accounts_auditevent SET new = \'{"total": "9"}\' WHERE id = %s',
        sealed[2].pk,
    )

    told = verify()

    assert told["failed"]
    [text] = told["breaks"]
    assert f"event {sealed[2].pk} is not what was sealed" in text


@pytest.mark.parametrize("link_too", [False, True])
def test_a_row_that_was_removed_from_the_middle_is_named(sealed, link_too):
    at = position(sealed[2])
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", sealed[2].pk)
    if link_too:
        tamper("DELETE FROM accounts_auditseal WHERE position = %s", at)

    told = verify()

    assert told["failed"]
    wanted = f"link {at} removed" if link_too else f"event {sealed[2].pk} was removed"
    assert any(wanted in text for text in told["breaks"])


def test_a_middle_that_was_closed_up_again_is_found(sealed):
    at = position(sealed[2])
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", sealed[2].pk)
    tamper("DELETE FROM accounts_auditseal WHERE position = %s", at)
    for later in AuditSeal.objects.filter(position__gt=at).order_by("position"):
        tamper(
            "UPDATE accounts_auditseal SET position = position - 1 WHERE position = %s",
            later.position,
        )

    told = verify()

    assert told["failed"]
    assert told["breaks"][0].startswith(f"link {at}: event {sealed[3].pk} is not")


def test_an_end_that_was_cut_off_is_found_by_the_head_that_was_kept(sealed):
    kept = verify()["head"]
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", sealed[4].pk)
    tamper("DELETE FROM accounts_auditseal WHERE event_id = %s", sealed[4].pk)

    assert not verify()["failed"]
    assert verify(expect_head=kept)["failed"]


def test_a_kept_head_stands_while_the_chain_grows(sealed):
    kept = verify()["head"]
    services.audit("balance.synced")
    tasks.seal_audit()

    told = verify(expect_head=kept)

    assert (told["failed"], told["since_expected"]) == (False, 1)


@pytest.mark.parametrize("forged", [False, True])
def test_an_inserted_row_is_named(sealed, forged):
    row = (
        "INSERT INTO accounts_auditevent (id, created, via, actor, action, object_kind,"
        " object_id, old, new, reason, request_id) VALUES (%s, now(), 'api', 'ada',"
        " 'balance.synced', '', '', '{}', '{}', '', '')"
    )
    tamper(row, 10**9)
    if forged:
        tamper(
            "INSERT INTO accounts_auditseal (position, event_id, hash, sealed_at) "
            "VALUES (%s, %s, %s, now())",
            AuditSeal.objects.latest("position").position + 1,
            10**9,
            "a" * 64,
        )

    told = verify()

    assert told["failed"]
    assert all("event 1000000000 " in text for text in told["breaks"])


def test_a_row_that_was_dated_back_is_told_of(sealed):
    made = services.audit("balance.synced")
    tamper(
        "UPDATE accounts_auditevent SET created = '2020-01-01' WHERE id = %s", made.pk
    )
    tasks.seal_audit()

    told = verify()

    assert not told["failed"]
    [text] = told["late"]
    assert f"event {made.pk} says 2020-01-01" in text


def test_a_transfer_that_says_something_else_than_was_sealed_is_named(world):
    row = world.mine.transfer
    told = AuditEvent.objects.get(object_kind="transfer", object_id=str(row.pk))
    assert (told.action, told.new["amount"]) == ("transfer.done", "700")
    assert told.workspace_id == world.mine.workspace.pk
    assert not verify()["failed"]

    with unguarded():
        Transfer.objects.filter(pk=row.pk).update(amount=70_000)

    [text] = verify()["breaks"]
    assert text == f"transfer {row.pk}: amount is 70000, and was 700"


@pytest.mark.django_db
def test_beat_seals_every_minute_and_has_few_rows():
    [row] = PeriodicTask.objects.filter(task="accounts.tasks.seal_audit")

    assert row.enabled
    assert (row.interval.every, row.interval.period) == (60, "seconds")
    assert PeriodicTask.objects.count() < 20


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_late_is_sealed_late_and_two_sealers_make_one_chain():
    """The first to count commits last, and both sealers come at once."""
    counted, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            services.audit("balance.synced", reason="slow")
            counted.set()
            may_commit.wait(30)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    counted.wait(30)
    with transaction.atomic():
        services.audit("balance.synced", reason="fast")
    sealers = [threading.Thread(target=seal_and_close) for _ in range(4)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    may_commit.set()
    thread.join()
    slow_one = AuditEvent.objects.get(reason="slow")
    fast_one = AuditEvent.objects.get(reason="fast")
    services.seal()

    assert slow_one.pk < fast_one.pk
    assert position(slow_one) == position(fast_one) + 1
    assert not verify()["failed"]


def seal_and_close() -> None:
    services.seal()
    connection.close()
