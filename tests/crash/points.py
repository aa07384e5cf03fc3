"""One crash at a time: a rule, a worker that meets a fault, a recovery, the bank's books.

Nothing here knows which points there are: a worker that nothing happens to says what it
passed, and each of those points is then struck once, in a world of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import stamina
from django.db import OperationalError, connection
from django.db.models import F, Q

from accounts.models import Account, Workspace
from automation.models import RuleRun, Transfer
from providers.sandbox.institution import Institution
from tests.automation.conftest import Person
from tests.crash.scenes import BESIDE, KINDS, Scene
from tests.crash.tracing import MOVES
from tests.crash.workers import Worked, Workers

FAULTS = ("kill", "exception", "stop", "cut", "answer lost", "time limit")
PHASES = ("first run", "recovery")
ROUNDS = 6  # of the sweeper, until a run must have ended
TRIES = 4  # to come to a point
NOT_HIT = "it was not hit"


@dataclass(frozen=True, slots=True)
class Point:
    """Where one fault strikes."""

    kind: str
    phase: str
    fault: str
    label: str
    number: int  # among the points that bear this label

    def __str__(self) -> str:
        return f"{self.kind}, {self.phase}, {self.fault} {self.label} ({self.number})"


class Ground:
    """Makes scenes at one bank, lets workers meet faults there, and judges."""

    def __init__(
        self, bank: Institution, workspace: Workspace, workers: Workers
    ) -> None:
        self.bank, self.workspace, self.workers = bank, workspace, workers
        if not workers.warm:
            scene = self.scene("autosort")
            workers.warm_up(*scene.task)
            self.recover(scene)
            assert not self.judge(scene)

    def scene(self, kind: str) -> Scene:
        """Return a scene, with those beside it that are due at the same time."""
        scene, *beside = [self.alone(each) for each in BESIDE.get(kind, (kind,))]
        scene.kind, scene.beside = kind, beside
        return scene

    def alone(self, kind: str) -> Scene:
        name = f"person {len(self.bank.customers())}"
        person = Person(self.bank, self.workspace, name)
        return KINDS[kind](person)

    def labels(self, kind: str, phase: str) -> list[str]:
        """Return what a worker passes to which nothing happens."""
        known = self.workers.labels
        if (kind, phase) not in known:
            known[kind, phase] = self.undisturbed(kind, phase)
        return known[kind, phase]

    def undisturbed(self, kind: str, phase: str) -> list[str]:
        for _ in range(TRIES):
            scene = self.scene(kind)
            worked = self.workers.work(*self.begin(scene, phase))
            wrong = self.judge(scene)
            if not wrong:
                return worked.points
            self.recover(scene)  # too busy: what it had read was too old
        raise AssertionError(f"{kind}, {phase}: {wrong}\n{worked.words}")

    def points(self, kind: str, phase: str, fault: str) -> Iterator[Point]:
        seen = Counter[str]()
        for label in self.labels(kind, phase):
            if label.startswith(tuple(ONLY.get(fault, ("",)))):
                yield Point(kind, phase, fault, label, seen[label])
            seen[label] += 1

    def gaps(self, kind: str, phase: str) -> Iterator[Point]:
        """Yield one SIGKILL for each gap between effects: elsewhere it is the same."""
        points = self.points(kind, phase, "kill")
        return (point for point in points if is_effect(point.label))

    def strike(self, point: Point) -> list[str]:
        """Let one fault happen, let what is ordinary recover, and return what is wrong.

        On a machine that is busy enough a worker takes another way, because what it
        has read is too old: then the point is tried in another world.
        """
        for _ in range(TRIES):
            scene = self.scene(point.kind)
            task = self.begin(scene, point.phase)
            at = (point.label, point.number)
            worked = self.workers.work(*task, at=at, fault=point.fault)
            if worked.struck:
                return self.aftermath(scene, worked)
            self.recover(scene)
        return [f"{NOT_HIT}: {worked.words}"]

    def aftermath(self, scene: Scene, worked: Worked) -> list[str]:
        wrong = self.judge_intent(scene)
        if worked.stopped:
            self.end_idle_transactions()
        self.recover(scene)
        wrong += self.judge(scene)
        if worked.stopped:
            self.workers.go_on(worked)  # late, and nobody has told it
            self.recover(scene)
            wrong += [f"{said}, after the late worker" for said in self.judge(scene)]
        return wrong

    def begin(self, scene: Scene, phase: str) -> tuple[str | list[str], ...]:
        """Return the task that meets the fault; a recovery has a dead worker behind it."""
        if phase == "first run":
            return scene.task
        # The bank has moved money there, and nobody here knows.
        doubt = next(
            label
            for label in self.labels(scene.kind, "first run")
            if label.startswith("after ") and label.endswith(MOVES)
        )
        for _ in range(TRIES):
            worked = self.workers.work(*scene.task, at=(doubt, 0))
            self.let_leases_lapse(scene)
            if worked.killed:
                return ("sweep_unsettled",)
        raise AssertionError(f"No worker came to {doubt}: {worked.words}")

    def recover(self, scene: Scene) -> None:
        """Let the sweeper find what is left, as often as it takes."""
        for _ in range(ROUNDS):
            runs = RuleRun.objects.filter(pk__in=[s.run.pk for s in scene.everybody])
            if not runs.filter(finished_at=None).exists():
                return
            self.let_leases_lapse(scene)
            self.workers.work("sweep_unsettled")

    # A busy machine ends the transactions of the dead late.
    @stamina.retry(on=OperationalError, attempts=6, timeout=60)
    def let_leases_lapse(self, scene: Scene) -> None:
        """Move what these runs wait for into the past."""
        past = scene.run.created - timedelta(minutes=1)
        mine = [each.run.pk for each in scene.everybody]
        runs = RuleRun.objects.unfinished().filter(pk__in=mine)
        runs.exclude(next_attempt_at=None).update(next_attempt_at=past)
        runs.exclude(lease_until=None).update(lease_until=past)
        runs.update(queued_at=None)
        waiting = Transfer.objects.unsettled().filter(run__in=mine)
        waiting.exclude(next_attempt_at=None).update(next_attempt_at=past)

    def end_idle_transactions(self) -> None:
        """Do what PostgreSQL does by itself to a client that is silent for 10 s."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND state LIKE 'idle in transaction%'"
            )

    # -- what must be true

    def judge_intent(self, scene: Scene) -> list[str]:
        """What the bank did must have been committed here before: G2."""
        return [said for each in scene.everybody for said in self.uncommitted(each)]

    def uncommitted(self, scene: Scene) -> list[str]:
        rows = {str(t.pk): t for t in scene.run.transfers.all()}
        return [
            f"the bank moved {entry.dedupe_id}, which was not committed as begun"
            for entry in self.entries(scene)
            if entry.dedupe_id not in rows
            or rows[entry.dedupe_id].first_sent_at is None
        ]

    def judge(self, scene: Scene) -> list[str]:
        """Return every way in which books and bank are not as promised: G1, G3, G4."""
        return [said for each in scene.everybody for said in self.judge_one(each)]

    def judge_one(self, scene: Scene) -> list[str]:
        scene.run.refresh_from_db()
        scene.rule.refresh_from_db()
        rows = list(scene.run.transfers.select_related("source", "target"))
        made = self.entries(scene)
        wrong = []
        if scene.run.status != RuleRun.Status.SUCCEEDED:
            wrong.append(f"the run is {scene.run.status}: {scene.run.reason}")
        if scene.rule.last_success_at is None:
            wrong.append("its cooldown did not begin")
        moved = [(e.source, e.target, e.amount) for e in made]
        if sorted(moved) != sorted(scene.legs):
            wrong.append(f"the bank moved {moved}, not {scene.legs}")
        wrong += self.compare(rows, {e.dedupe_id: e for e in made})
        return wrong + self.compare_balances(scene)

    def compare(self, rows: Sequence[Transfer], made) -> list[str]:
        wrong = [
            f"transfer {row.move}.{row.step} is {row.status}: {row.error}"
            for row in rows
            if row.status != Transfer.Status.DONE
        ]
        if {str(row.pk) for row in rows} != made.keys():
            wrong.append("the bank's dedupe ids are not those of the transfers")
        for row in rows:
            entry = made.get(str(row.pk))
            ours = (row.source.external_id, row.target.external_id, row.amount)
            if entry and ours != (entry.source, entry.target, entry.amount):
                wrong.append(f"the books say {ours}, the bank {entry}")
        return wrong

    def compare_balances(self, scene: Scene) -> list[str]:
        """What is held must be known, or be reserved until it has been read again."""
        if any(self.differ(scene, account) for account in scene.accounts):
            if not self.reserved(scene):
                return [text for a in scene.accounts for text in self.differ(scene, a)]
            scene.person.sync()
        return [text for a in scene.accounts for text in self.differ(scene, a)]

    def differ(self, scene: Scene, account: Account) -> list[str]:
        account.balance.refresh_from_db()
        known, held = account.balance.total, scene.person.holds(account)
        return (
            [] if known == held else [f"{account} is said to hold {known}, not {held}"]
        )

    def reserved(self, scene: Scene) -> bool:
        """Say whether a move is held back from balances that may show it already."""
        ends = Q(source__in=scene.accounts) | Q(target__in=scene.accounts)
        read = F("source__balance__as_of")
        late = Q(settled_at=None) | Q(status="done", settled_at__gt=read)
        return Transfer.objects.filter(ends, late).exists()

    def entries(self, scene: Scene):
        """Return what the bank really did under any dedupe id of this person."""
        found = self.bank.movements(scene.person.main.external_id)
        return [entry for entry in found if entry.dedupe_id]


def is_effect(label: str) -> bool:
    """Say whether something outside the process is another behind this point."""
    told = label.removeprefix("after ")
    asked = told.split(" ", 1)[0] in REQUESTS
    return told != label and (told.endswith(("COMMIT", ", committed")) or asked)


REQUESTS = {"GET", "PUT", "POST"}
DATABASE = {"COMMIT", "INSERT", "UPDATE", "DELETE", "SELECT", "WITH"}
# Where only the database is waited for: on one side of what it is asked.
ONLY = {
    "answer lost": [f"after {asked}" for asked in DATABASE],
    "time limit": [f"before {asked}" for asked in DATABASE],
}
