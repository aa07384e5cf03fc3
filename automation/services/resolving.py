"""A person's word about a transfer: what the bank's own pages say, written down for good."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import structlog
from django.utils.timezone import now

from accounts.models import Transaction
from accounts.services import audit
from automation.machine import Command, events
from automation.machine.proof import AMOUNT, Finding
from automation.machine.recovery import Entry
from automation.machine.transfer import CONTRADICTION
from automation.models import Resolution, RuleRun, Transfer

from .asking import alike, entry_of, outer
from .findings import accept
from .runs import conclude, load, transfers_of
from .sending import Drive

log = structlog.get_logger("automation.transfers")


class NotWaiting(ValueError):
    """This transfer does not wait for a person, or is being looked up just now."""


class ReferenceWrong(ValueError):
    """This reference does not prove that the transfer happened."""


class Decision(Drive):
    """Writes a person's word in the transaction that ends the transfer by it."""

    def __init__(
        self,
        run: RuleRun,
        row: Transfer,
        steps: Sequence[Transfer],
        resolution: Resolution,
    ) -> None:
        super().__init__(run, row, steps)
        self.resolution = resolution

    def all_at_once(self, commands: Sequence[Command]) -> bool:
        return False  # the word is written with it

    def enter(self, commands: Sequence[Command]) -> None:
        super().enter(commands)
        self.resolution.status_after = self.row.status
        self.resolution.save(force_insert=True)
        told, old, new = self.resolution, dict[str, int](), dict[str, int]()
        if self.row.accepted is not None:
            old, new = {"amount": int(self.row.amount)}, {"amount": self.row.accepted}
            self.accept_another(self.row.accepted)
        audit(
            "transfer.resolved",
            self.row,
            workspace=self.run.rule.workspace_id,
            old={"status": told.status_before, **old},
            new={
                "status": told.status_after,
                "happened": told.happened,
                "reference": told.reference,
                **new,
            },
            reason=told.note,
        )

    def accept_another(self, moved: int) -> None:
        """Keep what the bank moved instead, and send on nothing that was not brought."""
        account = outer(self.row)
        sign = -1 if account == self.row.source else 1
        subject, ordered = str(self.row.pk), int(self.row.amount)
        finding = Finding(AMOUNT, subject, sign * ordered, sign * moved)
        accept(account, finding, user=self.resolution.user, moment=now())
        for step in self.steps:
            if step.depends_on_id == self.row.pk:
                # A copy: all this may be rolled back and done once more.
                Drive(self.run, copy(step), self.steps).apply(events.Cancel())


def resolve(
    transfer: Transfer, *, user, happened: bool, reference: str = "", note: str = ""
) -> RuleRun:
    """End `transfer` as `user` says, free what it reserved, and return its run.

    Nothing is sent because of it. Where the bank itself said that it moved another sum,
    that is what is booked. Raises NotWaiting, and ReferenceWrong where the `reference` of
    the bank's entry is missing, another transfer's, or of a sum that nobody named.
    """
    run = load(transfer.run_id)
    steps = transfers_of(run)
    row = next(step for step in steps if step.pk == transfer.pk)
    if happened:
        verify(row, reference)
    told = Resolution(
        transfer=row,
        user=user,
        happened=happened,
        reference=reference,
        note=note,
        status_before=row.status,
    )
    Decision(run, row, steps, told).apply(events.Resolved(happened, reference, note))
    if told._state.adding:
        raise NotWaiting(NotWaiting.__doc__)
    log.warning(
        "transfer_resolved",
        transfer=str(row.pk),
        happened=happened,
        reference=reference,
        user=user.pk,
        status=row.status,
    )
    conclude(run, transfers_of(run))
    return run


def verify(row: Transfer, reference: str) -> None:
    """Raise ReferenceWrong unless `reference` may be the bank's entry of `row`."""
    if not reference:
        raise ReferenceWrong("Say which entry of the bank it is")
    if reference in (row.source.external_id, row.target.external_id):
        raise ReferenceWrong("This is an account, not an entry")
    if alike(row).filter(reference=reference).exists():
        raise ReferenceWrong("Another transfer is that entry")
    known = Transaction.objects.filter(account=outer(row), external_id=reference)
    if (found := known.first()) is not None:
        agree(row, found)
    elif row.error_code == CONTRADICTION:
        raise ReferenceWrong("What it moved is not known yet: sync the account first")


def agree(row: Transfer, found: Transaction) -> None:
    """Raise ReferenceWrong where a synced entry says something else than `row`.

    It may be of another amount where the bank has said so; `row` notes which.
    """
    told = entry_of(found, row)
    pot = row.target if row.target.parent_id else row.source
    if told.declined:
        raise ReferenceWrong("The bank declined that entry: it moved nothing")
    if told.amount != row.amount and contradicts(row, told):
        row.accepted = told.amount
    amount = row.amount if row.accepted is None else row.accepted
    if (told.amount, told.asset, found.pot) != (amount, row.asset, pot.external_id):
        raise ReferenceWrong("That entry is of another amount, pot or direction")


def contradicts(row: Transfer, told: Entry) -> bool:
    """Say whether an entry is what the bank made of `row`, which went the same way."""
    named = told.dedupe_id == str(row.pk) or told.reference == row.reference
    return row.error_code == CONTRADICTION and named and told.amount > 0
