"""What people have stopped: a workspace, an account, or all moving of money."""

from __future__ import annotations

from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Workspace
from automation.machine import events
from automation.models import Rule, RuleRun, Transfer

from .locks import update_in_order
from .prepared import execute

log = structlog.get_logger("automation.switches")
PAUSED, DRY, PROTECTED, OFF = "paused", "dry_run", "protected", "rule_off"
# Shared: those who send do not wait for each other, but who pauses the workspace,
# protects an account or switches off the rule waits for them, and once that is
# committed nobody commits to send.
SWITCHES = """
SELECT w.paused_at IS NOT NULL AS paused, w.dry_run AS dry,
       s.protected_at IS NOT NULL AS source, t.protected_at IS NOT NULL AS target,
       NOT r.enabled AS off
FROM accounts_account s
JOIN accounts_workspace w ON w.id = s.workspace_id
JOIN accounts_account t ON t.id = %s
JOIN automation_rulerun n ON n.id = %s
JOIN automation_rule r ON r.id = n.rule_id
WHERE s.id = %s"""
GUARD = f"{SWITCHES} FOR SHARE OF w FOR KEY SHARE OF s, t, r"
# The same for who must not wait for them; finds nothing while one of them is changed. Who
# protects an account or switches a rule off locks its row FOR UPDATE first: of a plain
# UPDATE that is committed meanwhile, a lock as weak as FOR KEY SHARE would not learn.
AT_HAND = f"{SWITCHES} {{more}} FOR SHARE OF w SKIP LOCKED FOR KEY SHARE OF s, t, r SKIP LOCKED"


class Stopped(Exception):
    """Nothing may be sent just now."""

    def __init__(self, event: events.Held) -> None:
        super().__init__(event.why)
        self.event = event


def guard(row: Transfer) -> None:
    """Raise Stopped if `row` must not be sent.

    To be called in the transaction that commits the moment of sending.
    """
    if event := stopped(row):
        raise Stopped(event)


def stopped(row: Transfer) -> events.Held | None:
    """Return why `row` must not be sent, as the database says, and hold that true."""
    told = execute(GUARD, switches_of(row))
    paused, dry, source, target, off = told.fetchone()
    return because(row, paused=paused, dry=dry, source=source, target=target, off=off)


def switches_of(row: Transfer) -> list[UUID]:
    """Return what SWITCHES is given of `row`."""
    return [row.target_id, row.run_id, row.source_id]


def resting(run: RuleRun, row: Transfer) -> events.Held | None:
    """Return the same as it was when the rows were read: to save the bank a question."""
    workspace = run.rule.workspace
    paused, off = workspace.paused_at is not None, not run.rule.enabled
    return standing(row, paused=paused, dry=workspace.dry_run, off=off)


def standing(
    row: Transfer, *, paused: bool, dry: bool, off: bool = False
) -> events.Held | None:
    """Return why `row` must not be sent as its accounts were read."""
    return because(
        row,
        paused=paused,
        dry=dry,
        source=row.source.protected_at is not None,
        target=row.target.protected_at is not None,
        off=off,
    )


def because(
    row: Transfer, *, paused: bool, dry: bool, source: bool, target: bool, off: bool
) -> events.Held | None:
    if paused:
        return events.Held(PAUSED, "All moves are paused")
    if dry or settings.DRY_RUN:
        return events.Held(DRY, "This is a dry run: nothing is moved")
    if source or target:
        account = row.source if source else row.target
        return events.Held(
            PROTECTED, f"{account} is protected: nothing moves in or out"
        )
    if off and row.step == 0:  # what lies between two pots goes on to its end
        return events.Held(OFF, "The rule is switched off: nothing more is begun")
    return None


def is_dry(rule: Rule) -> bool:
    """Say whether runs of `rule` are only to be looked at."""
    return bool(settings.DRY_RUN or rule.workspace.dry_run)


def held_up(run: RuleRun) -> str:
    """Return why `run` may not be begun just now, or nothing."""
    since = run.rule.workspace.paused_at
    return f"All moves are paused since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""


def freeze(rule_id: UUID) -> None:
    """Disable a rule. Once this is committed, no plan of it is, nor is anything begun.

    To be called in a transaction.
    """
    Rule.objects.select_for_update().get(pk=rule_id)
    Rule.objects.filter(pk=rule_id).update(enabled=False)


# -- the switches


def pause(workspace: Workspace, *, user) -> Workspace:
    """Let nothing more be sent in `workspace`; what is on its way is finished."""
    moment = now()
    begun = Workspace.objects.filter(pk=workspace.pk, paused_at=None)
    if begun.update(paused_at=moment) == 1:
        log.warning("moves_paused", workspace=str(workspace.pk), user=user.pk)
    workspace.refresh_from_db(fields=["paused_at"])
    return workspace


def unpause(workspace: Workspace, *, user) -> list[UUID]:
    """Let moves go on, and return the runs to carry out: none is planned twice."""
    with transaction.atomic():
        paused = Workspace.objects.filter(pk=workspace.pk, paused_at__isnull=False)
        if paused.update(paused_at=None) == 0:
            return []
        log.warning("moves_go_on", workspace=str(workspace.pk), user=user.pk)
        workspace.paused_at = None
        return wake_held(workspace)


def wake_held(workspace: Workspace) -> list[UUID]:
    """Make due what waited for the pause to end."""
    moment = now()
    free = RuleRun.objects.unfinished().filter(
        rule__workspace=workspace, lease_until=None, next_attempt_at__gt=moment
    )
    begun = Q(status__in=[RuleRun.Status.PLANNED, RuleRun.Status.RUNNING])
    told = Q(status=RuleRun.Status.NOTIFIED, notice_until__lte=moment)
    waiting = Q(status=RuleRun.Status.DUE) | Q(approved_at__isnull=False)
    mine = free.filter(begun | told | waiting)
    ids = update_in_order(mine, next_attempt_at=moment)
    held = Transfer.objects.filter(
        run__rule__workspace=workspace,
        status=Transfer.Status.PENDING,
        error_code=PAUSED,
    )
    update_in_order(held, next_attempt_at=moment)
    return ids
