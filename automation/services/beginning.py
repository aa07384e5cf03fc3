"""A transfer claimed on what was read before: the first of a plan, while it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils.timezone import now

from accounts.models import Account, Balance
from automation import machine
from automation.machine import Command, Part, TransferState, events
from automation.models import RuleRun, Transfer
from automation.rules.draft import LIVE_SECONDS

from .attributes import attributes
from .funds import judge, oldest
from .rows import KEPT, part_of, take, transfer_state


def begin(run: RuleRun, rows: Sequence[Transfer], accounts: Sequence[Account]) -> None:
    """Make the first of `rows` ready to be sent as soon as it is committed.

    The caller holds the lock under which `accounts` were read, so no other outflow of
    the source can have been booked since. Where the readings are not live or do not
    suffice, the transfer waits to be claimed like any other. The plan logs what it
    rests on, which is the same.
    """
    if not rows:
        return
    row, part = rows[0], part_of(rows[0], rows)
    balances = {}
    for account in accounts:
        if balance := getattr(account, "balance", None):
            balance.leaving = account.leaving
            balances[account.pk] = balance
    if sending := begun(run, row, part, balances):
        take(row, attributes(sending, KEPT))
        row.begun = True


def begun(
    run: RuleRun, row: Transfer, part: Part, balances: Mapping[UUID, Balance]
) -> TransferState | None:
    """Return `row` claimed and about to be sent, if live `balances` allow that."""
    if oldest(row, balances) > LIVE_SECONDS:
        return None
    moment = now()
    claimed, commands = machine.step(transfer_state(row, part), events.Claim(), moment)
    if commands != (Command.CHECK,):
        return None
    sending, commands = machine.step(claimed, judge(run, row, balances), moment)
    return sending if commands == (Command.SEND,) else None
