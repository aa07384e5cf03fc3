"""What is told arrives, signed, at least once, and each time under the same id."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import threading
import time
from base64 import b64encode
from datetime import time as clock
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import connections, transaction
from django.utils.timezone import now

from accounts.events import signing
from accounts.models import Channel, Delivery, Event, Membership, Preference
from accounts.sealing import newest_key_id
from accounts.services import events, rotate_keys
from accounts.services.events import delivering, outgoing
from accounts.services.events.delivering import PAUSES, claim, settle
from accounts.services.events.messages import message
from accounts.services.events.outgoing import Answer, post
from tests import fixtures_names

from .conftest import household, later

pytestmark = pytest.mark.django_db
names = fixtures_names.names


def tell_all() -> int:
    """Do what the worker does."""
    while events.route():
        pass
    return events.deliver()


def test_event_arrives_signed_and_says_what_happened(home, webhook, happen):
    event = happen(data={"total": {"asset": "GBP/2", "minor": "1", "amount": "0.01"}})

    assert tell_all() == 1

    ((path, headers, body),) = webhook.receiver.calls
    assert path == "/hook/SECRET-PATH"
    verified = signing.verify(headers, body, webhook.key, now=int(time.time()))
    assert verified == str(event.pk)
    told = json.loads(body)
    assert told["type"] == "drift"
    assert told["workspace"] == str(home.workspace.pk)
    assert told["subject"] == {"kind": "account", "id": str(home.account.pk)}
    assert told["data"]["total"] == {"asset": "GBP/2", "minor": "1", "amount": "0.01"}
    row = Delivery.objects.get()
    assert (row.status, row.answer, row.attempts) == ("delivered", "HTTP 204", 1)
    assert tell_all() == 0


def test_what_is_rolled_back_was_never_told(home, webhook, happen):
    with pytest.raises(RuntimeError), transaction.atomic():
        happen()
        raise RuntimeError

    assert tell_all() == 0
    assert not Event.objects.exists()


def test_worker_that_dies_before_it_sends_loses_nothing(home, webhook, happen):
    event = happen()
    events.route()
    (claimed,) = claim()  # and then it dies

    assert events.deliver() == 0  # its lease is not over
    later(claimed, next_attempt_at=61)
    assert events.deliver() == 1
    assert webhook.receiver.calls[0][1]["webhook-id"] == str(event.pk)


def test_worker_that_dies_after_it_sent_repeats_the_same_message(home, webhook, happen):
    happen()
    events.route()
    (claimed,) = claim()
    asyncio.run(post(message(claimed)))  # and then it dies
    later(claimed, next_attempt_at=61)

    assert events.deliver() == 1
    first, second = webhook.receiver.calls
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[2] == second[2]


def test_worker_that_wakes_late_settles_nothing(home, webhook, happen):
    happen()
    events.route()
    (sleeper,) = claim()
    later(sleeper, next_attempt_at=61)
    events.deliver()

    assert not settle(sleeper, Answer(False, "HTTP 500"))
    assert Delivery.objects.get().status == "delivered"


def test_failures_are_tried_again_ever_later_and_given_up_in_the_end(
    home, webhook, happen
):
    webhook.receiver.status = 500
    happen()
    events.route()
    waits = []
    for _ in range(len(PAUSES)):
        assert events.deliver() == 1
        row = Delivery.objects.get()
        waits.append(row.next_attempt_at - now())
        assert row.status == "pending"
        later(row, next_attempt_at=100_000)
    assert events.deliver() == 1

    for wait, pause in zip(waits, PAUSES, strict=True):
        assert pause - timedelta(seconds=30) < wait <= pause
    row = Delivery.objects.get()
    assert (row.status, row.answer) == ("given_up", "HTTP 500")
    assert tell_all() == 0
    assert len({call[1]["webhook-id"] for call in webhook.receiver.calls}) == 1


def test_receiver_may_ask_for_more_time(home, webhook, happen):
    webhook.receiver.status, webhook.receiver.headers = 429, {"Retry-After": "900"}
    happen()
    tell_all()

    wait = Delivery.objects.get().next_attempt_at - now()
    assert timedelta(seconds=800) < wait <= timedelta(seconds=900)


def test_receiver_that_is_gone_is_asked_no_more(home, webhook, happen):
    webhook.receiver.status = 410
    happen()
    tell_all()

    webhook.channel.refresh_from_db()
    assert Delivery.objects.get().status == "given_up"
    assert not webhook.channel.enabled


def test_redirects_are_not_followed(home, webhook, happen):
    webhook.receiver.status = 302
    webhook.receiver.headers = {"Location": "http://169.254.169.254/latest/"}
    happen()
    tell_all()

    assert len(webhook.receiver.calls) == 1
    assert Delivery.objects.get().answer == "HTTP 302: redirects are not followed"


def test_a_dead_receiver_is_a_failure_like_others(home, receiver, happen):
    address = f"http://127.0.0.1:{closed_port()}/SECRET-PATH"
    events.add_channel(home.preference, "webhook", "dead", address)
    happen()
    tell_all()

    row = Delivery.objects.get()
    assert row.status == "pending"
    assert row.answer.startswith("Not reached: ")
    assert "SECRET" not in row.answer


def closed_port() -> int:
    with socket_of_nobody() as found:
        return found.getsockname()[1]


def socket_of_nobody() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    return found


def test_a_replaced_key_signs_for_a_day_beside_the_new_one(home, webhook, happen):
    fresh = events.replace_key(webhook.channel)
    happen()
    tell_all()
    _, headers, body = webhook.receiver.calls[0]
    for key in (webhook.key, fresh):
        assert signing.verify(headers, body, key, now=int(time.time()))

    Channel.objects.update(old_key_until=now() - timedelta(seconds=1))
    happen()
    tell_all()
    _, headers, body = webhook.receiver.calls[1]
    assert signing.verify(headers, body, fresh, now=int(time.time()))
    with pytest.raises(signing.BadSignature):
        signing.verify(headers, body, webhook.key, now=int(time.time()))


def sent_to(url: str, channel: Channel, happen) -> Answer:
    channel.address = {"url": url, "key": signing.new_secret()}
    channel.save()
    happen()
    events.route()
    (row,) = claim()
    return asyncio.run(post(message(row)))


@pytest.mark.parametrize(
    "addresses",
    [
        *(("127.0.0.1",), ("10.0.0.7",), ("169.254.169.254",), ("192.168.1.1",)),
        *(("::ffff:10.0.0.7",), ("8.8.8.8", "10.0.0.7"), ("10.0.0.7", "8.8.8.8")),
    ],
)
def test_name_that_turns_out_to_be_inside_is_not_called(
    settings, home, webhook, happen, names, addresses
):
    settings.WEBHOOKS_TO_LOOPBACK = False
    names.means("innocent.example", addresses)
    url = f"https://innocent.example:{webhook.receiver.port}/"

    answer = sent_to(url, webhook.channel, happen)

    assert not answer.delivered
    assert answer.text.endswith("Its host is not public")
    assert names.asked == ["innocent.example"]
    assert webhook.receiver.calls == []


def test_name_that_means_something_else_a_moment_later_is_asked_once(
    home, webhook, happen, names
):
    # Judged on the first answer, and connected to just that: no second look-up.
    names.means("rebind.example", "127.0.0.1", "127.0.0.9")
    url = f"http://rebind.example:{webhook.receiver.port}/x"

    assert sent_to(url, webhook.channel, happen).delivered
    assert names.asked == ["rebind.example"]
    assert webhook.receiver.calls[0][1]["host"].startswith("rebind.example")


def test_fifty_sweepers_deliver_each_event_once(transactional_db, receiver):
    home = household("busy")
    events.add_channel(home.preference, "webhook", "hook", receiver.url)
    rows = [
        Event(
            workspace=home.workspace,
            kind="drift",
            phase="once",
            severity="info",
            subject_kind="account",
            subject_id=home.account.pk,
            key=f"drift:{number}",
            text=str(number),
        )
        for number in range(40)
    ]
    events.tell(rows)
    ready = threading.Barrier(50)
    failed = []

    def sweep() -> None:
        try:
            ready.wait(60)
            tell_all()
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connections.close_all()

    sweepers = [threading.Thread(target=sweep) for _ in range(50)]
    for each in sweepers:
        each.start()
    for each in sweepers:
        each.join(120)

    assert failed == []
    ids = [call[1]["webhook-id"] for call in receiver.calls]
    assert sorted(ids) == sorted(str(row.pk) for row in rows)
    assert set(Delivery.objects.values_list("status", "attempts")) == {("delivered", 1)}


def test_letter_reaches_the_mail_server(home, letters, happen):
    events.add_channel(home.preference, "email", "mail", "me@example.com")
    happen(text="The rent is short")

    tell_all()

    (letter,) = letters
    assert Delivery.objects.get().answer == "Taken"
    assert "me@example.com" in letter
    assert "balsync" in letter


def test_letters_about_the_same_thing_are_held_back_and_counted(home, letters, happen):
    events.add_channel(home.preference, "email", "mail", "me@example.com")
    for _ in range(4):
        happen("balance_update", severity="info")
        tell_all()
    assert len(letters) == 1
    assert Delivery.objects.filter(status="held_back").count() == 3

    Delivery.objects.update(created=now() - timedelta(minutes=16))
    happen("balance_update", severity="info")
    tell_all()
    assert len(letters) == 2


def test_what_is_critical_is_never_held_back(home, letters, happen):
    events.add_channel(home.preference, "email", "mail", "me@example.com")
    for _ in range(3):
        happen(severity="critical")
        tell_all()

    assert len(letters) == 3


def test_quiet_hours_let_people_sleep_and_programs_work(home, letters, webhook, happen):
    local = now().astimezone(home.preference.zone)
    home.preference.quiet_from = clock(local.hour)
    home.preference.quiet_until = clock((local.hour + 2) % 24)
    home.preference.save()
    events.add_channel(home.preference, "email", "mail", "me@example.com")

    happen()
    tell_all()
    assert (len(letters), len(webhook.receiver.calls)) == (0, 1)
    assert Delivery.objects.get(channel_kind="email").next_attempt_at > now()

    happen(severity="critical")
    tell_all()
    assert (len(letters), len(webhook.receiver.calls)) == (1, 2)


def test_only_what_was_chosen_is_told(home, webhook, happen):
    home.preference.kinds = ["drift"]
    home.preference.save()
    happen("stale")
    happen("drift")
    tell_all()
    assert [json.loads(c[2])["type"] for c in webhook.receiver.calls] == ["drift"]

    Channel.objects.update(kinds=["stale"])  # narrower still: nothing is left
    happen("drift")
    tell_all()
    assert len(webhook.receiver.calls) == 1


def test_end_is_told_to_who_chose_its_beginning(home, webhook, happen):
    home.preference.kinds = ["fallback_activated"]
    home.preference.save()
    happen("source_recovered")
    tell_all()

    assert json.loads(webhook.receiver.calls[0][2])["type"] == "source_recovered"


def test_nobody_hears_of_other_workspaces_or_after_leaving(home, webhook, happen):
    other = household("other")
    happen(workspace=other.workspace)
    stranger = User.objects.create_user("somebody")
    happen(recipient=stranger)
    tell_all()
    assert webhook.receiver.calls == []

    Membership.objects.filter(user=home.user).delete()
    happen()
    tell_all()
    assert webhook.receiver.calls == []


def test_a_disabled_channel_is_sent_nothing_that_was_due_before(home, webhook, happen):
    happen()
    events.route()
    Channel.objects.update(enabled=False)
    events.deliver()

    assert webhook.receiver.calls == []
    assert Delivery.objects.get().status == "given_up"


def test_test_message_goes_to_its_channel_alone(home, webhook):
    events.add_channel(home.preference, "webhook", "other", webhook.receiver.url)
    row = events.send_test(webhook.channel)
    tell_all()

    assert len(webhook.receiver.calls) == 1
    row.refresh_from_db()
    assert row.status == "delivered"


def test_no_secret_reaches_a_log_a_row_or_the_database_in_clear(
    home, webhook, letters, happen
):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        events.add_channel(
            home.preference, "chat", "chat", "discord://4174216298/SECRET-TOKEN-jvE7"
        )
        for status in (204, 500, 302, 410):
            webhook.receiver.status = status
            happen(severity="critical")
            events.route()
            (row, *_) = claim(50)
            answer = asyncio.run(post(message(row)))
            settle(row, answer)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    key = webhook.key.removeprefix("whsec_")
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT row_to_json(c)::text FROM accounts_channel c "
            "UNION ALL SELECT row_to_json(d)::text FROM accounts_delivery d"
        )
        stored = " ".join(text for (text,) in cursor.fetchall())
    for secret in ("SECRET-PATH", "SECRET-TOKEN", key):
        assert secret not in stream.getvalue()
        assert secret not in stored
        assert secret.encode().hex() not in stored
    assert "event_delivery" in stream.getvalue()
    assert "SECRET" not in repr(message(row))


def test_channels_are_sealed_again_with_the_newest_key(settings, home, webhook):
    fresh = "new:" + b64encode(os.urandom(32)).decode()
    settings.CREDENTIAL_KEYS = [fresh, *settings.CREDENTIAL_KEYS]

    rotate_keys()

    row = Channel.objects.get(pk=webhook.channel.pk)
    assert row.address.key_id == newest_key_id() == "new"
    assert row.open_address()["url"] == webhook.receiver.url


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "http://example.com/"),
        ("webhook", "https://169.254.169.254/"),
        ("email", "me"),
        ("email", "me@example.com?smtp=10.0.0.1"),
        ("email", "a@example.com\r\nBcc: b@example.com"),
        ("chat", "https://10.0.0.1/"),
        ("chat", "json://10.0.0.1/"),
        ("chat", "xml://10.0.0.1/"),
        ("chat", "mailto://user:pass@10.0.0.1"),
        ("chat", "ntfy://10.0.0.1/topic"),
        ("chat", "matrix://u:p@10.0.0.1/#x"),
        ("chat", "msteams://a/b/c/?template=/etc/passwd"),
        ("chat", "discord://4174216298/JHMHI8qBe7bk?verify=no"),
        ("chat", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%3Fx"),
        ("chat", "slack://"),
        ("chat", "discord://x"),
        ("chat", "file:///etc/passwd"),
        ("chat", "exec://ls"),
    ],
)
def test_address_that_could_lead_inside_is_refused(settings, home, kind, address):
    settings.MAIL_URL = "mailto://127.0.0.1:9?from=b@example.com"
    with pytest.raises(events.CannotReach):
        events.add_channel(home.preference, kind, "x", address)
    assert not Channel.objects.exists()


def test_mail_needs_the_operators_server(settings, home):
    settings.MAIL_URL = ""
    with pytest.raises(events.CannotReach, match="BALSYNC_MAIL_URL"):
        events.add_channel(home.preference, "email", "x", "me@example.com")


@pytest.mark.parametrize(
    "address",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    ],
)
def test_chat_services_are_known_by_their_own_addresses(home, address):
    channel, key = events.add_channel(home.preference, "chat", "x", address)

    assert key is None
    assert channel.shown == address.partition(":")[0]


def test_events_are_forgotten_after_their_time(home, webhook, happen):
    old, young = happen(), happen()
    tell_all()
    Event.objects.filter(pk=old.pk).update(created=now() - timedelta(days=91))

    events.forget_old()

    assert list(Event.objects.all()) == [young]
    assert Delivery.objects.get().event_id == young.pk
    assert Preference.objects.exists()


def test_try_that_nobody_thought_of_repeats_no_other_message(home, webhook, happen):
    broken, _ = events.add_channel(
        home.preference, "webhook", "broken", webhook.receiver.url
    )
    broken.address = {"url": webhook.receiver.url, "key": "whsec_no base64"}
    broken.save()
    happen()

    tell_all()

    told = {row.channel_name: row for row in Delivery.objects.all()}
    sound = told[webhook.channel.name]
    assert (sound.status, len(webhook.receiver.calls)) == ("delivered", 1)
    failed = told["broken"]
    assert (failed.status, failed.attempts) == ("pending", 1)
    assert (failed.answer, failed.next_attempt_at > now()) == (
        "Not sent: ValueError",
        True,
    )


def test_mail_server_that_hesitates_holds_up_no_other_message(
    home, webhook, mail, happen, monkeypatch
):
    events.add_channel(home.preference, "email", "mail", "me@example.com")
    monkeypatch.setattr(outgoing, "PATIENCE", 0.1)
    mail.hold = threading.Event()
    settled = delivering.settle

    def settling(row, answer):
        mail.hold.set()  # only once all that came of the others is being written
        return settled(row, answer)

    monkeypatch.setattr(delivering, "settle", settling)
    happen()

    tell_all()

    told = {row.channel_kind: row.answer for row in Delivery.objects.all()}
    assert told == {"webhook": "HTTP 204", "email": "No answer in time"}
    assert mail.arrived.wait(60)  # the server was still being talked to


def test_letter_reaches_an_address_in_other_letters_than_ours(home, letters, happen):
    events.add_channel(home.preference, "email", "mail", "me@b\u00fccher.example")
    happen()

    tell_all()

    assert Delivery.objects.get().answer == "Taken"
    assert "me@xn--bcher-kva.example" in letters[0]
