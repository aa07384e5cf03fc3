"""What a rule would do with balances that somebody types: nobody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db.models import Prefetch, prefetch_related_objects
from django.utils.timezone import now

from accounts.models import Account
from automation.models import Rule
from automation.rules import Holding, Plan, plan

from .facts import read
from .planning import legs_with_accounts
from .spending import gather
from .terms import holdings, rule_spec

TYPED = "typed"


def typed_accounts(rule: Rule) -> dict[str, Account]:
    """Return the accounts that a simulation of `rule` may name, by id, as stored."""
    prefetch_related_objects([rule], Prefetch("legs", legs_with_accounts()))
    return {str(account.pk): account for account in read(rule)}


def simulate(
    rule: Rule,
    accounts: Mapping[str, Account],
    balances: Mapping[str, int],
    *,
    at: datetime | None = None,
    spent: Mapping[str, int] | None = None,
    amount: int | None = None,
) -> Plan:
    """Return the plan for typed available money, in minor units; writes nothing.

    A typed balance is of age 0, and nothing is on its way from it or to it. An account
    that is left out counts as it is stored, at its true age: too old or never read, it
    is stale.
    `spent` is what left each bills pot since payday; what is left out, and what was
    paid by card, is taken from the stored transactions of today. `amount` is that of
    the transaction that made it due, in minor units of the rule's asset. As in a
    preview, a disabled rule is planned too.
    """
    moment = at or now()
    stored = holdings(
        accounts.values(),
        # Its age is that of today, whatever day is played.
        now=now(),
        reserved={row.pk: int(row.leaving) for row in accounts.values()},
        coming={row.pk: int(row.coming) for row in accounts.values()},
    )
    held = {
        name: typed(known, balances[name], moment) if name in balances else known
        for name, known in stored.items()
    }
    known = gather(rule, list(accounts.values()), now(), preview=True)
    return plan(
        rule_spec(rule, now=moment),
        held,
        now=moment,
        spent=known.spent | dict(spent or {}),
        payments=known.payments,
        owed=known.owed,
        amount=amount,
        preview=True,
    )


def typed(known: Holding, available: int, moment: datetime) -> Holding:
    """Return an account as somebody says it is, read just then."""
    return replace(
        known,
        available=available,
        total=available,
        coming=0,
        age_seconds=0,
        as_of=moment,
        source=TYPED,
    )
