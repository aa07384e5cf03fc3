"""Each person chooses what to hear of; secrets are shown once; nobody sees another's."""

from __future__ import annotations

import pytest

from accounts.models import Channel, Delivery, Event, Preference, Threshold
from accounts.services import events

from .pages import adding, listing, page, text, verb


@pytest.fixture
def hearing(home, owner, settings, monkeypatch) -> Preference:
    settings.WEBHOOKS_TO_LOOPBACK = True
    monkeypatch.setattr("accounts.tasks.publish", lambda *_: None)
    return Preference.objects.create(
        workspace=home.workspace, user=owner.user, kinds=["drift"]
    )


@pytest.fixture
def event(home) -> Event:
    row = Event(
        workspace=home.workspace,
        kind="drift",
        phase="once",
        severity="warning",
        subject_kind="account",
        subject_id=home.main.pk,
        key="drift:1",
        text="Home main is off by £5.00",
    )
    row.save()
    return row


def add_webhook(owner, hearing, address: str = "http://127.0.0.1:9/SECRET-PATH"):
    sent = {"kind": "webhook", "name": "claxon", "address": address}
    return owner.post(verb(hearing, "add-channel"), sent, follow=True)


def test_settings_are_made_with_what_is_usually_wanted(owner, home):
    offered = owner.get(adding(Preference)).context_data["adminform"].form["kinds"]
    checked = {box.data["value"] for box in offered if box.data["selected"]}
    assert {"low_balance", "run_failed"} <= checked
    assert "balance_update" not in checked

    answer = owner.post(
        adding(Preference),
        {
            "workspace": str(home.workspace.pk),
            "kinds": ["drift", "stale"],
            "timezone": "Europe/Paris",
            "quiet_from": "22:00",
            "quiet_until": "07:00",
        },
    )

    assert answer.status_code == 302, text(answer)
    row = Preference.objects.get()
    assert (row.user, row.kinds) == (owner.user, ["drift", "stale"])


@pytest.mark.parametrize(
    "wrong",
    [{"timezone": "Nowhere/City"}, {"quiet_from": "22:00"}, {"kinds": ["gossip"]}],
)
def test_settings_that_mean_nothing_are_refused(owner, home, wrong):
    sent = {"workspace": str(home.workspace.pk), "timezone": "UTC"} | wrong

    assert owner.post(adding(Preference), sent).status_code == 200
    assert not Preference.objects.exists()


def test_threshold_is_typed_in_whole_units(owner, home, hearing):
    sent = {
        "kinds": ["low_balance"],
        "timezone": "UTC",
        "thresholds-TOTAL_FORMS": "1",
        "thresholds-INITIAL_FORMS": "0",
        "thresholds-0-account": str(home.main.pk),
        "thresholds-0-low": "£1,000.50",
        "thresholds-0-change": "",
        "thresholds-0-change_percent": "2.5",
    }
    assert owner.post(page(hearing), sent).status_code == 302

    assert Threshold.objects.get().low == 100_050
    assert "1000.50" in owner.get(page(hearing)).content.decode()

    again = sent | {"thresholds-0-low": "0.001", "thresholds-0-account": ""}
    assert owner.post(page(hearing), again).status_code == 200


def test_threshold_of_a_foreign_account_is_refused(owner, home, foreign, hearing):
    sent = {
        "timezone": "UTC",
        "thresholds-TOTAL_FORMS": "1",
        "thresholds-INITIAL_FORMS": "0",
        "thresholds-0-account": str(foreign.main.pk),
        "thresholds-0-low": "1",
    }
    assert owner.post(page(hearing), sent).status_code == 200
    assert not Threshold.objects.exists()


def test_signing_key_is_shown_once_and_the_address_never(owner, hearing):
    answer = add_webhook(owner, hearing)

    channel = Channel.objects.get()
    key = channel.open_address()["key"]
    assert key in text(answer)
    for address in (page(hearing), page(channel), listing(Channel)):
        shown = owner.get(address).content.decode()
        assert key not in shown
        assert "SECRET-PATH" not in shown
    assert "127.0.0.1" in text(owner.get(page(channel)))


@pytest.mark.parametrize("address", ["https://10.0.0.1/", "file:///etc/passwd", "x"])
def test_address_that_leads_inside_is_refused_with_the_reason(owner, hearing, address):
    assert "may not be called" in text(add_webhook(owner, hearing, address))
    assert not Channel.objects.exists()


def test_second_channel_of_the_same_name_is_refused(owner, hearing):
    add_webhook(owner, hearing)

    assert "already" in text(add_webhook(owner, hearing))
    assert Channel.objects.count() == 1


def test_test_message_key_and_removal_are_buttons(owner, hearing):
    add_webhook(owner, hearing)
    channel = Channel.objects.get()

    owner.post(verb(channel, "send-test"))
    assert Delivery.objects.get().channel == channel
    answer = owner.post(verb(channel, "replace-key"), follow=True)
    channel.refresh_from_db()
    assert channel.open_address()["key"] in text(answer)
    assert owner.post(verb(channel, "remove"), follow=True).status_code == 200
    assert not Channel.objects.exists()
    assert Delivery.objects.get().channel_name == "claxon"


@pytest.mark.parametrize("who", ["operator", "viewer", "superuser"])
def test_settings_and_channels_are_ones_own(who, request, owner, hearing):
    add_webhook(owner, hearing)
    channel = Channel.objects.get()
    other = request.getfixturevalue(who)

    for row in (hearing, channel):
        assert other.get(page(row)).status_code in (302, 404)
    for name in ("send-test", "replace-key", "remove"):
        assert other.post(verb(channel, name)).status_code == 404
    assert "claxon" not in text(other.get(listing(Channel)))
    assert Channel.objects.exists()


def test_what_was_told_and_to_whom_is_seen_by_members_only(
    owner, viewer, foreign, hearing, event
):
    events.add_channel(hearing, "webhook", "hook", "http://127.0.0.1:9/SECRET-PATH")
    events.route()
    row = Delivery.objects.get()

    for browser in (owner, viewer):
        assert "off by £5.00" in text(browser.get(listing(Event)))
        shown = browser.get(page(event)).content.decode()
        assert "hook" in shown
        assert "SECRET-PATH" not in shown
        assert browser.get(page(row)).status_code == 200
        assert browser.post(page(event), {"text": "x"}).status_code == 403
    Event.objects.update(workspace=foreign.workspace)
    assert viewer.get(page(event)).status_code in (302, 404)
    assert viewer.get(page(row)).status_code in (302, 404)
