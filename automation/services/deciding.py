"""What people decide about a run: yes, no, or try once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Account
from accounts.services import audit
from automation import machine
from automation.machine import events as transfer_events
from automation.machine import run as events
from automation.machine.endings import CANCELLED
from automation.models import Rule, RuleRun, Transfer

from .locks import hold, in_order
from .plans import note
from .rows import run_state, run_step, save_run, with_cooldowns
from .runs import transfers_of
from .sending import Drive
from .spending import cover_again

log = structlog.get_logger("automation.runs")
Status = RuleRun.Status
OVERTAKEN = "This rule has moved money since, or still may: start a new run."


class NotDecidable(Exception):
    """This cannot be done to this run now."""

    code = "not_possible"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.__doc__)


class NotAwaited(NotDecidable):
    """This run does not wait for an approval."""

    code = "not_awaiting_approval"


class AnotherPlan(NotDecidable):
    """The plan is another one now: look at it before you approve it."""

    code = "plan_changed"


class PlanTooOld(NotDecidable):
    """The plan has waited for too long and is carried out no more."""

    code = "plan_too_old"


class Ended(NotDecidable):
    """This run has ended: there is nothing left to cancel."""

    code = "run_ended"


class NotResumable(NotDecidable):
    """Nothing of this run can be tried again: start a new one."""

    code = "not_resumable"


def approve_run(run_id: UUID | str, *, user, plan_hash: str = "") -> RuleRun:
    """Let the plan that a run shows be carried out, if a fresh one agrees with it.

    Raises NotAwaited, AnotherPlan where `plan_hash` names a plan that is not shown,
    and PlanTooOld. Approving twice is approving once.
    """
    with transaction.atomic():
        run = locked(run_id)
        approved = run.approved_at is not None
        if not approved and run.status != Status.AWAITING_APPROVAL:
            raise NotAwaited
        shown = run.wanted_hash if approved else run.plan_hash
        if plan_hash and plan_hash != shown:
            raise AnotherPlan
        if approved:
            return run
        before = run_state(run)
        after, _ = machine.step(before, events.Approve(), now())
        if after is before:
            raise PlanTooOld
        trace = [*run.trace, note("approved", f"Approved by {user}")]
        seen = {"approved_by": user, "wanted_hash": run.plan_hash}
        keep(run, after, **seen, trace=trace)
        write_down("run.approved", run, before, plan_hash=run.plan_hash)
    log.info("run_approved", run=str(run.pk), user=user.pk)
    return run


def cancel_run(run_id: UUID | str, *, user) -> RuleRun:
    """Begin nothing more of a run. What was begun is finished, and what it did is told.

    Of a move that takes two calls the second is made if the first was: else its money
    would lie in between. Raises Ended. Cancelling twice is cancelling once.
    """
    with transaction.atomic():
        run = locked(run_id)
        if run.status == Status.CANCELLED:
            return run
        if run.status not in (*RuleRun.UNFINISHED, Status.QUARANTINED):
            raise Ended
        steps = transfers_of(run)
        for move in by_move(steps):
            give_up(run, move, steps)
        why = f"Cancelled by {user}"
        told = [run_step(row, steps) for row in steps]
        before = run_state(run)
        after, commands = machine.step(before, events.Cancel(why, told), now())
        if after is before and any(step["step"] == "cancelled" for step in run.trace):
            return run
        told = [*run.trace, note("cancelled", why)]
        keep(run, after, write=with_cooldowns(commands), trace=told)
        write_down("run.cancelled", run, before)
    log.info("run_cancelled", run=str(run.pk), user=user.pk, status=run.status)
    return run


def give_up(run: RuleRun, move: Sequence[Transfer], steps: Sequence[Transfer]) -> None:
    """Let go of a move none of whose calls was made."""
    for row in move:
        Drive(run, row, steps).apply(transfer_events.Cancel())
        if row.error_code != CANCELLED:
            break


def resume_run(run_id: UUID | str, *, user) -> RuleRun:
    """Let a run that ended badly, or was given up, go on where that is safe.

    What was refused or never sent is tried again under its own id, while its plan is
    young, no other run of the rule has moved money since, and the provider remembers
    the id; never what a person cancelled, what was brought back or what may have moved.
    A run that was given up before it had a plan is planned anew. Raises NotResumable.
    A run that goes on is left to go on.
    """
    with transaction.atomic():
        hold_ends(run_id)
        run = locked(run_id)
        if run.status in (Status.PLANNED, Status.RUNNING):
            return run
        if not run.rule.enabled or run.rule.archived_at is not None:
            raise NotResumable("The rule of this run is switched off.")
        late = overtaken(run)
        steps = transfers_of(run)
        for row in steps:
            if may_go_on(row, steps, late=late):
                Drive(run, row, steps).apply(transfer_events.Resume())
        before = run_state(run)
        told = [run_step(row, steps) for row in steps]
        after, commands = machine.step(before, events.Resume(told), now())
        if after is before:
            raise NotResumable(OVERTAKEN if late else "")
        cover_again(run)
        told = [*run.trace, note("resumed", f"Resumed by {user}")]
        keep(run, after, write=with_cooldowns(commands), trace=told)
        write_down("run.resumed", run, before)
    log.info("run_resumed", run=str(run.pk), user=user.pk, status=run.status)
    return run


def hold_ends(run_id: UUID | str) -> None:
    """Keep planners away from the accounts that money of a run leaves and comes to.

    What they read of these would no longer be true: more leaves and comes once it goes on.
    """
    moves = Transfer.objects.filter(run=run_id).order_by()
    ends = Q(pk__in=moves.values("source")) | Q(pk__in=moves.values("target"))
    hold(Account.objects.filter(ends).values("connection"))


def overtaken(run: RuleRun) -> bool:
    """Say whether the rule of `run` has moved money since that was planned, or may.

    Then what `run` did not move is moved already, or its limits are used up. Another
    run of the rule is planned, or resumed, before this is asked or once it is answered.
    """
    in_order(run.transfers.all())
    Rule.objects.select_for_update().get(pk=run.rule_id)
    others = Transfer.objects.moved_by(run.rule).exclude(run=run)
    since = run.planned_at or run.created
    return others.filter(Q(settled_at=None) | Q(settled_at__gt=since)).exists()


def may_go_on(row: Transfer, steps: Sequence[Transfer], *, late: bool) -> bool:
    """Say whether the money of `row` is where the call needs it, and still wanted."""
    if row.step == 2:
        return True
    if late and row.step == 0 and row.settled_at is not None:
        return False
    back = any(s.move == row.move and s.step == 2 for s in steps)
    before = next((s for s in steps if s.pk == row.depends_on_id), None)
    ready = before is None or before.settled_at is None or before.status == "done"
    return ready and not back


def by_move(steps: Iterable[Transfer]) -> list[list[Transfer]]:
    moves: dict[int, list[Transfer]] = {}
    for row in steps:
        moves.setdefault(row.move, []).append(row)
    return list(moves.values())


def keep(run: RuleRun, after: machine.RunState, **more: Any) -> None:
    """Write what was decided; the row is locked, so nobody can have been faster."""
    if not save_run(run, after, **more):
        raise AssertionError(f"{run.pk} changed under its lock")


def write_down(
    action: str, run: RuleRun, before: machine.RunState, **more: str
) -> None:
    """Tell the audit what was decided about `run`, and how that changed it."""
    audit(
        action,
        run,
        workspace=run.rule.workspace_id,
        old={"status": before.status},
        new={"status": run.status, "rule": run.rule_id, **more},
        kind="run",
    )


def locked(run_id: UUID | str) -> RuleRun:
    """Return a run that nobody else decides about meanwhile."""
    rows = RuleRun.objects.select_related("rule__workspace")
    mine = rows.select_for_update(of=("self",), no_key=True)
    return mine.prefetch_related("rule__legs").get(pk=run_id)
