"""What triggers see among transactions: salaries, and others that fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from accounts.models import Transaction
from automation.models import RuleLeg, RuleRun, Transfer, Trigger
from automation.rules.identity import RETRY, as_uuid
from automation.rules.payday import MovementSeen, payday, transactions
from automation.rules.triggers import Occurrence
from automation.schedules import trigger_spec

Found = dict[UUID, list[Occurrence]]
SETTLING = timedelta(days=30)  # a card payment may take that long


def salaries(triggers: Sequence[Trigger], moment: datetime) -> Found:
    """Return, by trigger, the salary that makes it due.

    A trigger whose last payday is still under way waits: only its success, or its
    failure, tells whether another salary belongs to the same pay cycle.
    """
    seen = movements_for(triggers, moment, timedelta())
    busy = RuleRun.objects.unfinished().filter(
        rule__in={t.rule_id for t in triggers}, trigger_kind=Trigger.Kind.PAYDAY
    )
    busy = busy.exclude(key__startswith=RETRY)
    waiting = set(busy.values_list("rule_id", flat=True))
    found: Found = {}
    for trigger in triggers:
        salary = payday(
            trigger_spec(trigger),
            seen[trigger.pk],
            asset=trigger.rule.asset,
            now=moment,
            last_fired=trigger.last_fired_at,
            zone=trigger.rule.timezone,
        )
        if salary is not None and trigger.rule_id not in waiting:
            found[trigger.pk] = [salary]
    return found


def settled(triggers: Sequence[Trigger], moment: datetime) -> Found:
    """Return, by trigger, every settled transaction that fits and has no run yet."""
    seen = movements_for(triggers, moment, SETTLING)
    found = {
        trigger.pk: transactions(
            trigger_spec(trigger),
            seen[trigger.pk],
            asset=trigger.rule.asset,
            now=moment,
            since=trigger.seen_at or trigger.created,
        )
        for trigger in triggers
    }
    keys = {each.key for rows in found.values() for each in rows}
    known = RuleRun.objects.filter(
        rule__in={trigger.rule_id for trigger in triggers}, key__in=keys
    )
    done = set(known.values_list("rule_id", "key")) if keys else set()
    return {
        trigger.pk: [
            each
            for each in found[trigger.pk]
            if (trigger.rule_id, each.key) not in done
        ]
        for trigger in triggers
    }


def movements_for(
    triggers: Sequence[Trigger], moment: datetime, before: timedelta
) -> dict[UUID, list[MovementSeen]]:
    """Return, by trigger, what moved in the accounts that its rule is fed from.

    It reaches back by the longest look-back, and by `before` besides.
    """
    fed = fed_accounts({trigger.rule_id for trigger in triggers})
    longest = max(trigger.look_back_days for trigger in triggers)
    rows = Transaction.objects.filter(
        account__in={account for accounts in fed.values() for account in accounts},
        created__gte=moment - timedelta(days=longest) - before,
        declined="",
        pot="",
    )
    known = list(rows)
    ours = our_own(known)
    by_account: dict[UUID, list[MovementSeen]] = defaultdict(list)
    for row in known:
        by_account[row.account_id].append(movement(row, ours))
    return {
        trigger.pk: [m for account in fed[trigger.rule_id] for m in by_account[account]]
        for trigger in triggers
    }


def fed_accounts(rules: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Return the sources of `rules`, and the accounts around those that are pots."""
    fed: dict[UUID, set[UUID]] = defaultdict(set)
    rows = RuleLeg.objects.filter(rule__in=rules, role="source")
    for rule, account, around in rows.values_list(
        "rule_id", "account_id", "account__parent_id"
    ):
        fed[rule] |= {account, around} - {None}
    return fed


def our_own(rows: Iterable[Transaction]) -> set[UUID]:
    """Return which of the ids that `rows` give back are those of our transfers."""
    ids = {found for row in rows if (found := as_uuid(row.dedupe_id))}
    if not ids:
        return set()
    return set(Transfer.objects.filter(pk__in=ids).values_list("pk", flat=True))


def movement(row: Transaction, ours: set[UUID]) -> MovementSeen:
    return MovementSeen(
        external_id=row.external_id,
        amount=row.amount,
        asset=row.asset,
        created=row.created,
        settled=row.settled,
        declined=bool(row.declined),
        description=row.description,
        counterparty=row.counterparty,
        merchant=row.merchant,
        category=row.category,
        pot=row.pot,
        account=str(row.account_id),
        ours=as_uuid(row.dedupe_id) in ours,
    )
