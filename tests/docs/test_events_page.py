"""The page about events says what is so, and its receiver works."""

from __future__ import annotations

import json
import re
import threading
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from django.db.models import F

from accounts.events import KINDS
from accounts.events.rising import FIRST
from accounts.models import Channel, Delivery, Threshold
from accounts.services import events
from tests.accounts.events.conftest import household

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture
def home(db, settings, monkeypatch):
    settings.WEBHOOKS_TO_LOOPBACK = True
    monkeypatch.setattr("accounts.tasks.publish", lambda *_: None)
    home = household("home")
    Threshold.objects.create(preference=home.preference, account=home.account, low=9999)
    return home


def test_receiver_of_the_page_takes_what_is_genuine_and_each_event_once(home):
    made: dict = {}
    exec(block("python"), made)
    key = re.search(r"whsec_[\w+/=]+", PAGE)[0]
    with made["serve"](0) as server, redirect_stdout(StringIO()) as printed:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        channel, _ = events.add_channel(home.preference, "webhook", "mine", url)
        channel.address = {"url": url, "key": key}
        channel.save()
        other, _ = events.add_channel(home.preference, "webhook", "other key", url)
        events.look_for_conditions()
        events.route()
        events.deliver()
        # As if a worker had died before it knew: the same is sent again.
        Delivery.objects.filter(channel=channel).update(
            status="pending", next_attempt_at=F("created")
        )
        events.deliver()
        server.shutdown()

    assert printed.getvalue().count("low_balance began") == 1
    mine, theirs = (Delivery.objects.get(channel=c) for c in (channel, other))
    assert (mine.status, mine.answer, mine.attempts) == ("delivered", "HTTP 204", 2)
    assert (theirs.status, theirs.answer) == ("pending", "HTTP 401")


def test_body_of_the_page_has_the_shape_of_what_is_sent(home):
    events.look_for_conditions()
    events.add_channel(home.preference, "webhook", "x", "http://127.0.0.1:9/")
    events.route()
    row = Delivery.objects.select_related("event").get()
    told = events.event_data(row.event)
    shown = json.loads(block("json"))

    assert shape(told) == shape(shown)


def shape(value):
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return type(value)


def test_every_kind_is_explained_and_no_other():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    kinds = set(KINDS) | {kind.ends for kind in KINDS.values() if kind.ends}
    assert kinds <= named
    assert named - kinds == set(FIRST) | {"phase", "ended"} & named


def test_every_kind_of_channel_is_explained():
    for kind in Channel.Kind.labels:
        assert f"| {kind.lower()} |" in PAGE
