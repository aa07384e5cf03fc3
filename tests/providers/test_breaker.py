from __future__ import annotations

import subprocess
import sys
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.breaker import (
    LocalBreaker,
    Report,
    SharedBreaker,
    State,
    Thresholds,
    Verdict,
)
from providers.store import Store, StoreAway

START = 1_700_000_000_000
BROKEN = Report(failed=5)
ASKS = Report(token="me", wants=True)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["local", "shared"])
def breaker(request, clock):
    """The same rules twice: kept by one process, and shared in a real Valkey."""
    if request.param == "local":
        return LocalBreaker(clock=clock)
    return OnClock(request.getfixturevalue("own_valkey").url, clock)


class OnClock(SharedBreaker):
    """A shared breaker whose server's clock is in our hands."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(Store(url), uuid.uuid4().hex)
        self.clock = clock

    def exchange(self, report: Report) -> Verdict:
        return self._exchange(report, now=self.clock.now)


def open_and_wait(breaker, clock):
    clock.now += breaker.exchange(BROKEN).left


def test_new_circuit_is_closed(breaker):
    assert breaker.exchange(ASKS) == Verdict(State.CLOSED)


def test_five_failures_in_a_row_open_it_for_two_seconds(breaker):
    assert breaker.exchange(Report(failed=4)).state is State.CLOSED
    assert breaker.exchange(Report(failed=1)) == Verdict(State.OPEN, left=2_000)


@pytest.mark.parametrize(
    ("ok", "failed", "state"),
    [
        (95, 5, State.CLOSED),  # 5 % of the accounts fail for reasons of their own
        (1900, 100, State.CLOSED),
        (6, 5, State.CLOSED),
        (5, 5, State.OPEN),
        (0, 4, State.CLOSED),  # too few to say anything
    ],
)
def test_it_opens_by_the_rate_of_failures_not_their_number(breaker, ok, failed, state):
    assert breaker.exchange(Report(ok=ok, failed=failed)).state is state


def test_failures_older_than_the_window_are_forgotten(breaker, clock):
    breaker.exchange(Report(failed=4))
    clock.now += 11_000

    assert breaker.exchange(Report(failed=4)) == Verdict(State.CLOSED, failed=4)


def test_failures_of_several_seconds_add_up(breaker, clock):
    for _ in range(4):
        assert breaker.exchange(Report(failed=1)).state is State.CLOSED
        clock.now += 1_500

    assert breaker.exchange(Report(failed=1)).state is State.OPEN


def test_success_opens_nothing_when_what_went_well_before_the_failures_is_forgotten(
    breaker, clock
):
    breaker.exchange(Report(ok=26))
    clock.now += 2_000
    assert breaker.exchange(Report(failed=12)).state is State.CLOSED
    clock.now += 9_000

    assert breaker.exchange(Report(ok=2)).state is State.CLOSED
    assert breaker.exchange(ASKS).state is State.CLOSED


def test_nobody_passes_while_it_is_open(breaker, clock):
    breaker.exchange(BROKEN)
    clock.now += 1_999

    assert breaker.exchange(ASKS) == Verdict(State.OPEN, left=1)


def test_one_probe_passes_when_the_time_is_over(breaker, clock):
    open_and_wait(breaker, clock)

    first = breaker.exchange(ASKS)
    second = breaker.exchange(Report(token="you", wants=True))

    assert first == Verdict(State.HALF_OPEN, probe=True)
    assert second == Verdict(State.HALF_OPEN, left=20_000)


def test_looking_takes_no_probe(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(Report(token="you"))

    assert breaker.exchange(ASKS).probe


def test_good_probe_closes_it_and_the_past_is_forgotten(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(ASKS)

    healed = breaker.exchange(Report(ok=1, outcome="ok", token="me"))

    assert healed == Verdict(State.CLOSED, ok=1)
    assert breaker.exchange(Report(failed=4)).state is State.CLOSED


def test_each_bad_probe_doubles_the_pause_up_to_a_minute(breaker, clock):
    left = breaker.exchange(BROKEN).left
    pauses = [left]
    for _ in range(7):
        clock.now += left
        breaker.exchange(ASKS)
        left = breaker.exchange(Report(failed=1, outcome="failed", token="me")).left
        pauses.append(left)

    assert pauses == [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]


def test_provider_that_breaks_again_soon_is_left_alone_for_longer(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(ASKS)
    breaker.exchange(Report(outcome="ok", token="me"))
    clock.now += 30_000

    assert breaker.exchange(BROKEN).left == 4_000


def test_provider_that_was_well_for_long_starts_with_the_shortest_pause(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(ASKS)
    breaker.exchange(Report(outcome="ok", token="me"))
    clock.now += 60_001

    assert breaker.exchange(BROKEN).left == 2_000


def test_only_the_holder_of_the_probe_is_believed(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(ASKS)

    assert breaker.exchange(Report(outcome="ok", token="you")).state is State.HALF_OPEN
    assert breaker.exchange(Report(outcome="ok", token="")).state is State.HALF_OPEN


def test_late_failures_neither_extend_the_pause_nor_spoil_the_probe(breaker, clock):
    breaker.exchange(BROKEN)
    assert breaker.exchange(BROKEN) == Verdict(State.OPEN, left=2_000)
    clock.now += 2_000

    assert breaker.exchange(BROKEN).state is State.HALF_OPEN


def test_probe_that_was_not_sent_goes_to_the_next(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(ASKS)
    breaker.exchange(Report(outcome="unused", token="me"))

    assert breaker.exchange(Report(token="you", wants=True)).probe


def test_probe_of_a_dead_process_is_given_anew_after_its_lease(breaker, clock):
    open_and_wait(breaker, clock)
    breaker.exchange(ASKS)
    clock.now += 20_000

    assert breaker.exchange(Report(token="you", wants=True)).probe


def test_provider_that_asks_to_be_left_alone_is(breaker, clock):
    held = breaker.exchange(Report(ok=100, hold=300_000))
    clock.now += 299_999

    assert held == Verdict(State.OPEN, left=300_000)
    assert breaker.exchange(ASKS).left == 1


def test_shorter_hold_does_not_shorten_a_longer_one(breaker):
    breaker.exchange(Report(hold=300_000))

    assert breaker.exchange(Report(hold=1_000)).left == 300_000


def test_person_closes_it_at_any_time(breaker):
    breaker.exchange(Report(hold=300_000))
    breaker.reset()

    assert breaker.exchange(ASKS) == Verdict(State.CLOSED)


REPORTS = st.builds(
    Report,
    ok=st.integers(0, 20),
    failed=st.integers(0, 12),
    hold=st.sampled_from([0, 0, 0, 0, 1_500, 90_000]),
    outcome=st.sampled_from(["", "ok", "failed", "unused"]),
    token=st.sampled_from(["me", "you"]),
    wants=st.booleans(),
)
WAITS = st.sampled_from([0, 1, 400, 999, 2_000, 10_000, 20_000, 61_000])


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(WAITS, REPORTS), max_size=30))
def test_shared_and_local_circuits_always_agree(own_valkey, story):
    clock = Clock()
    shared, local = OnClock(own_valkey.url, clock), LocalBreaker(clock=clock)
    for wait, report in story:
        clock.now += wait
        assert shared.exchange(report) == local.exchange(report)
    shared.store.pool.disconnect()


@given(st.lists(st.tuples(WAITS, REPORTS), max_size=60))
def test_never_two_probes_at_once(story):
    clock, holder, since = Clock(), None, 0
    breaker = LocalBreaker(clock=clock)
    for wait, report in story:
        clock.now += wait
        if report.outcome and report.token == holder:
            holder = None
        verdict = breaker.exchange(report)
        if verdict.state is not State.HALF_OPEN:
            holder = None
        if verdict.probe:
            assert holder is None or clock.now - since >= Thresholds().lease
            holder, since = report.token, clock.now


PROCESS = """
import sys
from providers.breaker import Report, SharedBreaker
from providers.store import Store
breaker = SharedBreaker(Store(sys.argv[1]), "bank")
sys.stdin.readline()
found = [breaker.exchange(Report(token=sys.argv[2], wants=True)) for _ in range(50)]
print(sum(verdict.probe for verdict in found))
"""


def in_processes(number, source, *args):
    """Run `source` in so many processes, let all start at once, return what they print."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", source, *args, str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(number)
    ]
    with ThreadPoolExecutor(number) as pool:
        answers = list(pool.map(lambda p: p.communicate("go\n", timeout=60), running))
    assert [p.returncode for p in running] == [0] * number
    return [answer[0].strip() for answer in answers]


def test_eight_processes_get_exactly_one_probe(own_valkey):
    shared = SharedBreaker(Store(own_valkey.url), "bank")
    shared.exchange(Report(hold=1))
    while shared.exchange(Report()).state is State.OPEN:
        pass

    found = in_processes(8, PROCESS, own_valkey.url)

    assert Counter(found) == {"1": 1, "0": 7}


def test_new_process_sees_an_open_circuit_at_once(own_valkey):
    SharedBreaker(Store(own_valkey.url), "bank").exchange(BROKEN)

    other = SharedBreaker(Store(own_valkey.url), "bank")

    assert other.exchange(ASKS).state is State.OPEN


def test_failures_of_all_processes_count_together(own_valkey):
    a, b = (SharedBreaker(Store(own_valkey.url), "bank") for _ in range(2))
    a.exchange(Report(failed=3))

    assert b.exchange(Report(failed=2)).state is State.OPEN


def test_circuits_of_two_providers_are_two(own_valkey):
    store = Store(own_valkey.url)
    SharedBreaker(store, "a").exchange(BROKEN)

    assert SharedBreaker(store, "b").exchange(ASKS).state is State.CLOSED


def test_shared_circuit_uses_the_servers_clock_and_expires(own_valkey):
    shared = SharedBreaker(Store(own_valkey.url), "bank")

    left = shared.exchange(BROKEN).left

    assert 0 < left <= 2_000
    client = own_valkey.client()
    assert 600_000 < client.pttl("breaker:bank") <= 602_000
    client.close()


def test_process_decides_alone_while_the_store_is_away(tmp_path):
    shared = SharedBreaker(Store(f"unix://{tmp_path}/nobody"), "bank")

    assert shared.exchange(ASKS).state is State.CLOSED
    assert shared.exchange(BROKEN).state is State.OPEN
    assert shared.exchange(ASKS).state is State.OPEN


def test_person_is_told_when_a_reset_reaches_nobody(tmp_path):
    shared = SharedBreaker(Store(f"unix://{tmp_path}/nobody"), "bank")
    shared.exchange(BROKEN)

    with pytest.raises(StoreAway):
        shared.reset()
    assert shared.exchange(ASKS).state is State.CLOSED


@pytest.mark.parametrize(
    "scheme", ["unix", "redis+socket", "redis+unix", "valkey+unix"]
)
def test_store_takes_a_sockets_address_as_any_library_writes_it(own_valkey, scheme):
    store = Store(own_valkey.url.replace("unix", scheme, 1))

    assert store.ask(store.redis.ping)
