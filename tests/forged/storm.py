"""Sends changed calls to the real application, and judges what became of them.

Who is believed is judged by the institution's own scheme, not by the adapter; what was
done by the rows of the database, by the syncs that were asked for and by what was told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import cycle
from random import Random
from threading import Barrier
from typing import Any
from unittest import mock
from uuid import UUID

from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.db.models import Count, Sum
from django.db.models.functions import Now

from accounts import behind, publishing, services
from accounts.api.webhooks import LARGEST
from accounts.models import SyncRun, WebhookInbox
from accounts.signals import webhook_fetched

from .callers import Caller, everybody
from .calls import Answer, Call, Knock, knock
from .findings import Found, Sent
from .mutations import Scene, mutated

# What `docs/webhooks.md` says.
DOCUMENTED = frozenset({200, 400, 401, 404, 413})
AT_ONCE = 50  # deliveries of one event
SLICE = 400  # mutations after which the books are compared; fewer than may wait behind
NEWS = 10_000  # calls after which somebody is told how far it is
SHOWN = 300  # characters of a call


class Crowd:
    """Many threads that all do the same at the same moment."""

    def __init__(self, many: int) -> None:
        self.many, self.pool = many, ThreadPoolExecutor(many)
        self.together = Barrier(many)

    def all(self, work: Callable[[], Any]) -> list[Any]:
        def one(_: int) -> Any:
            self.together.wait(60)
            return work()

        return list(self.pool.map(one, range(self.many)))

    def close(self) -> None:
        self.all(connections.close_all)
        self.pool.shutdown()


class Storm:
    """Everybody who is called, the door they knock at, and the books of what came in."""

    def __init__(self, callers: Sequence[Caller], knock: Knock, seed: int) -> None:
        self.callers, self.knock, self.seed = callers, knock, seed
        self.found, self.crowd = Found(), Crowd(AT_ONCE)
        self.at = {caller.path: caller for caller in callers}
        self.taken: Counter[UUID] = Counter()
        self.fresh: Counter[UUID] = Counter()  # new since the books were compared
        self.last: dict[tuple[UUID, str], bytes] = {}  # what was said of each event
        self.asked: list[str] = []  # syncs that were put on the queue
        self.heard: Counter[tuple[UUID, str]] = Counter()

    def blow(
        self,
        mutations: int,
        *,
        patient: bool = True,
        tell: Callable[[int], None] | None = None,
    ) -> Found:
        """Send so many changed calls, and true ones in between and at the end.

        Without patience it ends as soon as anything is wrong. `tell` hears how far it is.
        """
        for number, step in enumerate(self.steps(mutations)):
            if tell is not None and number % NEWS == 0:
                tell(number)
            step()
            if self.found.wrong and not patient:
                break
        return self.found

    def steps(self, mutations: int) -> Iterator[Callable[[], object]]:
        turns = cycle(self.callers)
        for number in range(mutations):
            if number % SLICE == 0:
                yield partial(self.deliver, next(turns))
            yield partial(self.send, number)
        for caller in self.callers:
            if not self.found.events[caller.label]:
                yield partial(self.deliver, caller)
        yield self.settle

    # -- changed calls

    def send(self, number: int) -> None:
        """Send one call that is changed by chance, and judge the answer."""
        rng = Random(f"{self.seed} {number}")
        caller = rng.choice(self.callers)
        scene = Scene(rng, caller, rng.choice(caller.events), self.callers)
        kind, call = mutated(scene)
        answer, owner = self.knock(call), self.at.get(call.path)
        forged = owner is None or not owner.vouches(call.said, call.read)
        sent = Sent(call, answer, owner, forged=forged, true=call is scene.call)
        self.found.ends[caller.label, kind, sent.end] += 1
        self.found.statuses[answer.status] += 1
        self.found.failures[caller.label] += answer.status >= 500
        for why in self.faults(sent):
            self.found.wrong.append(
                f"{number}: {kind} of {caller.label}: {why}: {shown(call)}"
            )

    def faults(self, sent: Sent) -> Iterator[str]:
        """Yield what is wrong with an answer, and note it where the call was taken."""
        answer = sent.answer
        if answer.status not in DOCUMENTED:
            yield f"answered {answer.status}"
        if answer.taken > LARGEST:
            yield f"{answer.taken} bytes were read"
        if answer.status != 200:
            if sent.true:
                yield f"a true event was refused: {answer.word}"
            return
        if sent.forged:
            yield "a forgery was believed"
        elif sent.owner is not None and not self.note(sent.owner, sent.call, answer):
            yield f"said to be {answer.word}"

    def note(self, owner: Caller, call: Call, answer: Answer) -> bool:
        """Write down that a call was taken; say if it counted if, and only if, it is new.

        New is what nobody told before, or what was said otherwise the last time.
        """
        event = owner.connection_id, owner.name(call)
        said = sha256(call.read).digest()
        new = self.last.get(event) != said
        self.last[event] = said
        self.taken[owner.connection_id] += 1
        self.fresh[owner.connection_id] += new
        return new is (answer.word == "accepted")

    # -- true calls

    def deliver(self, caller: Caller) -> None:
        """Let something happen, deliver that many times at once, and look what it did."""
        self.settle()
        call, before = caller.happen(), self.heard.copy()
        event = caller.connection_id, caller.name(call)
        known = self.deliveries(event)  # whoever is believed may have guessed its name
        answers = self.crowd.all(partial(self.knock, call))
        for answer in answers:
            if answer.status == 200:
                self.note(caller, call, answer)
        queued = len(self.settle())
        seen = {
            "answers": Counter(answer.word for answer in answers),
            "deliveries": self.deliveries(event) - known,
            "syncs": queued,
            "told": self.heard - before,
        }
        right = {
            "answers": {"accepted": 1, "duplicate": AT_ONCE - 1},
            "deliveries": AT_ONCE,
            "syncs": 1,
            "told": {event: 1},
        }
        self.found.events[caller.label] += 1
        if seen != right:
            self.found.wrong.append(f"an event of {caller.label}, at once: {seen}")

    def deliveries(self, event: tuple[UUID, str]) -> int:
        owner, name = event
        rows = WebhookInbox.objects.filter(connection=owner, event_id=name)
        return sum(rows.values_list("deliveries", flat=True))

    # -- the books

    def settle(self) -> list[str]:
        """Compare all that was noted with the answers; return the syncs that it caused."""
        behind._pool.shutdown()
        behind._after_fork()
        self.compare()
        asked, self.asked = self.asked, []
        runs = list(SyncRun.objects.filter(pk__in=asked))
        owed = {owner for owner, count in self.fresh.items() if count}
        too_many = len(asked) > self.fresh.total()
        if {run.connection_id for run in runs} != owed or too_many:
            self.found.wrong.append(f"{len(asked)} syncs, and {len(owed)} were owed")
        self.fresh.clear()
        for run in runs:
            self.finish(run)
        return asked

    def compare(self) -> None:
        """Let the inbox hold each event once, and as often as it was taken."""
        mine = WebhookInbox.objects.filter(
            connection__in=[caller.connection_id for caller in self.callers]
        )
        books = (
            mine.order_by()
            .values_list("connection")
            .annotate(Count("pk"), Sum("deliveries"))
        )
        noted = {owner: (rows, told) for owner, rows, told in books}
        names = Counter(owner for owner, _ in self.last)
        answered = {owner: (names[owner], count) for owner, count in self.taken.items()}
        if noted != answered:
            differ = sorted(map(str, set(noted.items()) ^ set(answered.items())))
            self.found.wrong.append(f"the inbox is not as was answered: {differ[:4]}")

    def finish(self, run: SyncRun) -> None:
        """Let a sync have read everything, as a worker does."""
        done = {"status": SyncRun.Status.OK, "started": Now(), "finished": Now()}
        SyncRun.objects.filter(pk=run.pk).update(**done)
        run.refresh_from_db()
        if services.announce_fetched(run) is not None:
            self.found.wrong.append("an event was not told of by its sync")

    def publish(self, _task: Any, pk: str) -> None:
        self.asked.append(pk)

    def hear(
        self, sender: Any, *, connection_id: UUID, event_id: str, **_: Any
    ) -> None:
        self.heard[connection_id, event_id] += 1


@contextmanager
def opened(
    seed: int, around: Callable[[Knock], Knock] | None = None
) -> Iterator[Storm]:
    """Connect everybody, and keep the queue from anybody else; `around` may time calls."""
    door: Knock = partial(knock, get_wsgi_application())
    storm = Storm(everybody(seed), around(door) if around else door, seed)
    webhook_fetched.connect(storm.hear)
    try:
        with mock.patch.object(publishing, "publish", storm.publish):
            yield storm
    finally:
        webhook_fetched.disconnect(storm.hear)
        storm.crowd.close()


def shown(call: Call) -> str:
    """Return so much of a call that a person can tell what it was."""
    told = f"{call.path} {dict(call.headers)} {call.length or ''} "
    return told[-SHOWN:] + repr(call.body[:SHOWN])
