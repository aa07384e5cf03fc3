"""A stream is held open through everything that happens to its connection."""

from __future__ import annotations

import json
from functools import partial
from threading import Thread
from time import monotonic, sleep

import pytest

from providers.base import Observation, Provider, Reading
from providers.drivers import gates
from providers.drivers.streaming import News, Session, State
from providers.errors import AuthenticationFailed, UnexpectedResponse
from providers.money import Asset
from providers.sandbox import registry, serve
from providers.sandbox.wire import Answer, Declined
from providers.streaming import Ask, Feed, Hang, Look, Note, Say, Streams, Told, Traded
from providers.wire import Request
from tests.providers.uninhabited import Uninhabited

GOLD = Asset("XAU", 2)
HOSTS = {"api": "https://vault.example", "stream": "wss://vault.example"}


class Vault(Uninhabited):
    """Holds gold, and tells everybody who listens how much."""

    mounts = {"api": "", "stream": "/ws"}
    routes = {("GET", "/gold"): "gold"}
    sockets = {"/ws/{key}": "listen"}

    def __init__(self, path=None, clock=None):
        super().__init__(path, clock)
        self.grams, self.opened = 100, 0

    def gold(self, asked):
        return Answer.of({"gold": self.grams})

    def listen(self, talk, key):
        if key == "forged":
            raise Declined(401, {})
        self.opened += 1
        return partial(self.hear, talk)

    def hear(self, talk, text):
        talk.say({"about": "subscribed"})

    def put(self, grams):
        with self.lock:
            self.grams = grams
            self.tell({"about": "gold", "gold": grams})

    def tell(self, what):
        with self.lock:
            for talk in self.talks:
                talk.say(what)


class VaultFeed(Feed):
    silence = 2.0

    def __init__(self, vault):
        self.vault, self.whole = vault, False

    def opening(self):
        yield Request("GET", "/gold")
        return "/" + self.vault.credentials["key"]

    def opened(self, now):
        return [Say("subscribe")]

    def heard(self, text, now):
        try:
            told = json.loads(text)
        except ValueError as error:
            raise UnexpectedResponse("No JSON") from error
        match told["about"]:
            case "subscribed":
                return [Look("after subscribing")]
            case "gold":
                return [Told([reading(told["gold"])])]
            case "pause":
                return [Note(False, "The vault is counted"), Note(True)][: told["n"]]
            case "over":
                return [Hang("They close for the night")]
            case "ask":
                return [Ask(self.vault.observe(), "gold")]
            case "key":
                raise AuthenticationFailed("The key is worth nothing any more")

    def seen(self, observation, asked, now):
        self.whole = True
        return [Told(observation.readings, whole=True)]

    def answered(self, about, result, now):
        return [Told(result.readings), Traded()]

    @property
    def live(self):
        return self.whole


class VaultProvider(Provider, Streams):
    name, hosts, fields = "Vault", HOSTS, ()

    def observe(self, known=()):
        request = Request("GET", "/gold")
        found = yield from self.ask(request, lambda body: reading(body["gold"]))
        return Observation([found])

    def streams(self):
        return ["gold"]

    def feed(self, stream):
        return VaultFeed(self)


def reading(grams):
    if not isinstance(grams, int):
        raise TypeError(grams)
    return Reading("gold", GOLD, grams, grams, kind="vault")


@pytest.fixture(scope="module")
def box():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load", lambda slug: Vault)
        patch.setattr("providers.load", lambda slug: VaultProvider)
        with serve("vault") as box:
            yield box


@pytest.fixture
def vault(box):
    gates.configure(None)
    vault = box["vault"]
    vault.calm()
    vault.grams, vault.opened = 100, 0
    return vault


@pytest.fixture
def listen(box, vault):
    running = []

    def listen(key="k", **options):
        provider = VaultProvider({"key": key}, box.hosts("vault"))
        session = Session(provider, "gold", **options)
        thread = Thread(target=session.run)
        thread.start()
        running.append((session, thread))
        return session

    yield listen
    for session, thread in running:
        session.stop()
        thread.join(20)
        assert not thread.is_alive()


def wait(condition):
    ends = monotonic() + 30
    while not (found := condition()):
        assert monotonic() < ends
        sleep(0.01)
    return found


def total(news):
    return news.readings["gold"].total


def live(session):
    wait(lambda: session.live)
    return session


def test_stream_is_live_once_everything_was_read(vault, listen):
    session = live(listen())
    news = session.take()

    assert (total(news), news.whole) == (100, True)
    assert not session.take()


def test_newest_of_what_was_told_is_taken_once(vault, listen):
    session = live(listen())
    session.take()
    for grams in range(101, 151):
        vault.put(grams)

    found = News()

    def all_there():
        found.add(session.take())
        return found and total(found) == 150

    wait(all_there)
    assert not found.whole


@pytest.mark.parametrize(
    "trouble",
    [
        lambda v: v.fault("frame_hang_up", value="gold"),
        lambda v: v.fault("frame_garbage", value="gold"),
        lambda v: v.fault("frame_freeze", value="gold", seconds=3600),
    ],
    ids=["hung up", "garbage", "silent"],
)
def test_broken_line_is_opened_again_and_everything_is_read_anew(
    box, vault, listen, trouble, monkeypatch
):
    monkeypatch.setattr(VaultFeed, "heartbeats", True)
    monkeypatch.setattr(VaultFeed, "silence", 1.0)
    session = live(listen())
    session.take()
    trouble(vault)
    vault.put(120)

    wait(lambda: vault.opened > 1 and session.live)
    news = session.take()
    assert (total(news), news.whole) == (120, True)


def test_answered_pings_are_signs_of_life_where_there_are_no_heartbeats(
    vault, listen, monkeypatch
):
    monkeypatch.setattr(VaultFeed, "silence", 1.2)
    session = live(listen())
    (talk,) = vault.talks
    began = monotonic()
    wait(lambda: monotonic() - began > 2.5)

    assert session.live
    assert vault.talks == [talk]


def test_stream_says_that_the_institution_pauses(vault, listen):
    session = live(listen())
    vault.tell({"about": "pause", "n": 1})
    wait(lambda: session.report.state is State.PAUSED)
    assert session.report.reason == "The vault is counted"

    vault.tell({"about": "pause", "n": 2})
    wait(lambda: session.live)


def test_announced_end_is_followed_by_another_connection(vault, listen):
    session = live(listen())
    vault.tell({"about": "over"})

    assert wait(lambda: vault.opened == 2 and session.live)


def test_what_is_asked_comes_back_to_the_feed(vault, listen):
    session = live(listen())
    session.take()
    vault.grams = 7
    vault.tell({"about": "ask"})

    assert total(wait(session.take)) == 7


@pytest.mark.parametrize("key", ["k", "forged"])
def test_refused_key_ends_the_stream(vault, listen, key):
    session = listen(key)
    if key == "k":
        live(session)
        vault.tell({"about": "key"})

    wait(lambda: session.report.state is State.REFUSED)
    assert session.report.reason


def test_institution_that_is_away_is_tried_again_later(box, vault, listen):
    vault.fault("5xx", path="/gold", times=5, status=503)
    session = listen()
    wait(lambda: session.report.state is State.WAITING)
    assert session.report.reason
    assert session.report.next_try

    assert wait(lambda: session.live)


def test_stream_ends_when_somebody_else_speaks_for_it(vault, listen):
    allowed = [True]
    session = live(listen(may=lambda: allowed[0]))

    allowed[0] = False

    assert wait(lambda: session.report.state is State.ENDED)


def test_what_was_given_back_is_older_than_what_came_since(vault, listen):
    session = live(listen())
    first = session.take()
    vault.put(130)
    wait(lambda: session._news)
    session.give_back(first)

    news = session.take()
    assert (total(news), news.whole) == (130, True)


def test_frame_that_nobody_thought_of_ends_the_connection(vault, listen):
    session = live(listen())
    vault.tell({"about": "gold", "gold": "much"})

    assert wait(lambda: vault.opened == 2 and session.live)
