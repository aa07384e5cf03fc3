"""From a template to a rule: which accounts fit, what it would do, and writing it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Account, SyncRun, Workspace
from accounts.services import sync
from automation.models import Rule, RuleRun
from automation.rules import Plan

from .facts import connections
from .keeping import write_rule
from .planning import preview
from .routes import mover
from .templates import POT, Answers, Template


def fitting(workspaces: Iterable[Any], kind: str) -> list[Account]:
    """Return the accounts that a template may be given, by what it asks for."""
    rows = Account.objects.open().filter(
        workspace__in=workspaces, automates=True, active=True
    )
    rows = rows.select_related("balance", "parent").order_by(
        "provider", "parent__name", "name"
    )
    if kind == POT:
        found = rows.filter(parent__isnull=False, can_receive=True)
    else:
        # An account without pots has nowhere to put money.
        found = rows.filter(parent=None, can_send=True, pots__closed_at=None)
        found = found.filter(pots__isnull=False).distinct()
    return [row for row in found if mover(row.provider) is not None]


def tried(template: Template, workspace: Workspace, answers: Answers) -> Plan:
    """Return what the rule would do now; keeps nothing, raises RuleInvalid.

    Where the balances are too old to tell, the providers are asked first.
    """
    plan, used = planned(template, workspace, answers)
    if plan.outcome == RuleRun.Status.SKIPPED_STALE:
        sync(used, SyncRun.Kind.MANUAL)  # outside of any transaction
        plan, _ = planned(template, workspace, answers)
    return plan


def planned(
    template: Template, workspace: Workspace, answers: Answers
) -> tuple[Plan, list[Any]]:
    """Return the plan of a rule that is written, looked at and let go again."""
    with transaction.atomic():
        rule = write_rule(workspace, template.rule(answers) | {"enabled": True})
        found = preview(rule), connections(rule)
        transaction.set_rollback(True)
    return found


def start_rule(
    template: Template,
    workspace: Workspace,
    answers: Answers,
    *,
    enabled: bool = False,
    user=None,
) -> Rule:
    """Write the rule that the answers make; it is switched off unless `enabled`.

    Raises RuleInvalid.
    """
    data = template.rule(answers) | {"enabled": enabled}
    return write_rule(workspace, data, user=user)


def workspace_of(answers: Answers) -> UUID:
    """Return where the rule belongs: where its accounts are."""
    return answers["account"].workspace_id
