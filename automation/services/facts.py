"""What a decision rests on: the accounts a rule touches, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import Q

from accounts.models import Account, Connection
from automation.models import Rule, RuleRun, Transfer
from automation.rules import Plan, plan
from automation.rules.conditions import accounts_of

from .condition_document import stored_conditions
from .spending import gather
from .terms import holdings, largest_drops, rule_spec


def used(rule: Rule) -> list[Account]:
    """Return the accounts that `rule` names: those of its legs, then of its conditions."""
    legs = [leg.account for leg in rule.legs.all() if leg.account_id]
    ids = asked(rule) - {str(account.pk) for account in legs}
    if not ids:
        return legs
    others = Account.objects.filter(workspace=rule.workspace_id, pk__in=ids)
    return [*legs, *others.select_related("connection").order_by("pk")]


def asked(rule: Rule) -> set[str]:
    """Return the ids of the accounts whose balances the conditions ask about."""
    return set(accounts_of(stored_conditions(rule)))


def connections(rule: Rule) -> list[Connection]:
    """Return every connection that `rule` touches, once."""
    return list({a.connection_id: a.connection for a in used(rule)}.values())


def read(rule: Rule):
    """Return the accounts of `rule` with their balances, and what leaves them.

    Among them are those that its money passes through, and the pots that a leg for all
    pots with a goal means.
    """
    legs = [leg for leg in rule.legs.all() if leg.account_id]
    around = {leg.account.parent_id for leg in legs} - {None}
    wanted = Q(pk__in={leg.account_id for leg in legs} | around)
    if ids := asked(rule):
        wanted |= Q(workspace=rule.workspace_id, pk__in=ids)
    if any(leg.accounts for leg in rule.legs.all()):
        roots = around | {leg.account_id for leg in legs if leg.role == "source"}
        wanted |= Q(parent__in=roots, goal__gt=0, closed_at=None)
    accounts = Account.objects.filter(wanted)
    accounts = accounts.annotate(leaving=Transfer.objects.unread().sum_out_of("pk"))
    return accounts.select_related("balance", "parent", "connection").order_by("pk")


def decide(
    rule: Rule,
    accounts: Sequence[Account],
    moment: datetime,
    *,
    preview: bool = False,
    run: RuleRun | None = None,
) -> Plan:
    """Return the plan for what `accounts` hold, less what is on its way out of them.

    `run` tells what made the rule due. Where only old readings stand in the way and the
    rule wants a person asked, it is the plan to ask about: planned, and marked `ask`.
    """
    careful = rule.on_stale == Rule.OnStale.USE_FLOOR
    held = holdings(
        accounts,
        now=moment,
        reserved={account.pk: int(account.leaving) for account in accounts},
        drops=largest_drops(accounts, moment) if careful else {},
    )
    known = gather(rule, accounts, moment, run=run, preview=preview)
    spec, facts = rule_spec(rule, now=moment), known.planned_with(run)
    found = plan(spec, held, now=moment, preview=preview, **facts)
    if found.ask:
        older = plan(spec, held, now=moment, preview=preview, older=True, **facts)
        reason = f"{older.reason}, on older readings"
        found = replace(older, ask=True, reason=reason)
    return replace(found, covers=known.covers) if known.covers else found
