"""A person's word about a transfer: what the bank's own pages say, written down for good."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from accounts.models import Transaction
from accounts.services import audit
from automation.machine import Command, events
from automation.models import Resolution, RuleRun, Transfer

from .asking import alike, entry_of, outer
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
        told = self.resolution
        audit(
            "transfer.resolved",
            self.row,
            workspace=self.run.rule.workspace_id,
            old={"status": told.status_before},
            new={
                "status": told.status_after,
                "happened": told.happened,
                "reference": told.reference,
            },
            reason=told.note,
        )


def resolve(
    transfer: Transfer, *, user, happened: bool, reference: str = "", note: str = ""
) -> RuleRun:
    """End `transfer` as `user` says, free what it reserved, and return its run.

    Nothing is sent because of it. Raises NotWaiting, and ReferenceWrong where the
    `reference` of the bank's entry is missing, another transfer's, or of another sum.
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
    conclude(run, steps)
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


def agree(row: Transfer, found: Transaction) -> None:
    """Raise ReferenceWrong where a synced entry says something else than `row`."""
    told = entry_of(found, row)
    pot = row.target if row.target.parent_id else row.source
    if told.declined:
        raise ReferenceWrong("The bank declined that entry: it moved nothing")
    if (told.amount, told.asset, found.pot) != (row.amount, row.asset, pot.external_id):
        raise ReferenceWrong("That entry is of another amount, pot or direction")
