"""The cache beside a model of it: whatever comes in whatever order, it never lies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.instant.entry import Entry, pack, unpack
from accounts.services.instant import cache
from providers.store import StoreAway


def entry(as_of: int, source: str, total: int) -> Entry:
    about = ("w", "c", "GBP/2")
    return Entry(as_of, source, *about, total, total, 0, as_of, 900, as_of, "")


class Cache(RuleBasedStateMachine):
    """One account: a row that writers change, and what each of them says about it.

    Writers speak after their commit, in any order and any time later, or die before.
    Readers look, read the row, and fill in what they read any time later.
    """

    @initialize()
    def empty(self) -> None:
        self.account, self.now, self.count = uuid4(), 1, 0
        self.row = entry(1, "live", 0)
        self.asked: list[int] = []
        self.unsaid: list[Entry] = []
        self.unmarked = 0
        self.readers: list[tuple[str, Entry]] = []

    @rule()
    def sync_asks(self) -> None:
        self.now += 1
        self.asked.append(self.now)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def sync_commits(self, data) -> None:
        as_of = self.asked.pop(data.draw(st.integers(0, len(self.asked) - 1)))
        if as_of >= self.row.as_of:
            self.count += 1
            self.row = entry(as_of, "live", self.count)
            self.unsaid.append(self.row)

    @rule(ago=st.integers(0, 3))
    def another_source_commits(self, ago: int) -> None:
        """A transfer, say: what it says of the past may be older than what is known."""
        self.count += 1
        self.now += 1
        self.row = entry(max(1, self.now - ago), "cache", self.count)
        self.unmarked += 1

    @precondition(lambda self: self.unsaid)
    @rule(data=st.data())
    def sync_says_so(self, data) -> None:
        said = self.unsaid.pop(data.draw(st.integers(0, len(self.unsaid) - 1)))
        before = self.kept()
        cache.write({self.account: pack(said)})
        after = self.kept()
        if before is not None and after is not None:
            assert after.as_of >= before.as_of

    @precondition(lambda self: self.unmarked)
    @rule()
    def transfer_marks(self) -> None:
        self.unmarked -= 1
        cache.write({}, [self.account], at=self.now)
        assert self.kept() is None

    @rule()
    def reader_looks(self) -> None:
        seen = cache.look(self.account, "c")
        if not seen.text or unpack(seen.text) is None:
            self.readers.append((seen.text, self.row))

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def reader_fills(self, data) -> None:
        place = data.draw(st.integers(0, len(self.readers) - 1))
        seen, read = self.readers.pop(place)
        cache.fill(self.account, seen, pack(read))

    @rule()
    def it_is_forgotten(self) -> None:
        cache.store().redis.delete(f"{cache.PREFIX}{self.account}")
        # It is kept far longer than anybody takes to say what they know.
        self.readers, self.unsaid, self.asked = [], [], []

    def kept(self) -> Entry | None:
        text = cache.look(self.account, "c").text
        return unpack(text) if text else None

    @invariant()
    def when_all_is_said_the_row_is_told(self) -> None:
        """Once nobody has anything left to say, a kept balance is the row's."""
        if not self.unsaid and not self.unmarked:
            found = self.kept()
            assert found is None or found == self.row


def test_kept_balance_is_the_row_s_whoever_speaks_last(valkey):
    run_state_machine_as_test(
        Cache, settings=settings(max_examples=40, stateful_step_count=20, deadline=None)
    )


def test_older_reading_never_replaces_a_newer_one(valkey):
    account = uuid4()
    newer, older = (pack(entry(m, "live", m)) for m in (5, 4))

    for text in (newer, older):
        cache.write({account: text})

    assert cache.look(account, "c").text == newer


def test_lease_is_one_s_own_and_ends_by_itself(valkey):
    assert cache.begin_refresh("c")
    assert not cache.begin_refresh("c")
    lease = f"{cache.PREFIX}refresh:c"
    assert 0 < valkey.ttl(lease) <= cache.ASKED

    cache.note_running("c")
    cache.note_asked("c")
    assert cache.ASKED < valkey.ttl(lease) <= cache.RUNNING

    cache.write({}, ended=["c"])
    assert not cache.look(uuid4(), "c").updating


def test_one_of_many_who_ask_at_once_begins_the_refresh(valkey):
    with ThreadPoolExecutor(60) as crowd:
        began = list(crowd.map(lambda _: cache.begin_refresh("c"), range(60)))

    assert began.count(True) == 1


def test_everything_kept_is_forgotten_in_the_end(valkey):
    account = uuid4()
    cache.write({account: pack(entry(1, "live", 1))}, [uuid4()])
    cache.note_hint("c", 1)
    cache.begin_refresh("c")

    lives = {key: valkey.ttl(key) for key in valkey.scan_iter("balsync:balance:*")}
    assert len(lives) == 4
    assert all(0 < life <= cache.KEPT for life in lives.values())


def test_cache_that_is_away_is_said_and_harms_no_writer(settings, tmp_path):
    settings.CACHE_URL = f"unix://{tmp_path}/nobody.sock"
    forget = [cache.store, cache._script]
    for one in forget:
        one.cache_clear()
    try:
        cache.write({uuid4(): "x"}, [uuid4()], ended=["c"])
        cache.revoke_access()
        with pytest.raises(StoreAway):
            cache.look(uuid4(), "c")
    finally:
        for one in forget:
            one.cache_clear()


LIVE4, LIVE5, CACHE4 = (
    entry(4, "live", 4),
    entry(5, "live", 5),
    entry(4, "cache", 9),
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["mark 6", LIVE5], None),  # a sync that asked before the mark
        (["mark 4", LIVE5], LIVE5),
        (["mark 5", LIVE5], None),
        ([LIVE5, "mark 1", LIVE5], None),  # a mark is as young as what it marks
        ([LIVE5, CACHE4], None),  # who is right, only the row can say
        ([LIVE4, CACHE4], None),
        ([LIVE4, LIVE5], LIVE5),
        (["look", LIVE5, "fill"], LIVE5),  # the reader read the row before
        (["look", "mark 1", "fill"], None),
        (["mark 1", "look", "mark 1", "fill"], None),
        (["look", "fill"], LIVE4),
        (["mark 1", "look", "fill"], LIVE4),
    ],
    ids=str,
)
def test_order_of_what_is_said_decides_what_is_told(valkey, said, told):
    account, seen = uuid4(), ""
    for word in said:
        if isinstance(word, Entry):
            cache.write({account: pack(word)})
        elif word == "look":
            seen = cache.look(account, "c").text
        elif word == "fill":
            cache.fill(account, seen, pack(LIVE4))
        else:
            cache.write({}, [account], at=int(word.split()[1]))

    text = cache.look(account, "c").text
    assert (unpack(text) if text else None) == told
