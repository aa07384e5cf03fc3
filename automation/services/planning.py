"""From a rule and what its accounts hold to committed transfers, or to a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Prefetch, prefetch_related_objects
from django.utils.timezone import now

from accounts.models import Account, SyncRun, Transaction
from accounts.services import steadily, sync
from automation.machine import RunCommand, RunState
from automation.machine import run as events
from automation.machine.run import Moves
from automation.models import Rule, RuleLeg, RuleRun, Transfer, Trigger
from automation.rules import Plan, dedupe_id

from .attributes import attributes
from .beginning import begin
from .facts import connections, decide, read, read_again
from .instead import start_instead
from .line import blocked_by
from .plans import difference, life, moves_of, plan_data
from .prepared import execute
from .retrying import is_retry, last_success, not_yet, parts_before, start_retry
from .routes import route
from .rows import RUN, RUN_KEPT, Following, apply, busy, follow, put_all, take
from .spending import cover
from .switches import is_dry, standing
from .terms import log_readings

PRE_AUTOMATION = SyncRun.Kind.PRE_AUTOMATION
WRITTEN = (*RUN_KEPT, "plan_hash", "readings", "moves", "trace", "dry")
# Whoever carries it out next loads the rule as it is then, or finds it switched off.
CHANGED = events.Planned(
    RuleRun.Status.SKIPPED_STALE,
    "The rule was changed while its accounts were read",
    retry=True,
)
# All connections before anything else: see `locks`.
LOCK = """
SELECT FROM accounts_connection WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
# Its rows are lost: the database is an older one, or another has the same identity.
MADE_BEFORE = {
    "outcome": RuleRun.Status.SKIPPED_DUPLICATE.value,
    "reason": "The bank has made a transfer of this occurrence, which is not known here",
    "moves": (),
    "retry": False,
    "ask": False,
    "instead": "",
}
REMEMBERED = timedelta(minutes=10)  # for so long any bank knows an id again
Outcome = tuple[Sequence[RunCommand], list[Transfer]]


@dataclass(slots=True)
class Draft:
    """What was decided for a run, and what follows; none of it is written yet."""

    run: RuleRun
    accounts: Sequence[Account]
    moment: datetime
    decided: Plan
    next_: Following


def preview(rule: Rule, *, refresh: bool = False) -> Plan:
    """Return what `rule` would do now; moves nothing, and asks nobody but to `refresh`."""
    prefetch_related_objects([rule], Prefetch("legs", legs_with_accounts()))
    if refresh:
        sync(connections(rule), SyncRun.Kind.MANUAL)
    moment = now()
    accounts = read(rule)
    log_readings(rule, accounts, moment)
    return decide(rule, accounts, moment, preview=True)


def legs_with_accounts():
    return RuleLeg.objects.select_related("account__connection")


def plan_run(run: RuleRun) -> Outcome:
    """Read, decide, and commit all transfers with frozen amounts in one transaction.

    Where nothing is in the way that is the one that writes what was read: it holds the
    connections, and nothing comes in between. Else it is one of its own.
    """
    commands = hold_back(run)
    if commands is not None:
        return commands, []
    touched = connections(run.rule)
    with unless_committed([run]) as committed:

        def also() -> Callable[[], None]:
            drafts = draft_all([run], at_once=True)
            # The news of what was read wakes who waits for it, and this plan knows it.
            written = [] if waits(drafts) else write_drafts(drafts)
            return lambda: committed.extend(written)

        # The network is asked before the transaction opens, never inside it.
        in_use = all(row.archived_at is None for row in touched)
        sync(touched, PRE_AUTOMATION, also=also if in_use else None)
    if committed:
        return outcomes(committed)[run.pk]
    return steadily(lambda: commit_plan(run))


def commit_plan(run: RuleRun) -> Outcome:
    """Decide and write; the first transfer is claimed at once if its account is free."""
    try:
        planned = write_plans([run], at_once=True)
    except IntegrityError as error:
        if not busy(error):
            raise
        planned = write_plans([run], at_once=False)
    return planned.get(run.pk, ((), []))  # else another worker has the run


def write_plans(runs: Sequence[RuleRun], *, at_once: bool) -> dict[UUID, Outcome]:
    """Decide on what is held now, and write runs and transfers, all or nothing.

    Several runs share no connection. Those that another worker has are left out.
    """
    with unless_committed(runs) as committed:
        with transaction.atomic():
            lock([run.rule for run in runs])
            written = write_drafts(draft_all(runs, at_once=at_once))
        committed += written
    return outcomes(committed)


@contextmanager
def unless_committed(runs: Sequence[RuleRun]) -> Iterator[list[Draft]]:
    """Let `runs` be as they were before, but for those whose drafts the list is told."""
    known = [attributes(run, WRITTEN) for run in runs]
    committed: list[Draft] = []
    try:
        yield committed
    finally:
        kept = {each.run.pk for each in committed}
        for run, fields in zip(runs, known, strict=True):
            if run.pk not in kept:
                take(run, fields)


def outcomes(drafts: Iterable[Draft]) -> dict[UUID, Outcome]:
    """Log what committed `drafts` rest on, and return what follows from each."""
    for each in drafts:
        log_readings(each.run.rule, each.accounts, each.moment)
    return {e.run.pk: (e.next_.commands, list(e.next_.steps)) for e in drafts}


def draft_all(runs: Sequence[RuleRun], *, at_once: bool) -> list[Draft]:
    """Decide for each of `runs` on what is held now, which nobody changes meanwhile.

    To be called in a transaction that holds their connections.
    """
    late = [run for run in runs if comes_late(run)]
    names = {name: run.pk for run in late for name in names_of(run)}
    stands, moment = read_again([run.rule for run in runs], list(names)), now()
    made = made_of(names) if any(s.made for s in stands.values()) else set()

    def draft(run: RuleRun) -> Draft:
        stand = stands[run.rule_id]
        decided = decide(run.rule, stand.accounts, moment, run=run)
        if run.pk in made:
            decided = replace(decided, **MADE_BEFORE)
        event = verdict(run, decided, dry=is_dry(run.rule)) if stand.same else CHANGED
        told = record(run, decided, event)
        run.readings = told["readings"]  # on which the first transfer is judged
        switches = stand.switches if at_once else None
        begun = partial(begin_all, run, stand.accounts, moment, switches)
        next_ = follow(run, event, begin=begun, **told)
        return Draft(run, stand.accounts, moment, decided, next_)

    return [draft(run) for run in runs]


def comes_late(run: RuleRun) -> bool:
    """Say whether a bank may have forgotten what it made under the names of `run`.

    A program may have named it long ago, and repeat that.
    """
    due = min(run.scheduled_for, run.happened_at or run.scheduled_for)
    return run.trigger_kind == Trigger.Kind.API or now() > due + REMEMBERED


def names_of(run: RuleRun) -> list[UUID]:
    """Return the names that the first steps of its moves would have."""
    rule = run.rule
    return [
        dedupe_id(settings.INSTALLATION_ID, rule.pk, run.key, number, 0)
        for number in range(len(rule.all_legs))
    ]


def made_of(names: Mapping[UUID, UUID]) -> set[UUID]:
    """Return, of the runs in `names`, those of which a bank has told a transfer."""
    told = Transaction.objects.filter(dedupe_id__in=map(str, names), declined="")
    return {names[UUID(n)] for n in told.values_list("dedupe_id", flat=True)}


def waits(drafts: Iterable[Draft]) -> bool:
    """Say whether one of the runs is to look once more, later or when there is more."""
    due = RuleRun.Status.DUE
    told = [(each.run, each.next_.fields or {}) for each in drafts]
    return any(fields.get("status", run.status) == due for run, fields in told)


def write_drafts(drafts: Sequence[Draft]) -> list[Draft]:
    """Write all `drafts`, and return those for which nobody was faster."""
    if len(drafts) > 1:
        execute(RUN.in_order, [[each.run.pk for each in drafts]])
    written = put_all([(each.run, each.next_) for each in drafts])
    kept = [each for each in drafts if each.run.pk in written]
    for each in kept:
        if each.next_.steps and each.decided.covers:
            cover(each.run.rule, each.decided.covers, each.next_.steps)
        start_instead(each.run, each.decided)
        start_retry(each.run, each.decided)
    return kept


def begin_all(
    run: RuleRun,
    accounts: Sequence[Account],
    moment: datetime,
    switches: Mapping[str, bool] | None,
    after: RunState,
) -> list[Transfer]:
    """Return the transfers of `after`, the first claimed if `switches` let it be sent."""
    rows = transfers(run, after.moves, accounts, moment)
    if switches and rows and standing(rows[0], **switches) is None:
        begin(run, rows, accounts)
    return rows


def hold_back(run: RuleRun) -> Sequence[RunCommand] | None:
    """End `run` if it must not even be planned; None, and it goes on, if it may be."""
    why = held_back(run)
    if why is None:
        return None
    return apply(run, why, outcome=why.outcome) or ()


def held_back(run: RuleRun) -> events.Planned | None:
    """Return what is decided of a run that must not even be planned."""
    rule = run.rule
    if not rule.enabled or rule.archived_at is not None:
        return events.Planned("skipped_disabled", "This rule is disabled")
    if why := blocked_by(run):
        return events.Planned("skipped_condition", why)
    parts = parts_before(run)
    if why_not := not_yet(parts):
        return why_not
    done = last_success(rule, parts)
    if run.trigger_kind in Trigger.BY_HAND or done is None:
        return None
    until = done + timedelta(seconds=rule.cooldown_seconds)
    if now() >= until:
        return None
    why = f"Cooling down until {until:%Y-%m-%d %H:%M:%S} UTC"
    return events.Planned("skipped_not_due", why)


def verdict(run: RuleRun, decided: Plan, *, dry: bool = False) -> events.Planned:
    """Return what was decided; what is stale or short may be tried again.

    Whoever asked by hand sees that it was stale, and can simply ask again; but who
    approved a plan that waited has gone since. The conditions held for this occurrence
    before a part of it was moved, and may hold again.
    """
    again = is_retry(run)
    stale = decided.outcome == RuleRun.Status.SKIPPED_STALE
    unmet = decided.outcome == RuleRun.Status.SKIPPED_CONDITION
    by_itself = (
        run.trigger_kind not in Trigger.BY_HAND or run.status != RuleRun.Status.DUE
    )
    moves = tuple(events.Move(m.source, m.target, m.amount) for m in decided.moves)
    return events.Planned(
        decided.outcome,
        decided.reason,
        retry=(stale and (by_itself or again)) or (unmet and again) or decided.retry,
        ask=decided.ask,
        dry=dry,
        moves=moves,
        change=changes(run, decided, moves),
    )


def changes(run: RuleRun, decided: Plan, moves: events.Moves) -> str:
    """Say how a plan differs from the one that a person saw, if there was one."""
    if run.approved_at is None and run.notice_until is None:
        return ""
    names = {held.account: held.name for held in decided.readings}
    return difference(moves_of(run), moves, names, run.rule.asset)


def lock(rules: Iterable[Rule]) -> None:
    """Keep syncs, bookings and other planners away from the accounts of `rules`.

    It is a statement of its own: one that waits for these would read what was before.
    What is read next stays true as well: who protects an account, or resumes a run that
    takes money out of one or brings it there, waits for the plan.
    """
    touched = {row.pk for rule in rules for row in connections(rule)}
    execute(LOCK, [list(touched)])


def transfers(
    run: RuleRun, moves: Moves, accounts: Sequence[Account], moment: datetime
) -> list[Transfer]:
    """Return one row per provider call, in order; a second step waits for the first."""
    rows: list[Transfer] = []
    known = {str(account.pk): account for account in accounts}
    expires = moment + timedelta(seconds=run.rule.plan_ttl_seconds)
    for number, move in enumerate(moves):
        before = None
        steps = route(known[move.source], known[move.target])
        for step, (source, target) in enumerate(steps):
            before = Transfer(
                id=dedupe_id(
                    settings.INSTALLATION_ID, run.rule_id, run.key, number, step
                ),
                run=run,
                move=number,
                step=step,
                depends_on=before,
                source=source,
                target=target,
                amount=move.amount,
                asset=run.rule.asset,
                expires_at=expires,
            )
            rows.append(before)
    return rows


def record(run: RuleRun, decided: Plan, event: events.Planned) -> dict[str, Any]:
    """Return what a run keeps of a decision besides what the machine says of it."""
    told = plan_data(decided)
    return {
        "plan_hash": told["plan_hash"],
        "readings": told["readings"],
        "trace": [*life(run.trace), *told["trace"]],
        "dry": event.dry,
    }
