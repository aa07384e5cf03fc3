"""News makes triggers due at once; none of it is needed, for they look by themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.timezone import now

from accounts.models import Account
from automation.models import RuleLeg, RuleRun, Trigger

from .compiled import Compiled, padded
from .locks import update_in_order
from .runs import start_run

MOVEMENTS = (Trigger.Kind.PAYDAY, Trigger.Kind.TRANSACTION)


def wake_triggers(accounts: Iterable[UUID]) -> int:
    """Let triggers that watch what `accounts` hold, or what moves in them, look now."""
    return wake(WATCHING, accounts)


def wake_seers(accounts: Iterable[UUID]) -> int:
    """Let triggers look now that wait for a movement in one of `accounts`."""
    return wake(SEEING, accounts)


def wake(find: Compiled, accounts: Iterable[UUID]) -> int:
    """Let the triggers look now that `find` finds for `accounts`; return how many.

    Most news concerns no trigger, so they are looked for before any is locked.
    """
    ids = padded(accounts)
    found = list(find(ids)) if ids else []
    return look_now(Q(pk__in=found)) if found else 0


def watching(accounts: Collection[UUID]) -> QuerySet[Trigger]:
    balances = Q(kind=Trigger.Kind.BALANCE, account__in=accounts)
    return in_use(balances | sees(accounts)).values_list("pk", flat=True)


def seeing(accounts: Collection[UUID]) -> QuerySet[Trigger]:
    return in_use(sees(accounts)).values_list("pk", flat=True)


def sees(accounts: Collection[UUID]) -> Q:
    return Q(kind__in=MOVEMENTS, rule__in=fed_from(accounts))


WATCHING, SEEING = Compiled(watching), Compiled(seeing)


def fed_from(accounts: Collection[UUID]):
    """Return, for a query, the rules that `accounts`, or pots within them, feed."""
    pots = Account.objects.filter(parent__in=accounts).values("pk")
    legs = RuleLeg.objects.filter(
        Q(account__in=accounts) | Q(account__in=pots), role="source"
    )
    return legs.values("rule")


def look_now(which: Q) -> int:
    """Make the triggers of rules in use that `which` describes due; return how many.

    Also those that are due: who looks at them just now may have read before the news.
    """
    return len(update_in_order(in_use(which), next_at=now()))


def in_use(which: Q) -> QuerySet[Trigger]:
    return Trigger.objects.filter(
        which, next_at__isnull=False, rule__enabled=True, rule__archived_at=None
    )


def wake_followers(run: RuleRun) -> int:
    """Let triggers be looked at that wait for `run`, or for balances it changed."""
    moved = run.transfers.all()
    touched = Q(account__in=moved.values("source")) | Q(
        account__in=moved.values("target")
    )
    return look_now(Q(upstream=run.rule_id) | Q(touched, kind=Trigger.Kind.BALANCE))


def wake_webhooks(connection_id: UUID, event_id: str) -> list[RuleRun]:
    """Start the rules that an inbound webhook makes due, once per event.

    To be called when what the webhook hinted at was fetched from the provider; it may
    be called again. The rules are those that accounts of the connection feed. Returns
    the runs that were created: beat queues them within seconds.
    """
    fed = RuleLeg.objects.filter(role="source", account__connection=connection_id)
    triggers = Trigger.objects.select_related("rule").filter(
        kind=Trigger.Kind.WEBHOOK,
        rule__in=fed.values("rule"),
        rule__enabled=True,
        rule__archived_at=None,
    )
    started = []
    for trigger in triggers.order_by("rule__priority", "rule_id"):
        run, created = start_run(
            trigger.rule,
            f"webhook:{connection_id}:{event_id}",
            trigger_kind=trigger.kind,
            trigger=trigger,
            next_attempt_at=now(),
        )
        started += [run] * created
    return started
