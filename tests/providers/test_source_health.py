"""A source is ill after three failures, and well again after three successes."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.breaker import LocalBreaker, SharedBreaker, State, Verdict
from providers.drivers.gate import Gate
from providers.source_health import (
    ENOUGH,
    FEW,
    KEPT,
    SLOW,
    WINDOW,
    Health,
    LocalRecords,
    Record,
    Seen,
    SharedRecords,
    Tally,
    Time,
    judge,
    slowest_of_most,
)
from providers.store import Store, StoreAway

CLOSED = Verdict(State.CLOSED)
NOW = 1_700_000_000


@pytest.fixture(params=["local", "shared"])
def records(request):
    """The same rules twice: kept by one process, and shared in a real Valkey."""
    if request.param == "local":
        return LocalRecords()
    return shared(request.getfixturevalue("own_valkey"))


def shared(valkey):
    return SharedRecords(Store(valkey.url), uuid.uuid4().hex)


def seen(outcomes, *times, kind="down"):
    """Return what a process saw: `.` for each success, `x` for each failure."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome == ".", None, kind)
    found = tally.seen()
    return Seen(found.ok, found.failed, found.tail, found.reason, times)


def health(records, verdict=CLOSED):
    return judge(*_split(records, verdict))


def _split(records, verdict):
    record, times = records.read()
    return record, verdict, times, NOW


def test_unknown_source_is_healthy(records):
    assert health(records).health is Health.HEALTHY


@pytest.mark.parametrize(
    ("told", "is_so", "because"),
    [
        (["xx"], Health.HEALTHY, ""),
        (["x", "x", "x"], Health.DEGRADED, "3 failures in a row: down"),
        (["xx", ".x"], Health.HEALTHY, ""),
        (["x.x.x.x"], Health.HEALTHY, ""),
        (["...xxxx"], Health.DEGRADED, "4 failures in a row: down"),
        (["xxx", "."], Health.RECOVERING, "1 of 3 successes after: down"),
        (["xxx", ".."], Health.RECOVERING, "2 of 3 successes after: down"),
        (["xxx", "..", "x"], Health.RECOVERING, "0 of 3 successes after: down"),
        (["xxx", "..", "x", "..", "."], Health.HEALTHY, ""),
        (["xxx", "x....."], Health.HEALTHY, ""),
    ],
)
def test_three_in_a_row_decide(records, told, is_so, because):
    for outcomes in told:
        records.tell(seen(outcomes), opened=False)

    found = health(records)

    assert (found.health, found.reason) == (is_so, because)


def test_source_that_is_left_alone_has_failed_until_somebody_tried_it(records):
    records.tell(seen("x", kind="ban"), opened=True)

    left_alone = health(records, Verdict(State.OPEN, left=1500))
    tried = health(records, Verdict(State.HALF_OPEN))
    records.tell(seen("."), opened=False)
    recovering = health(records)
    records.tell(seen(".."), opened=False)

    assert left_alone.health is tried.health is Health.FAILED
    assert (left_alone.reason, left_alone.left) == ("Left alone: ban", 1500)
    assert (recovering.health, recovering.left) == (Health.RECOVERING, None)
    assert health(records).health is Health.HEALTHY


def test_slow_source_is_degraded_by_one_answer_in_twenty(records):
    quick, slow = Time(NOW - 1, 100), Time(NOW - 1, SLOW + 1)
    records.tell(seen("." * 20, *[quick] * 19, slow), opened=False)
    assert health(records).health is Health.HEALTHY

    records.tell(seen(".", slow), opened=False)

    found = health(records)
    assert (found.health, found.p95) == (Health.DEGRADED, SLOW + 1)
    assert found.reason == "One answer in twenty takes 5.0 s or more"


def test_few_and_old_answers_say_nothing_of_all(records):
    slow = Time(NOW - 1, 2 * SLOW)
    records.tell(seen("." * 4, *[slow] * (ENOUGH - 1)), opened=False)
    records.tell(seen(".", Time(NOW - WINDOW, 2 * SLOW)), opened=False)

    assert health(records).p95 is None


def test_last_hundred_answers_are_remembered(records):
    for number in range(5):
        batch = [Time(NOW, 100 * number + n) for n in range(30)]
        records.tell(seen(".", *batch), opened=False)

    times = records.read()[1]

    assert len(times) == KEPT
    assert (times[0].took, times[-1].took) == (120, 429)


@given(st.lists(st.integers(0, 10**6), min_size=ENOUGH, max_size=KEPT))
def test_at_most_one_answer_in_twenty_took_longer_than_p95(times):
    p95 = slowest_of_most(times)

    assert p95 in times
    assert sum(t > p95 for t in times) * 20 <= len(times)
    assert sum(t >= p95 for t in times) * 20 > len(times)


steps = st.lists(
    st.tuples(st.text(".x", max_size=8), st.booleans(), st.integers(0, 9_000)),
    max_size=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=steps)
def test_all_processes_together_know_what_one_would(own_valkey, made):
    one, many = LocalRecords(), shared(own_valkey)
    for outcomes, opened, took in made:
        news = seen(outcomes, Time(NOW, took))

        assert one.tell(news, opened=opened) == many.tell(news, opened=opened)

    assert one.read() == many.read()


@given(made=st.lists(st.text(".x", min_size=1, max_size=8), max_size=20))
def test_row_does_not_depend_on_how_outcomes_are_divided_among_reports(made):
    divided, at_once = LocalRecords(), LocalRecords()
    for outcomes in made:
        divided.tell(seen(outcomes), opened=False)
        for outcome in outcomes:
            at_once.tell(seen(outcome), opened=False)

    assert divided.record.run == at_once.record.run


def test_source_is_known_here_while_the_store_is_away(tmp_path):
    records = SharedRecords(Store(f"unix://{tmp_path}/nobody"), "x")

    assert records.tell(seen("xxx"), opened=False) == Record(-FEW, True, "down")
    with pytest.raises(StoreAway):
        records.read()


# -- the gate


@pytest.fixture
def gates(own_valkey):
    """Two processes' gates before one source."""
    store, name = Store(own_valkey.url), uuid.uuid4().hex
    return [
        Gate(SharedBreaker(store, name), records=SharedRecords(store, name))
        for _ in range(2)
    ]


def answer(gate, *, ok, took=0.1, **more):
    """Count one request, as a driver does at the end of a call."""
    gate.leave(ok=ok, took=took, **more)
    if gate.unreported:
        gate.flush()


def test_failures_of_all_processes_make_a_row(gates):
    one, other = gates
    answer(one, ok=False, kind="unanswered")
    answer(other, ok=False)
    assert one.health().health is Health.HEALTHY
    answer(one, ok=False, kind="rate")

    found = other.health()

    assert (found.health, found.reason) == (
        Health.DEGRADED,
        "3 failures in a row: rate",
    )


def test_successes_are_told_at_once_while_a_source_is_ill(gates):
    one, other = gates
    for _ in range(3):
        answer(one, ok=False)

    seen = []
    for _ in range(3):
        answer(one, ok=True)
        seen.append(other.health().health)

    assert seen == [Health.RECOVERING, Health.RECOVERING, Health.HEALTHY]
    one.leave(ok=True)
    assert not one.unreported  # a healthy one is not told of every request


def test_open_circuit_says_when_it_is_tried_again(gates):
    one, other = gates
    answer(one, ok=False, hold=30.0, kind="ban")

    found = other.health()

    assert (found.health, found.reason) == (Health.FAILED, "Left alone: ban")
    assert 0 < found.left <= 30_000


def test_times_of_answers_come_with_the_next_look(gates):
    one, other = gates
    for took in (0.2, 0.1, 0.3, 6.0, 0.1):
        one.leave(ok=True, took=took)
    one.flush()

    assert other.health().p95 == 6000


def test_gate_without_a_store_knows_its_own():
    gate = Gate(LocalBreaker())
    for _ in range(3):
        answer(gate, ok=False)

    assert gate.health().health is Health.DEGRADED
