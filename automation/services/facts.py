"""What a decision rests on: the accounts a rule touches, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from accounts.models import Account, Connection
from automation.models import Rule, Transfer
from automation.rules import Plan, plan

from .terms import holdings, largest_drops, rule_spec


def used(rule: Rule) -> list[Account]:
    return [leg.account for leg in rule.legs.all()]


def connections(rule: Rule) -> list[Connection]:
    """Return every connection that `rule` touches, once."""
    return list({a.connection_id: a.connection for a in used(rule)}.values())


def read(rule: Rule):
    """Return the accounts of `rule` with their balances, and what leaves them."""
    accounts = Account.objects.filter(pk__in=[a.pk for a in used(rule)])
    accounts = accounts.annotate(leaving=Transfer.objects.unread().sum_out_of("pk"))
    return accounts.select_related("balance", "parent", "connection").order_by("pk")


def decide(
    rule: Rule, accounts: Sequence[Account], moment: datetime, *, preview: bool = False
) -> Plan:
    """Return the plan for what `accounts` hold, less what is on its way out of them."""
    careful = rule.on_stale == Rule.OnStale.USE_FLOOR
    held = holdings(
        accounts,
        now=moment,
        reserved={account.pk: int(account.leaving) for account in accounts},
        drops=largest_drops(accounts, moment) if careful else {},
    )
    return plan(rule_spec(rule, now=moment), held, now=moment, preview=preview)
