"""What a decision rests on: the accounts a rule touches, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from accounts.models import Account, Connection
from automation.models import Rule, RuleRun, Transfer
from automation.rules import Plan, plan
from automation.rules.conditions import accounts_of

from .compiled import Compiled, padded
from .condition_document import stored_conditions
from .spending import gather
from .terms import holdings, largest_drops, rule_spec

Ids = tuple[UUID, ...]


def used(rule: Rule) -> list[Account]:
    """Return the accounts that `rule` names: those of its legs, then of its conditions."""
    legs = [leg.account for leg in rule.all_legs if leg.account_id]
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


def read(rule: Rule) -> list[Account]:
    """Return the accounts of `rule` with their balances, and what leaves them.

    Among them are those that its money passes through, and the pots that a leg for all
    pots with a goal means.
    """
    return related(HELD(*named(rule)))


def read_again(rules: Sequence[Rule]) -> dict[UUID, tuple[list[Account], bool]]:
    """Return the same of each rule, and whether it is in use and as it was loaded.

    Who rewrites a rule waits for the lock that a planner holds. A rule that cools down
    and has succeeded meanwhile is not as it was either. Several rules are `plain`.
    """
    if len(rules) > 1:
        return read_together(rules)
    (rule,) = rules
    cools = (rule.last_success_at,) if rule.cooldown_seconds else ()
    rows = HELD_BY_SAME(*named(rule), rule.pk, rule.updated, *cools)
    accounts = related(rows)
    return {rule.pk: (accounts, all(account.unchanged for account in accounts))}


def plain(rule: Rule) -> bool:
    """Say whether `rule` means no other accounts than its legs name."""
    return not asked(rule) and not any(leg.accounts for leg in rule.all_legs)


def read_together(rules: Sequence[Rule]) -> dict[UUID, tuple[list[Account], bool]]:
    """Read at once what several plain rules want to know."""
    wanted = {rule.pk: named(rule)[1] for rule in rules}
    ids = padded({pk for accounts in wanted.values() for pk in accounts})
    accounts = {a.pk: a for a in related(HELD(rules[0].workspace_id, ids, (), ()))}
    standing = {pk: told for pk, *told in STANDING(padded(wanted))}
    return {
        rule.pk: (
            [accounts[pk] for pk in wanted[rule.pk] if pk in accounts],
            unchanged(rule, *standing.get(rule.pk, (None, None))),
        )
        for rule in rules
    }


def unchanged(rule: Rule, updated: datetime | None, succeeded: datetime | None) -> bool:
    """Say whether `rule` is as it was loaded; `updated` is None where it is not in use."""
    return rule.updated == updated and (
        not rule.cooldown_seconds or rule.last_success_at == succeeded
    )


def named(rule: Rule) -> tuple[UUID, Ids, Ids, Ids]:
    """Return the workspace of `rule`, and the accounts that it means: see `held`."""
    legs = [leg for leg in rule.all_legs if leg.account_id]
    around = {leg.account.parent_id for leg in legs} - {None}
    roots = set()
    if any(leg.accounts for leg in rule.all_legs):
        roots = around | {leg.account_id for leg in legs if leg.role == "source"}
    ids = {leg.account_id for leg in legs} | around, map(UUID, asked(rule)), roots
    return rule.workspace_id, *(tuple(sorted(each)) for each in ids)


def held(workspace: UUID, passed: Ids, compared: Ids, roots: Ids) -> QuerySet[Account]:
    """Return accounts that money passes, that are compared, or pots within `roots`."""
    wanted = Q(pk__in=passed)
    if compared:
        wanted |= Q(workspace=workspace, pk__in=compared)
    if roots:
        wanted |= Q(parent__in=roots, goal__gt=0, closed_at=None)
    accounts = Account.objects.filter(wanted)
    accounts = accounts.annotate(
        leaving=Transfer.objects.sum_leaving("pk", "balance__as_of"),
        coming=Transfer.objects.coming().sum_into("pk"),
    )
    return accounts.select_related("balance", "connection").order_by("pk")


def same(rule: UUID, updated: datetime, *succeeded: datetime | None) -> Exists:
    rows = Rule.objects.in_use().filter(pk=rule, enabled=True, updated=updated)
    for moment in succeeded:
        rows = rows.filter(last_success_at=moment)
    return Exists(rows)


def in_use(rules: Ids) -> QuerySet[Rule]:
    rows = Rule.objects.in_use().filter(pk__in=rules, enabled=True).order_by()
    return rows.values_list("pk", "updated", "last_success_at")


STANDING = Compiled(in_use)
HELD = Compiled(held)
HELD_BY_SAME = Compiled(
    lambda workspace, passed, compared, roots, *rule: held(
        workspace, passed, compared, roots
    ).annotate(unchanged=same(*rule))
)


def related(rows: Iterable[Account]) -> list[Account]:
    """Return accounts, each pot with the account around it where that is among them."""
    known = {account.pk: account for account in rows}
    for account in known.values():
        if account.parent_id in known:
            account.parent = known[account.parent_id]
    return list(known.values())


def decide(
    rule: Rule,
    accounts: Sequence[Account],
    moment: datetime,
    *,
    preview: bool = False,
    run: RuleRun | None = None,
) -> Plan:
    """Return the plan for what `accounts` hold, less what is on its way out of them.

    What is on its way to them is not theirs yet, but they lack it no more.
    `run` tells what made the rule due. Where only old readings stand in the way and the
    rule wants a person asked, it is the plan to ask about: planned, and marked `ask`.
    """
    careful = rule.on_stale == Rule.OnStale.USE_FLOOR
    held = holdings(
        accounts,
        now=moment,
        reserved={account.pk: int(account.leaving) for account in accounts},
        coming={account.pk: int(account.coming) for account in accounts},
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
