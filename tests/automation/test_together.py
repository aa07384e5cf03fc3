"""Runs that are carried out side by side end as they would alone, and none spoils another."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import DataError, connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import Balance
from automation import services, tasks
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.services import facts, planning, rows, together
from automation.services.routes import place
from tests.crash.tracing import cut

from .conftest import Killed, Person, at_every_bank, at_least, die, gbp, leg, sweep

pytestmark = pytest.mark.django_db
FOR_ALL = 10  # statements of any number of runs, each of which makes one transfer
NAMES = ("alice", "bert", "carla", "dora")
TELLING = {"id", "created", "updated", "key", "rule_id", "run_id", "depends_on_id"}
MOMENTS = {"first_sent_at", "sent_at", "settled_at", "expires_at", "planned_at"}
MOMENTS |= {"finished_at", "scheduled_for", "happened_at", "reference"}
OWN = {"source_id", "target_id", "readings", "moves", "trace", "plan_hash"}


def topped_up(person, amount=300_00):
    return person.rule(
        "topup",
        leg(person.main, "source"),
        leg(person.pots[0], "target", strategy="to_target", target=gbp(amount)),
        name=person.connection.label,
    )


def emptied(person):
    """Return a rule that empties a pot, whose reading is good for minutes."""
    source = leg(person.pots[0], "source", strategy="all")
    return person.rule("sweep", source, leg(person.main, "target"))


@pytest.fixture
def people(bank, workspace):
    """Four people, each with 1,000.00 at the bank."""
    found = [Person(bank, workspace, name) for name in NAMES]
    for person in found:
        person.fill(person.main, 1000_00)
    return found


@pytest.fixture
def orders(people):
    """Where the bank's faults strike transfers and nothing else."""
    adapter = people[0].connection.adapter
    ends = place(people[0].main), place(people[0].pots[0])
    return {"method": next(adapter.transfer(*ends, 1, dedupe_id="any")).method}


@pytest.fixture
def rules(people):
    return [topped_up(person) for person in people]


def started(rules, key="one", kind="manual"):
    return [services.start_run(rule, key, trigger_kind=kind)[0] for rule in rules]


def ids(runs):
    return [run.pk for run in runs]


def work(runs):
    """Let a worker carry out `runs` side by side, and what that queues."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.execute_runs([str(pk) for pk in ids(runs)])


def side_by_side(runs):
    """Carry out `runs`, and return those that rest, and the ids that go on alone."""
    done, alone = [], []
    for rested in services.execute_runs(ids(runs)):
        assert rested.failed == []
        done += rested.done
        alone += rested.alone
    return done, alone


def ends(runs):
    for run in runs:
        run.refresh_from_db()
    return [run.status for run in runs]


def by_owner(runs):
    return {run.rule.name: run.transfers.get() for run in runs}


@at_every_bank
def test_each_moves_its_own_money_once(people, rules, moved):
    runs = started(rules)

    done, alone = side_by_side(runs)

    assert (set(ids(done)), alone) == (set(ids(runs)), [])
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4
    for person in people:
        assert person.holds(person.pots[0]) == 300_00
        assert person.holds(person.main) == 700_00
        assert person.account(person.main.external_id).balance.available == 700_00
    assert Rule.objects.filter(last_success_at=None).count() == 0


def test_all_of_them_take_as_many_statements_as_two(people, rules, monkeypatch):
    read, spans = together.sync_each, []

    def outside(*args):
        begun = len(connection.queries_log)
        done = list(read(*args))
        spans.append(len(connection.queries_log) - begun)
        yield from done

    monkeypatch.setattr(together, "sync_each", outside)

    def statements(some):
        runs = started(some)
        spans.clear()
        with CaptureQueriesContext(connection) as captured:
            side_by_side(runs)
        frame = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
        asked = [q for q in captured if not q["sql"].startswith(frame)]
        assert ends(runs) == ["succeeded"] * len(some)
        return len(asked) - sum(spans)

    assert statements(rules[:2]) <= FOR_ALL
    for person in people:
        person.fill(person.pots[0], 1_00)
    assert statements(rules) <= FOR_ALL


def told(row, *more):
    """Return what a row says that does not name its owner or its moment."""
    own = TELLING | MOMENTS | OWN | set(more)
    return {
        column.attname: getattr(row, column.attname)
        for column in row._meta.concrete_fields
        if column.attname not in own
    }


def filled(row):
    """Return which columns of a row hold something."""
    return {c.attname for c in row._meta.concrete_fields if getattr(row, c.attname)}


def test_what_is_written_is_what_each_would_have_written_alone(people, rules):
    (alone,) = started(rules[:1])
    services.execute_run(alone.pk)
    side_by_side(others := started(rules[1:]))

    alone.refresh_from_db()
    for run in others:
        run.refresh_from_db()
        assert told(run) == told(alone)
        assert filled(run) == filled(alone)
        assert len(run.trace) == len(alone.trace)
        mine, first = run.transfers.get(), alone.transfers.get()
        assert told(mine) == told(first)
        assert filled(mine) == filled(first)
    holdings = [
        [(b.total, b.available, b.source) for b in balances_of(person)]
        for person in people
    ]
    assert holdings == [holdings[0]] * 4


def balances_of(person):
    mine = Balance.objects.filter(account__connection=person.connection)
    return mine.order_by("account__external_id")


def test_orders_that_were_held_up_beside_others_leave_later_or_never(
    people, moved, monkeypatch
):
    """From when their intents were written all moves may have been paused."""
    for person in people:
        person.fill(person.pots[0], 80_00)
    runs = started([emptied(person) for person in people])
    call_each = together.call_each

    def held_up(orders):
        with time_machine.travel(now() + timedelta(seconds=6)):
            yield from call_each(orders)

    with monkeypatch.context() as patched:
        patched.setattr(together, "call_each", held_up)
        side_by_side(runs)

    late = Transfer.objects.values_list("status", "error_code", "attempts")
    assert list(late) == [("pending", "too_late", 1)] * 4
    assert list(moved().values()) == [0] * 4
    assert ends(runs) == ["running"] * 4
    assert {run.attempts for run in runs} == {0}
    soon = now() + timedelta(seconds=20)
    with time_machine.travel(soon):
        sweep()
    assert list(moved().values()) == [1] * 4


def test_a_message_that_comes_twice_moves_nothing_twice(rules, moved):
    runs = started(rules)

    work([*runs, runs[0]])
    work(runs)

    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


def test_runs_of_one_connection_go_one_after_the_other(people, rules, moved):
    alice = people[0]
    more = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="to_target", target=gbp(50_00)),
    )
    runs = started([*rules[:2], more])

    done, alone = side_by_side(runs)

    (waits,) = alone  # whose rule has the greater id: the other goes first
    assert waits in {runs[0].pk, runs[2].pk}
    assert set(ids(done)) == set(ids(runs)) - {waits}
    work(runs)
    assert ends(runs) == ["succeeded"] * 3
    assert list(moved().values()) == [1] * 3
    assert alice.holds(alice.main) == 650_00


def test_who_waits_is_looked_for_again_where_a_worker_died_before_it_did(people, rules):
    first, then = rules[:2]
    then.depends_on.add(first)
    runs = started([first, then], kind="daily")
    services.execute_run(runs[1].pk)
    side_by_side(runs[:1])
    assert ends(runs) == ["succeeded", "due"]

    work(runs[:1])  # the queue gives the message to another worker

    assert ends(runs) == ["succeeded", "succeeded"]


def test_who_waits_for_another_in_the_same_message_goes_alone(people, rules, moved):
    first, then = rules[:2]
    then.depends_on.add(first)
    runs = started([first, then], kind="daily")

    done, alone = side_by_side(runs)

    assert (ids(done), alone) == ([runs[0].pk], [runs[1].pk])


def test_what_means_more_accounts_than_it_names_goes_alone(people, rules):
    alice, bert = people[:2]
    asks = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(1_00)),
        conditions=at_least(bert.main, "available", gbp(5_00)),
    )
    runs = started([asks, rules[1]])

    done, alone = side_by_side(runs)

    assert (ids(done), alone) == ([runs[1].pk], [runs[0].pk])
    services.execute_run(runs[0].pk)
    assert ends(runs) == ["succeeded"] * 2


def test_a_run_that_has_nothing_to_do_says_so_beside_others(people, rules):
    people[1].fill(people[1].pots[0], 300_00)
    runs = started(rules)

    work(runs)

    assert ends(runs) == ["succeeded", "nothing_to_do", "succeeded", "succeeded"]
    assert runs[1].trace
    assert runs[1].finished_at


def test_further_transfers_go_on_alone_after_the_first(people, rules, moved):
    alice = people[0]
    shared = alice.rule(
        "autosort",
        leg(alice.main, "source", keep=gbp(100_00)),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(300_00)),
        leg(alice.pots[1], "investment", order=1, strategy="equal"),
        leg(alice.pots[2], "investment", order=2, strategy="equal"),
    )
    runs = started([shared, rules[1]])

    _, alone = side_by_side(runs)

    assert alone == [runs[0].pk]
    assert ends(runs) == ["running", "succeeded"]
    assert sorted(t.status for t in runs[0].transfers.all()) == [
        "done",
        "pending",
        "pending",
    ]
    assert runs[0].lease_until is None
    assert runs[0].next_attempt_at <= now()
    services.execute_run(alone[0])
    assert ends(runs) == ["succeeded"] * 2
    assert list(moved().values()) == [1] * 4
    assert [alice.holds(pot) for pot in alice.pots] == [300_00] * 3


@pytest.mark.parametrize(
    ("fault", "status", "run"),
    [
        ("act_then_drop", "unknown", "running"),
        ("drop_before", "unknown", "running"),
        ("garbage", "unknown", "running"),
    ],
)
def test_an_answer_that_is_lost_spoils_no_other(
    people, rules, bank, orders, moved, let_time_pass, fault, status, run
):
    bank.fault(fault, **orders)
    runs = started(rules)

    side_by_side(runs)

    assert sorted(ends(runs)) == [run, *["succeeded"] * 3]
    assert Transfer.objects.filter(status=status).count() == 1
    let_time_pass()
    sweep()
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


def test_a_refusal_spoils_no_other(people, rules, bank, moved):
    going = people[1].pots[0]
    send = together.send_all

    def then_it_goes(*args):
        bank.do("amend", id=going.external_id, deleted=True)
        send(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "send_all", then_it_goes)
        runs = started(rules)
        side_by_side(runs)

    assert ends(runs) == ["succeeded", "failed", "succeeded", "succeeded"]
    assert by_owner(runs)["bert"].status == "refused"
    assert sorted(moved().values()) == [0, 1, 1, 1]


def test_an_account_that_is_not_free_keeps_back_its_own_run_alone(
    people, rules, run, bank, orders, moved
):
    alice = people[0]
    other = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(10_00)),
    )
    bank.configure(shows_dedupe=False)
    bank.fault("drop_before", **orders)
    held = run(other)
    assert held.transfers.get().status == "unknown"
    runs = started(rules)

    _, alone = side_by_side(runs)
    assert alone == [runs[0].pk]
    services.execute_run(alone[0])

    assert ends(runs) == ["running", "succeeded", "succeeded", "succeeded"]
    assert by_owner(runs)["alice"].error_code == "account_busy"
    assert list(moved().values()).count(1) == 3


def test_who_waited_for_the_account_of_one_is_queued_once(
    people, rules, run, bank, orders, moved, let_time_pass
):
    alice = people[0]
    later = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(10_00)),
    )
    runs = started(rules[:2])
    call, waiting = together.call_each, []

    def while_somebody_sits_down(jobs):
        waiting.append(run(later, "later"))
        yield from call(jobs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "call_each", while_somebody_sits_down)
        work(runs)

    assert ends([*runs, *waiting]) == ["succeeded"] * 3
    assert list(moved().values()) == [1] * 3


def meanwhile(monkeypatch, what):
    """Let something happen once the banks were read, before anything is planned."""
    read = together.sync_each

    def reading(*args):
        found = list(read(*args))
        what()
        yield from found

    monkeypatch.setattr(together, "sync_each", reading)


def test_a_rule_that_is_rewritten_meanwhile_is_planned_again_and_no_other(
    people, rules, monkeypatch
):
    meanwhile(
        monkeypatch, lambda: Rule.objects.filter(pk=rules[1].pk).update(updated=now())
    )
    runs = started(rules, kind="daily")

    side_by_side(runs)

    assert ends(runs) == ["succeeded", "due", "succeeded", "succeeded"]
    assert "changed while" in runs[1].reason


def test_a_rule_that_cools_down_since_moves_nothing(people, rules, monkeypatch, moved):
    Rule.objects.update(cooldown_seconds=3600)
    succeeded = Rule.objects.filter(pk=rules[1].pk)
    meanwhile(monkeypatch, lambda: succeeded.update(last_success_at=now()))
    runs = started(rules, kind="daily")

    side_by_side(runs)

    assert ends(runs) == ["succeeded", "due", "succeeded", "succeeded"]
    assert len(moved()) == 3


def test_a_run_that_another_worker_took_meanwhile_is_left_to_it(
    people, rules, monkeypatch, moved
):
    runs = started(rules)
    theirs = RuleRun.objects.filter(pk=runs[1].pk)
    lease = now() + timedelta(minutes=5)
    meanwhile(monkeypatch, lambda: theirs.update(lease_until=lease, attempts=2))

    side_by_side(runs)

    assert ends(runs) == ["succeeded", "due", "succeeded", "succeeded"]
    assert (runs[1].lease_until, runs[1].attempts) == (lease, 2)
    assert len(moved()) == 3


def test_who_cannot_be_read_is_tried_again_beside_others_that_move(
    people, rules, bank, moved
):
    long_ago = now() - timedelta(days=2)
    known = Balance.objects.filter(account__connection=people[2].connection)
    known.update(fetched_at=long_ago, as_of=long_ago)
    bank.revoke(people[2].customer.name)
    runs = started(rules, kind="daily")

    side_by_side(runs)

    assert ends(runs) == ["succeeded", "succeeded", "due", "succeeded"]
    assert runs[2].outcome == "skipped_stale"
    assert len(moved()) == 3


def test_a_bank_that_is_slow_to_one_holds_up_no_other(people, rules, bank, monkeypatch):
    bank.fault("delay", seconds=3.0, times=1)
    chunks, commit = [], together.commit_plans

    def noted(runs, rested):
        chunks.append([run.rule.name for run in runs])
        return commit(runs, rested)

    monkeypatch.setattr(together, "commit_plans", noted)
    runs = started(rules)
    side_by_side(runs)

    assert len(chunks) == 2
    assert len(chunks[0]) == 3
    assert ends(runs) == ["succeeded"] * 4


def test_what_there_is_no_time_for_is_given_back(
    people, rules, monkeypatch, moved, let_time_pass
):
    monkeypatch.setattr(together, "TURN", -1.0)
    runs = started(rules)

    assert side_by_side(runs) == ([], ids(runs))

    assert ends(runs) == ["due"] * 4
    assert {(run.lease_until, run.attempts) for run in runs} == {(None, 0)}
    let_time_pass()
    sweep()
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


def test_paused_moves_sit_down_and_nothing_is_read(people, rules, workspace, moved):
    workspace.paused_at = now()
    workspace.save()
    runs = started(rules)

    work(runs)

    assert ends(runs) == ["due"] * 4
    assert all(run.next_attempt_at > now() for run in runs)
    assert all("paused" in run.reason for run in runs)
    assert moved() == {}


def test_a_protected_account_keeps_back_its_own_run_alone(people, rules, moved):
    people[1].main.protected_at = now()
    people[1].main.save()
    runs = started(rules)

    work(runs)

    assert ends(runs)[0] == ends(runs)[2] == "succeeded"
    assert ends(runs)[1] != "succeeded"
    assert len([count for count in moved().values() if count]) == 3


@pytest.mark.parametrize(
    "where", ["sync_each", "write_plans", "call_each", "finish_all"]
)
def test_a_worker_that_dies_leaves_runs_of_which_each_is_recovered(
    people, rules, monkeypatch, moved, let_time_pass, where
):
    runs = started(rules)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(together, where, die)
        side_by_side(runs)

    assert all(run.attempts == 1 for run in RuleRun.objects.all())
    let_time_pass()
    _, alone = side_by_side(runs)
    assert set(alone) == set(ids(runs))  # should one kill workers, it kills no other

    for _ in range(3):
        let_time_pass()
        sweep()
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4
    assert all(person.holds(person.pots[0]) == 300_00 for person in people)


@pytest.mark.django_db(transaction=True)
def test_ends_are_written_on_a_new_connection_where_the_last_was_cut(
    people, rules, monkeypatch, moved
):
    runs, finish, cuts = started(rules), together.finish_all, []

    def on_a_connection_that_is_cut(endings):
        if not cuts:
            cuts.append(cut(connection))
        return finish(endings)

    monkeypatch.setattr(together, "finish_all", on_a_connection_that_is_cut)
    side_by_side(runs)

    assert cuts
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


@pytest.mark.django_db(transaction=True)
def test_plans_are_written_again_where_the_connection_was_cut(
    people, rules, monkeypatch, moved
):
    runs, decide, cuts = started(rules), planning.decide, []

    def on_a_connection_that_is_cut(*args, **more):
        if not cuts:
            cuts.append(cut(connection))
        return decide(*args, **more)

    monkeypatch.setattr(planning, "decide", on_a_connection_that_is_cut)
    side_by_side(runs)

    assert cuts
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


def test_nothing_is_asked_for_runs_that_are_not_there():
    nobody = RuleRun(pk=UUID(int=7))

    assert side_by_side([]) == side_by_side([nobody]) == ([], [])


def test_what_is_due_together_is_queued_together(rules, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks, "publish", lambda task, *a: sent.append((task.name, *a)))
    many = [str(number) for number in range(services.TOGETHER + 1)]

    tasks.queue_runs(many)
    tasks.queue_runs([])

    name = "automation.tasks.execute_run"
    assert sent == [(f"{name}s", many[:-1]), (name, many[-1])]


def test_each_fires_its_own_trigger(people, rules):
    long_ago = now() - timedelta(days=2)
    triggers = [
        Trigger.objects.create(rule=rule, kind="manual", last_fired_at=None)
        for rule in rules
    ]
    runs = [
        services.start_run(
            rule,
            "fired",
            trigger_kind="manual",
            trigger=trigger,
            happened_at=long_ago + timedelta(hours=number),
        )[0]
        for number, (rule, trigger) in enumerate(zip(rules, triggers, strict=True))
    ]

    side_by_side(runs)

    for number, trigger in enumerate(triggers):
        trigger.refresh_from_db()
        assert trigger.last_fired_at == long_ago + timedelta(hours=number)


def test_a_rule_reads_the_same_beside_others_as_alone(people, rules):
    for rule in rules:
        rule.cooldown_seconds = 60
    together_ = facts.read_again(rules)
    for rule in rules:
        alone, beside = facts.read_again([rule])[rule.pk], together_[rule.pk]
        assert alone.same is beside.same is True
        assert alone.switches == beside.switches == {"paused": False, "dry": False}
        for one, other in zip(alone.accounts, beside.accounts, strict=True):
            assert told(one, "payee") == told(other, "payee")
            assert one.leaving == other.leaving
            assert one.balance.total == other.balance.total
            assert one.connection == other.connection


def switch_off(rule):
    Rule.objects.filter(pk=rule.pk).update(enabled=False)


def rename(rule):
    rule.name = "another"
    rule.save()


def put_away(rule):
    Rule.objects.filter(pk=rule.pk).update(archived_at=now())


def succeed(rule):
    Rule.objects.filter(pk=rule.pk).update(last_success_at=now())


@pytest.mark.parametrize("change", [switch_off, rename, put_away, succeed])
def test_a_rule_that_changed_is_noticed_beside_others_as_alone(people, rules, change):
    Rule.objects.update(cooldown_seconds=60, last_success_at=now() - timedelta(days=1))
    loaded = list(Rule.objects.order_by("pk"))
    change(Rule.objects.get(pk=loaded[1].pk))

    beside = {pk: stand.same for pk, stand in facts.read_again(loaded).items()}

    alone = {rule.pk: facts.read_again([rule])[rule.pk].same for rule in loaded}
    assert beside == alone
    assert [beside[rule.pk] for rule in loaded] == [True, False, True, True]


def failed(runs):
    """Carry out `runs`, and return what went wrong."""
    return [e for rested in services.execute_runs(ids(runs)) for e in rested.failed]


def test_a_rule_that_cannot_be_read_goes_alone_and_stops_no_other(
    people, rules, moved, let_time_pass
):
    Rule.objects.filter(pk=rules[1].pk).update(conditions={"bogus": 1})
    runs = started(rules, kind="daily")

    rested = list(services.execute_runs(ids(runs)))

    assert [pk for each in rested for pk in each.alone] == [runs[1].pk]
    assert [type(e) for each in rested for e in each.failed] == [ValueError]
    assert ends(runs) == ["succeeded", "due", "succeeded", "succeeded"]
    with pytest.raises(ValueError, match="cannot be read"):
        services.execute_run(runs[1].pk)
    assert ends(runs)[1] == "due"
    assert runs[1].attempts == 1  # where it goes alone, that is counted
    RuleRun.objects.filter(pk=runs[1].pk).update(attempts=0, lease_until=None)
    with pytest.raises(ExceptionGroup):
        tasks.execute_runs([str(runs[1].pk)])


def test_a_decision_that_fails_spoils_no_other(people, rules, monkeypatch, moved):
    decide = planning.decide

    def fail(rule, *args, **more):
        if rule.pk == rules[1].pk:
            raise ValueError("a bug")
        return decide(rule, *args, **more)

    monkeypatch.setattr(planning, "decide", fail)
    runs = started(rules)

    assert [str(error) for error in failed(runs)] == ["a bug"]

    assert ends(runs) == ["succeeded", "due", "succeeded", "succeeded"]
    assert runs[1].lease_until > now()
    assert list(moved().values()) == [1] * 3


def test_an_end_that_cannot_be_written_spoils_no_other(
    people, rules, monkeypatch, moved, let_time_pass
):
    finish, spoiled = together.finish_all, by_name(rules)["bert"].pk

    def fail(endings):
        if any(end.run.rule_id == spoiled for end in endings):
            raise DataError("a figure that fits nowhere")
        return finish(endings)

    runs = started(rules)
    with monkeypatch.context() as patched:
        patched.setattr(together, "finish_all", fail)
        patched.setattr(rows, "finish_all", fail)
        assert [str(e) for e in failed(runs)] == ["a figure that fits nowhere"]

    assert [s for s in ends(runs) if s == "succeeded"] == ["succeeded"] * 3
    assert by_owner(runs)["bert"].status == "sending"  # it is asked for
    let_time_pass()
    sweep()
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


def by_name(rules):
    return {rule.name: rule for rule in rules}


def test_an_adapter_that_trips_over_an_answer_leaves_that_one_unknown(
    people, rules, monkeypatch, moved, let_time_pass
):
    adapter, tripped = type(people[0].connection.adapter), []
    transfer = adapter.transfer

    def trips(self, *args, **more):
        found = yield from transfer(self, *args, **more)
        if not tripped:
            tripped.append(found)
            raise KeyError("what nobody expected")
        return found

    runs = started(rules)
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "transfer", trips)
        assert failed(runs) == []

    assert sorted(ends(runs)) == ["running", *["succeeded"] * 3]
    lost = Transfer.objects.get(status="unknown")
    assert lost.may_have_moved
    assert "KeyError" in lost.error
    let_time_pass()
    sweep()
    assert ends(runs) == ["succeeded"] * 4
    assert list(moved().values()) == [1] * 4


def test_what_was_read_while_another_was_sent_is_read_again(
    people, rules, bank, orders, monkeypatch
):
    monkeypatch.setattr(together, "PATIENCE", 0.5)
    bank.fault("delay", path="*balance", seconds=1.5, times=1)
    bank.fault("delay", seconds=3.0, times=1, **orders)
    reads, read = [], together.sync_each

    def noted(connections, kind):
        reads.append(len(connections))
        return read(connections, kind)

    monkeypatch.setattr(together, "sync_each", noted)
    runs = started(rules)

    side_by_side(runs)

    assert reads == [4, 1]
    assert ends(runs) == ["succeeded"] * 4


def test_who_sits_down_while_ends_are_written_is_seen(
    people, rules, run, monkeypatch, moved
):
    alice = people[0]
    later = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(10_00)),
    )
    finish, waiting = together.finish_all, []

    def while_somebody_sits_down(endings):
        waiting.append(run(later, "later"))  # before the statement, after its snapshot
        return finish(endings)

    monkeypatch.setattr(together, "finish_all", while_somebody_sits_down)
    runs = started(rules[:2])
    done, _ = side_by_side(runs)

    assert waiting[0].transfers.get().error_code == "account_busy"
    assert [pk for each in done for pk in services.wake(each)] == [waiting[0].pk]


def test_what_must_not_be_planned_ends_without_asking_the_bank(
    people, rules, monkeypatch
):
    Rule.objects.filter(pk=rules[1].pk).update(enabled=False)
    asked, read = [], together.sync_each

    def noted(connections, kind):
        asked.extend(connections)
        return read(connections, kind)

    monkeypatch.setattr(together, "sync_each", noted)
    runs = started(rules, kind="daily")

    done, _ = side_by_side(runs)

    assert ends(runs) == ["succeeded", "skipped_disabled", "succeeded", "succeeded"]
    assert len(done) == 4
    assert people[1].connection not in asked
