"""What a decision rests on: the accounts a rule touches, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import Account, Connection
from automation.models import Rule, RuleRun, Transfer
from automation.rules import Plan, plan
from automation.rules.conditions import accounts_of

from .compiled import Compiled, padded
from .condition_document import stored_conditions
from .prepared import execute
from .spending import gather
from .terms import holdings, largest_drops, rule_spec
from .windows import later_day

Ids = tuple[UUID, ...]
# Rules as they are stored, and how the switches of their workspaces stand. Both stay so
# until the transaction ends: who pauses a workspace, or writes, freezes or archives a
# rule, waits for it.
STATE = (
    "r.id",
    "r.enabled AND r.archived_at IS NULL",
    "r.updated",
    "r.last_success_at",
    "w.paused_at IS NOT NULL",
    "w.dry_run",
    # Looks at no transaction where no name is asked about.
    """EXISTS (
      SELECT FROM accounts_transaction m
      WHERE cardinality(%s::uuid[]) > 0 AND m.dedupe_id <> '' AND m.declined = ''
      AND m.dedupe_id = ANY(%s::uuid[]::text[]))""",
)
STANDING = f"""
SELECT {", ".join(STATE)}
FROM automation_rule r JOIN accounts_workspace w ON w.id = r.workspace_id
WHERE r.id = ANY(%s) ORDER BY r.id FOR SHARE OF w FOR KEY SHARE OF r
"""
# Of one rule along with its accounts. The connections are held by then: who is waited for
# here has not changed what those hold, or what leaves them and comes to them.
ALONE = f"""
WITH standing AS ({STANDING})
SELECT standing.*, found.* FROM standing LEFT JOIN ({{wanted}}) AS found ON true
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """What a decision about a rule rests on, as it is stored.

    `same` says whether the rule is in use, and as it was loaded; `made` whether a bank
    has told of a transfer under one of the names that were asked for.
    """

    accounts: list[Account]
    same: bool
    switches: Mapping[str, bool]
    made: bool


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


def read_again(rules: Sequence[Rule], names: Sequence[UUID] = ()) -> dict[UUID, Stand]:
    """Return how each of `rules` stands, and hold that true: see STANDING.

    To be called in a transaction that holds their connections. Several rules are `plain`,
    and are asked about transfers under `names` together.
    """
    if len(rules) > 1:
        return read_together(rules, names)
    (rule,) = rules
    maker, wanted, asked = HELD.statement(*named(rule))
    given = [list(names), list(names), [rule.pk], *asked]
    answer = execute(ALONE.format(wanted=wanted), given)
    rows = answer.fetchall()
    found = maker([row[len(STATE) :] for row in rows], answer.db)
    accounts = related(account for account in found if account is not None)
    return {rule.pk: stand(rule, accounts, rows[0])}


def stand(rule: Rule, accounts: list[Account], state: Sequence[Any]) -> Stand:
    """Return how `rule` stands by its row of STANDING, which `state` begins with."""
    _, in_use, updated, succeeded, paused, dry, made = state[: len(STATE)]
    same = in_use and rule.updated == updated
    # One that cools down and has succeeded meanwhile is not as it was either.
    if rule.cooldown_seconds:
        same = same and rule.last_success_at == succeeded
    return Stand(accounts, same, {"paused": paused, "dry": dry}, made)


def plain(rule: Rule) -> bool:
    """Say whether `rule` means no other accounts than its legs name."""
    return not asked(rule) and not any(leg.accounts for leg in rule.all_legs)


def read_together(rules: Sequence[Rule], names: Sequence[UUID]) -> dict[UUID, Stand]:
    """Read at once what several plain rules want to know."""
    given = [list(names), list(names), [rule.pk for rule in rules]]
    states = execute(STANDING, given).fetchall()
    stored = {pk: (pk, *more) for pk, *more in states}
    wanted = {rule.pk: named(rule)[1] for rule in rules}
    ids = padded({pk for accounts in wanted.values() for pk in accounts})
    accounts = {a.pk: a for a in related(HELD(rules[0].workspace_id, ids, (), ()))}
    return {
        rule.pk: stand(
            rule,
            [accounts[pk] for pk in wanted[rule.pk] if pk in accounts],
            stored[rule.pk],
        )
        for rule in rules
    }


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


HELD = Compiled(held)


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
    if run is not None and rule.conditions:
        facts["later"] = later_day(run)
    found = plan(spec, held, now=moment, preview=preview, **facts)
    if found.ask:
        older = plan(spec, held, now=moment, preview=preview, older=True, **facts)
        reason = f"{older.reason}, on older readings: {found.reason}"
        found = replace(older, ask=True, reason=reason)
    return replace(found, covers=known.covers) if known.covers else found
