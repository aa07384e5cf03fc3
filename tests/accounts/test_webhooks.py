from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connections, transaction
from django.utils.timezone import now

import providers
from accounts import behind, publishing, services, tasks
from accounts.models import Connection, SyncRun, WebhookInbox
from accounts.services.webhooks import digest
from accounts.signals import webhook_fetched
from providers.base import TakesTypedBalances
from providers.errors import AuthenticationFailed

from .conftest import BANK

SECRET = "s" * 43


def told(name: str) -> str:
    """Return an event as the bank words it."""
    return json.dumps({"type": "transaction.created", "data": {"id": name}})


@pytest.fixture
def heard():
    """The events that whoever stands above was told of."""
    events: list[str] = []

    def note(sender, *, event_id, **_):
        events.append(event_id)

    webhook_fetched.connect(note)
    yield events
    webhook_fetched.disconnect(note)


@pytest.fixture
def listening(person) -> Connection:
    """A connection that has an address of its own."""
    _, connection = person
    services.sync([connection], "start_up")
    connection.webhook_digest = digest(SECRET)
    connection.save()
    return connection


@pytest.fixture
def at_once(monkeypatch):
    """Let what is left behind an answer be done before it: one transaction sees it."""

    def submit(work, args):
        work(*args)

    monkeypatch.setattr(behind, "_submit", submit)


@pytest.fixture
def knock(client, listening, at_once, django_capture_on_commit_callbacks):
    """Call the address, and let the workers do what it queues."""

    def knock(body: str = "", *, slug: str = BANK, secret: str = SECRET, **headers):
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(
                f"/webhooks/{slug}/{secret}/",
                body,
                content_type="application/json",
                headers=headers,
            )

    return knock


pytestmark = pytest.mark.django_db


def test_event_makes_the_balance_true_at_once(knock, person, bank, account_of, heard):
    main = person[0].account.external_id
    bank.pay(main, 12_34)

    answer = knock(told("tx_1"))

    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    assert account_of(main).balance.total == bank.balance(main)
    assert SyncRun.objects.filter(kind="webhook", status="ok").count() == 1
    assert heard == ["transaction.created:tx_1"]


def test_event_that_comes_five_times_counts_once(knock, heard):
    answers = [knock(told("tx_1")).json()["status"] for _ in range(5)]

    assert answers == ["accepted", *["duplicate"] * 4]
    assert WebhookInbox.objects.get().deliveries == 5
    assert SyncRun.objects.filter(kind="webhook").count() == 1
    assert len(heard) == 1


def test_event_that_was_announced_before_it_happened_is_asked_about_all_the_same(
    knock, person, bank, account_of, heard
):
    """Who knows the address guesses its name; the true one says something else."""
    main = person[0].account.external_id
    guessed = {"type": "transaction.created", "data": {"id": "tx_1", "amount": 0}}
    assert knock(json.dumps(guessed)).json()["status"] == "accepted"
    bank.pay(main, 12_34)

    answers = [knock(told("tx_1")).json()["status"] for _ in range(3)]

    assert answers == ["accepted", "duplicate", "duplicate"]
    assert account_of(main).balance.total == bank.balance(main)
    event = WebhookInbox.objects.get()
    assert (event.text, event.deliveries) == (told("tx_1"), 4)
    assert heard == ["transaction.created:tx_1"] * 2  # by one name: a run starts once


def test_event_that_is_told_otherwise_while_it_is_announced_is_announced_again(
    listening, heard
):
    def receive(body):
        return services.receive_webhook(BANK, SECRET, {}, body.encode())

    def tell(sender, **_):
        if len(heard) == 1:
            assert receive(told("tx_1") + " ").new

    assert receive(told("tx_1")).new
    run = services.follow_webhook(listening.pk)
    webhook_fetched.connect(tell)
    tasks.run_sync(str(run.pk))
    webhook_fetched.disconnect(tell)

    assert WebhookInbox.objects.get().status == WebhookInbox.Status.WAITING


def test_what_an_event_says_is_never_believed(knock, person, bank, account_of):
    main = person[0].account.external_id
    lie = {"id": "tx_9", "account_id": main, "amount": 99_999_99, "currency": "GBP"}

    knock(json.dumps({"type": "transaction.created", "data": lie}))

    assert account_of(main).balance.total == bank.balance(main)
    assert not account_of(main).transactions.filter(external_id="tx_9").exists()


@pytest.mark.parametrize(
    "where", [{"secret": "wrong"}, {"slug": "nobody"}, {"secret": "é" * 20}]
)
def test_wrong_addresses_answer_alike_and_note_nothing(knock, where):
    answer = knock(told("tx_1"), **where)

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_webhook")
    assert not WebhookInbox.objects.exists()


def test_only_the_whole_address_and_the_whole_event_count(client, listening):
    """Each character of the address is changed, and the event cut at each place."""

    def knock(body: str, secret: str = SECRET, slug: str = BANK, **headers: str):
        path = f"/webhooks/{slug}/{secret}/"
        return client.post(path, body, "application/json", headers=headers).status_code

    event = told("tx_1")
    strange = {f"{SECRET[:n]}{c}{SECRET[n + 1 :]}" for n in range(43) for c in "t"}
    strange |= {SECRET.upper(), SECRET[1:], SECRET + "s", f"{SECRET}%00"}
    assert {knock(event, secret) for secret in strange} == {404}
    assert {knock(event, slug=f"{BANK}{c}") for c in "x-1"} == {404}
    assert {knock(event[:n]) for n in range(len(event))} == {400}
    for length in ("x", "-1", "1e9", "\u0661", "99999999999999999999"):
        assert knock(event, CONTENT_LENGTH=length) == 413
    assert not WebhookInbox.objects.exists()

    assert [knock(event) for _ in range(5)] == [200] * 5
    assert WebhookInbox.objects.count() == 1


def test_id_that_no_database_takes_is_known_by_its_digest(knock, heard):
    odd = ["\ud800", "tx\0", "x" * 101]

    assert [knock(told(name)).status_code for name in odd * 2] == [200] * 6

    names = set(WebhookInbox.objects.values_list("event_id", flat=True))
    assert len(names) == 3
    assert all(name.startswith("sha256:") for name in names)


def test_address_of_an_archived_connection_is_dead(knock, listening):
    listening.archive()

    assert knock(told("tx_1")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '{"data": {}}',
        '{"type": 1, "data": {"id": "x"}}',
        '{"type": "t", "data": {"id": ""}}',
        '{"type": "t", "data": {"id": NaN}}',
    ],
)
def test_garbage_is_refused_and_notes_nothing(knock, body):
    answer = knock(body)

    assert (answer.status_code, answer.json()["code"]) == (400, "unexpected_response")
    assert not WebhookInbox.objects.exists()


def test_event_of_absurd_length_is_refused(knock):
    assert knock(told("x" * 300_000)).status_code == 413


def test_event_with_a_long_name_counts_once_too(knock):
    assert [knock(told("x" * 5000)).json()["status"] for _ in range(2)] == [
        "accepted",
        "duplicate",
    ]


def test_only_posts_are_taken(client, listening):
    assert client.get(f"/webhooks/{BANK}/{SECRET}/").status_code == 405


def test_event_whose_fetch_failed_is_fetched_later(knock, bank, heard):
    bank.fault("garbage")
    knock(told("tx_1"))
    assert heard == []
    bank.calm()
    assert services.claim_unfetched() == []  # not yet: it was tried just now
    WebhookInbox.objects.update(next_try_at=now() - timedelta(seconds=1))

    (run,) = services.claim_unfetched()
    tasks.run_sync(str(run))

    assert heard == ["transaction.created:tx_1"]
    assert WebhookInbox.objects.get().fetched_at is not None
    assert services.claim_unfetched() == []


def test_event_is_asked_about_for_hours_while_its_bank_is_out_of_order(
    knock, bank, heard
):
    bank.fault("garbage")
    knock(told("tx_1"))
    WebhookInbox.objects.update(tries=140, next_try_at=now() - timedelta(seconds=1))

    assert len(services.claim_unfetched()) == 1

    event = WebhookInbox.objects.get()
    assert event.tries == 141
    assert timedelta(minutes=9) < event.next_try_at - now() <= timedelta(minutes=10)


def test_event_that_comes_while_a_sync_runs_gets_a_sync_of_its_own(
    knock, listening, heard
):
    begun = SyncRun.objects.create(
        connection=listening, kind="manual", status="running", started=now()
    )
    knock(told("tx_1"))
    begun.status = "ok"
    begun.save()

    later = services.announce_fetched(begun)

    assert heard == []  # what that sync read may be from before the event
    tasks.run_sync(str(later.pk))
    assert heard == ["transaction.created:tx_1"]


def test_burst_of_events_is_asked_about_once_and_each_is_told(
    listening, heard, client, monkeypatch
):
    left = []
    monkeypatch.setattr(behind, "leave", lambda work, *args: left.append((work, args)))
    path = f"/webhooks/{BANK}/{SECRET}/"
    names = [f"tx_{number}" for number in range(5)]
    assert [post(client, path, name) for name in names] == ["accepted"] * 5
    asked = []
    monkeypatch.setattr(publishing, "publish", lambda _task, pk: asked.append(pk))

    for work, args in left:
        work(*args)

    assert len(asked) == 1
    tasks.run_sync(*asked)
    assert heard == [f"transaction.created:{name}" for name in names]


def test_event_that_relied_on_a_sync_which_had_begun_gets_another(
    listening, heard, monkeypatch
):
    first = listening.webhook_events.create(event_id="first", next_try_at=now())
    begun = SyncRun.objects.create(
        connection=listening, kind="webhook", status="ok", started=now()
    )

    def come(sender, *, event_id, **_):
        """Let another come while the first is told of, and rely on it."""
        listening.webhook_events.create(event_id="second", next_try_at=now())

    webhook_fetched.connect(come)
    try:
        later = services.announce_fetched(begun)
    finally:
        webhook_fetched.disconnect(come)

    assert heard == [first.event_id]
    assert later is not None and later.status == "requested"


def test_event_that_could_not_be_fetched_in_a_day_is_given_up_and_says_so(
    knock, bank, heard, caplog
):
    bank.fault("garbage")
    knock(told("tx_1"))
    late = now() - WebhookInbox.GIVEN_UP
    WebhookInbox.objects.update(created=late, next_try_at=late)
    bank.calm()

    assert services.claim_unfetched() == []
    assert services.claim_unfetched() == []

    event = WebhookInbox.objects.given_up().get()
    assert event.status == WebhookInbox.Status.GIVEN_UP
    assert caplog.text.count("webhook_given_up") == 1
    tasks.sync_batch([str(event.connection_id)], "periodic")
    assert heard == []  # after a day it is no news any more


def test_periodic_sync_tells_of_an_event_whose_own_sync_failed(knock, bank, heard):
    bank.fault("garbage")
    knock(told("tx_1"))
    event = WebhookInbox.objects.get()
    assert (heard, event.status) == ([], WebhookInbox.Status.WAITING)
    bank.calm()

    for _ in range(2):
        tasks.sync_batch([str(event.connection_id)], "periodic")

    assert heard == ["transaction.created:tx_1"]
    event.refresh_from_db()
    assert event.status == WebhookInbox.Status.FETCHED


@pytest.mark.parametrize("hours", [-5, 5])
def test_only_the_databases_clock_tells_what_a_sync_has_read(listening, heard, hours):
    """The clock of the machine that was called may be wrong."""
    with time_machine.travel(now() + timedelta(hours=hours)):
        noted = services.receive_webhook(BANK, SECRET, {}, told("tx_1").encode())
        run = services.follow_webhook(noted.connection_id)

    tasks.run_sync(str(run.pk))

    assert heard == ["transaction.created:tx_1"]


def test_events_are_forgotten_after_a_month(knock):
    knock(told("tx_1"))
    WebhookInbox.objects.update(created=now() - timedelta(days=31))

    assert services.forget_old_hints() == 1


def test_what_was_said_is_kept_for_a_week(knock):
    knock(told("tx_1"))
    assert WebhookInbox.objects.get().text == told("tx_1")

    WebhookInbox.objects.update(created=now() - timedelta(days=8))
    services.forget_old_hints()

    assert WebhookInbox.objects.get().text == ""


def test_forgery_is_neither_noted_nor_answered_with_what_was_sent(knock, monkeypatch):
    adapter = providers.load(BANK)

    def forged(*_):
        raise AuthenticationFailed("The signature is not the provider's")

    monkeypatch.setattr(adapter, "hint", forged)

    answer = knock(told("tx_1"))

    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert not WebhookInbox.objects.exists()


def test_providers_that_never_call_say_so(workspace):
    typed = (
        s
        for s in providers.slugs()
        if issubclass(providers.load(s), TakesTypedBalances)
    )
    cash = services.connect(workspace, next(typed), {})

    with pytest.raises(services.NoWebhooks):
        services.listen(cash)


@pytest.mark.django_db(transaction=True)
def test_answer_waits_for_nothing_that_is_done_behind_it(
    client, listening, monkeypatch
):
    """Neither for a queue that hangs, nor for a sync that is being written."""
    hangs, asked = threading.Event(), threading.Event()

    def publish(task, *args):
        asked.set()
        hangs.wait(30)

    monkeypatch.setattr(publishing, "publish", publish)
    path = f"/webhooks/{BANK}/{SECRET}/"
    try:
        with transaction.atomic():
            Connection.objects.select_for_update(no_key=True).get(pk=listening.pk)
            answers = in_thread(lambda: post(client, path, "tx_1"))
            again = in_thread(lambda: post(client, path, "tx_1"))
            assert not asked.is_set()  # that waits for us
        assert (answers, again) == ("accepted", "duplicate")
        assert asked.wait(30)
        assert post(client, path, "tx_2") == "accepted"
    finally:
        hangs.set()
        behind._pool.shutdown()
        behind._after_fork()
    assert SyncRun.objects.filter(kind="webhook").exists()


def post(client, path: str, name: str) -> str:
    answer = client.post(path, told(name), content_type="application/json")
    return answer.json()["status"]


def in_thread(work):
    """Return what `work` returns, on a database connection of its own."""

    def alone():
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(alone).result(30)


@pytest.mark.django_db(transaction=True)
def test_what_is_too_much_is_left_to_the_beat(listening, monkeypatch):
    monkeypatch.setattr(behind, "_room", threading.BoundedSemaphore(1))
    behind._room.acquire()
    done = []

    behind.leave(done.append, 1)
    behind._room.release()
    behind.leave(done.append, 2)

    wait_for(lambda: done)
    assert done == [2]


@pytest.mark.django_db(transaction=True)
def test_bank_itself_calls_and_the_balance_follows(
    live_server, person, bank, account_of, settings, heard
):
    settings.BALSYNC_PUBLIC_URL = live_server.url
    customer, connection = person
    services.sync([connection], "start_up")
    first = services.listen(connection).url
    second = services.listen(connection).url
    hooks = bank.ledger.topic("webhooks").values()
    assert [hook["url"] for hook in hooks] == [second]  # the older one is gone
    assert first != second
    here, _, _ = second.rpartition(second.rstrip("/").rpartition("/")[2])
    assert services.hooks(connection) == [f"{here}… (this one)"]
    assert second not in json.dumps(list(Connection.objects.values()), default=str)

    main = customer.account.external_id
    bank.pay(main, 45_67)
    wait_for(lambda: heard)

    assert account_of(main).balance.total == bank.balance(main)
    services.stop_listening(connection)
    assert not bank.ledger.topic("webhooks")
    connections.close_all()


def wait_for(done) -> None:
    until = time.monotonic() + 20
    while not done():
        assert time.monotonic() < until, "nobody called"
        time.sleep(0.05)


@pytest.mark.django_db(transaction=True)
def test_what_waits_already_is_not_done_twice():
    hangs, done = threading.Event(), []

    def work(name):
        done.append(name)
        hangs.wait(30)

    try:
        for _ in range(behind.THREADS):  # each thread has something to do
            behind.leave(lambda: work("busy"))
        for _ in range(3):
            behind.leave(done.append, "told")
        behind.leave(done.append, "told of another")
    finally:
        hangs.set()
        behind._pool.shutdown()
        behind._after_fork()

    assert sorted(done) == ["busy"] * behind.THREADS + ["told", "told of another"]
