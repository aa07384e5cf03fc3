"""One payday: a salary comes in, rules move it, and the bank's own ledger is the judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.utils.timezone import now

from accounts import services as accounts
from accounts import tasks as account_tasks
from accounts.models import Account, Balance, Connection, SyncRun
from accounts.publishing import publish
from automation import services as automation
from automation import tasks as automation_tasks
from automation.models import Rule, RuleRun, Transfer, Trigger
from providers.sandbox import Customer, Remote

from .bank import find_bank
from .seed import PAYER, WORKSPACE

SALARY = 2850_00
PATIENCE_SECONDS = 90.0
# On a second payday a pot may still be full.
WELL = (RuleRun.Status.SUCCEEDED, RuleRun.Status.NOTHING_TO_DO)
PAUSE_SECONDS = 0.2


class PaydayWrong(RuntimeError):
    """Something did not come out as it must; the message says what."""


@dataclass
class Payday:
    """What happened on one payday, and what is wrong about it."""

    bank: Remote
    customer: Customer
    tell: Callable[[str], None]
    before: dict[str, int] = field(default_factory=dict)
    runs: list[RuleRun] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def connection(self) -> Connection:
        return Connection.objects.get(
            workspace__name=WORKSPACE, provider=self.bank.slug
        )

    def transfers(self) -> list[Transfer]:
        """Return every transfer of this payday, in order."""
        rows = Transfer.objects.filter(run__in=self.runs)
        rows = rows.select_related("source", "target", "run__rule")
        return sorted(rows, key=lambda t: (t.run.created, t.move, t.step))

    def accounts(self) -> list[Account]:
        """Return the accounts at the bank, each with what we believe it holds."""
        rows = Account.objects.filter(connection=self.connection()).open()
        return list(rows.select_related("balance").order_by("created", "name"))


def play_payday(tell: Callable[[str], None] = print) -> Payday:
    """Play one payday with the real workers and return it; `wrong` is empty if all is well.

    Raises PaydayWrong when something never happens at all.
    """
    day = Payday(*find_bank(), tell)
    day.before = day.bank.balances()
    started = now()
    pay_salary(day)
    request_sync(day)
    sweep = rule_of("sweep")
    tell("the payday trigger sees the salary …")
    wait(lambda: sweep.runs.filter(created__gte=started).exists(), "the sweep's start")
    day.runs.append(finish(sweep.runs.filter(created__gte=started).latest("created")))
    for kind in ("autosort", "topup"):
        day.runs.append(run_now(rule_of(kind), tell))
    request_sync(day)
    day.wrong = [*faults_of_runs(day), *faults_of_books(day)]
    return day


def pay_salary(day: Payday) -> None:
    """Let the salary come in at the bank; balsync is not told."""
    account = day.customer.account
    day.tell(f"{PAYER} pays a salary into {account.name} at the sandbox bank")
    day.bank.pay(
        account.external_id, SALARY, description=f"{PAYER} SALARY", counterparty=PAYER
    )


def request_sync(day: Payday) -> None:
    """Ask a worker to sync the connection, and wait for it."""
    day.tell("a worker syncs the connection …")
    run = accounts.request_sync(day.connection(), SyncRun.Kind.MANUAL)
    publish(account_tasks.run_sync, str(run.pk))
    done = SyncRun.objects.filter(pk=run.pk).exclude(status__in=SyncRun.UNFINISHED)
    wait(done.exists, "the sync")


def rule_of(kind: str) -> Rule:
    """Return the demo's rule of one kind."""
    return Rule.objects.in_use().get(workspace__name=WORKSPACE, kind=kind)


def run_now(rule: Rule, tell: Callable[[str], None]) -> RuleRun:
    """Start a rule by hand, as the button and the API do."""
    tell(f"{rule.name} …")
    person = get_user_model().objects.get(memberships__workspace__name=WORKSPACE)
    run, _ = automation.start_run(
        rule,
        f"demo:{uuid4()}",
        trigger_kind=Trigger.Kind.MANUAL,
        requested_by=person,
    )
    publish(automation_tasks.execute_run, str(run.pk))
    return finish(run)


def finish(run: RuleRun) -> RuleRun:
    """Wait until the workers have brought a run to its end."""
    ended = RuleRun.objects.filter(pk=run.pk, finished_at__isnull=False)
    wait(ended.exists, f"the end of {run.rule.name}")
    return ended.select_related("rule").get()


def wait(is_done: Callable[[], bool], what: str) -> None:
    """Wait for the workers; raises PaydayWrong when it takes too long."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_done():
        if time.monotonic() > until:
            raise PaydayWrong(f"{what} did not come within {PATIENCE_SECONDS:.0f} s")
        time.sleep(PAUSE_SECONDS)


def faults_of_runs(day: Payday) -> list[str]:
    """Return what is wrong with the runs and their transfers, by the bank's ledger."""
    found = [
        f"{run.rule.name}: {run.status} ({run.reason})"
        for run in day.runs
        if run.status not in WELL
    ]
    for transfer in day.transfers():
        made = day.bank.moved(str(transfer.pk))
        if len(made) != 1 or made[0].amount != transfer.amount:
            found.append(f"{transfer}: the bank made it {len(made)} times, not once")
    return found


def faults_of_books(day: Payday) -> list[str]:
    """Return every difference between our balances, the bank's, and what must be."""
    held, found = day.bank.balances(), []
    must = {**day.before}
    must[day.customer.account.external_id] += SALARY
    for transfer in day.transfers():
        must[transfer.source.external_id] -= int(transfer.amount)
        must[transfer.target.external_id] += int(transfer.amount)
    for account in day.accounts():
        there = held[account.external_id]
        ours = Balance.objects.filter(account=account).first()
        if ours is None or int(ours.total) != there:
            found.append(f"{account}: we say {ours}, the bank says {there}")
        if must[account.external_id] != there:
            found.append(
                f"{account}: {must[account.external_id]} expected, not {there}"
            )
    return found
