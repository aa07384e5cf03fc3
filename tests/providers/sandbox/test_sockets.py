"""WebSockets of a sandbox: what is said arrives, and faults strike frames as planned."""

from __future__ import annotations

import json
from functools import partial

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from providers.sandbox import registry, serve
from providers.sandbox.wire import Declined
from tests.providers.uninhabited import Uninhabited

WAIT = 5  # seconds, only ever waited for what does not come


class Echo(Uninhabited):
    """Repeats what it is told, and tells everybody what is shouted."""

    mounts = {"api": "", "stream": "/ws"}
    routes = {}
    sockets = {"/ws/{room}": "room"}

    def room(self, talk, room):
        if room == "closed":
            raise Declined(403, {"error": "closed"})
        talk.facts["room"] = room
        talk.say({"room": room})
        return partial(self.hear, talk)

    def hear(self, talk, text):
        if text == "bye":
            talk.close(1000)
        talk.say(text)

    def shout(self, text):
        with self.lock:
            for talk in self.talks:
                talk.say(text)

    def beat(self, talk, now):
        if now - talk.opened_at > 3600:
            talk.ping(b"still there?")


@pytest.fixture(scope="module")
def box():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load", lambda slug: Echo)
        patch.setattr("providers.load", lambda slug: type("A", (), {"hosts": HOSTS}))
        with serve("echo") as box:
            yield box


HOSTS = {"api": "https://echo.example", "stream": "wss://echo.example"}


@pytest.fixture
def echo(box):
    box.clock.reset()
    box["echo"].calm()
    return box["echo"]


@pytest.fixture
def line(box, echo):
    with connect(box.hosts("echo")["stream"] + "/hall", ping_interval=None) as line:
        assert json.loads(line.recv(WAIT)) == {"room": "hall"}
        yield line


def heard(line, count):
    return [line.recv(WAIT) for _ in range(count)]


def test_what_is_said_is_heard_on_both_sides_in_order(echo, line):
    for number in range(100):
        line.send(str(number))

    assert heard(line, 100) == [str(number) for number in range(100)]


def test_news_reaches_everybody_who_is_connected(box, echo, line):
    with connect(box.hosts("echo")["stream"] + "/cellar") as other:
        other.recv(WAIT)
        echo.shout("fire")

        assert (line.recv(WAIT), other.recv(WAIT)) == ("fire", "fire")


@pytest.mark.parametrize(
    ("action", "arrived"),
    [
        ("frame_drop", ["a", "c", "d"]),
        ("frame_duplicate", ["a", "b", "b", "c", "d"]),
        ("frame_reorder", ["a", "c", "b", "d"]),
        ("frame_garbage", ["a", "<html><body>Bad gateway</body></html>", "c", "d"]),
    ],
)
def test_fault_strikes_the_frame_that_it_was_planned_for(echo, line, action, arrived):
    echo.fault(action, value="b")

    for text in "abcd":
        line.send(text)

    assert heard(line, len(arrived)) == arrived


def test_frozen_line_is_silent_until_its_time_is_over(box, echo, line):
    echo.fault("frame_freeze", value="a", seconds=1000)
    line.send("a")
    line.send("b")
    with pytest.raises(TimeoutError):
        line.recv(0.3)

    box.clock.advance(1001)

    assert heard(line, 2) == ["a", "b"]


def test_broken_line_ends_without_a_farewell(echo, line):
    echo.fault("frame_hang_up", value="a")
    line.send("a")

    with pytest.raises(ConnectionClosed) as raised:
        line.recv(WAIT)
    assert raised.value.rcvd is None


def test_institution_says_goodbye_and_forgets(echo, line):
    line.send("bye")

    with pytest.raises(ConnectionClosed) as raised:
        line.recv(WAIT)
    assert raised.value.rcvd.code == 1000
    line.close()
    assert all(talk.closed is not None for talk in echo.talks)


def test_connection_is_refused_like_a_request(box, echo):
    with pytest.raises(InvalidStatus) as raised:
        connect(box.hosts("echo")["stream"] + "/closed")
    assert raised.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as raised:
        connect(box.hosts("echo")["stream"] + "/a/b")
    assert raised.value.response.status_code == 404


def test_pings_come_from_the_beat_and_are_answered(box, echo, line):
    box.clock.advance(3601)
    (talk,) = echo.talks
    line.send("x")
    line.recv(WAIT)
    # The client answers pings while it reads.
    for _ in range(50):
        if talk.pongs:
            break
        line.send("x")
        line.recv(WAIT)
        with pytest.raises(TimeoutError):
            line.recv(0.05)

    assert talk.pongs[0] == b"still there?"
