"""What is known of the accounts of a batch, read once, and whether it is still so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from uuid import UUID

from accounts.verdicts import Known
from providers.base import Block, Place
from providers.money import Asset

from . import statements
from .reading import Before
from .statements import ask, moment


@dataclass(slots=True)
class Knowledge:
    """The accounts of one connection, by external id, at one moment.

    `version` only ever grows when one of their rows, or balances, is written.
    """

    accounts: dict[str, Known] = field(default_factory=dict)
    cursors: dict[str, tuple[str, datetime | None]] = field(default_factory=dict)
    version: int = 0

    @property
    def chained(self) -> bool:
        """Say whether any of these figures is of a block."""
        return any(known.block for known in self.accounts.values())

    def before(self) -> dict[str, Before]:
        """Return what decides what is asked about each account."""
        return {
            name: Before(
                known.total,
                known.available,
                *self.cursors[name],
                (place := _place(name, known)),
                [replace(place, block=was) for was in known.earlier] if place else (),
            )
            for name, known in self.accounts.items()
        }


def _place(name: str, known: Known) -> Place | None:
    if known.parent is not None or known.closed:
        return None
    return Place(name, known.kind, asset=asset_of(known.asset), block=known.block)


@cache
def asset_of(text: str) -> Asset:
    return Asset.parse(text)


def read(ids: Sequence[UUID]) -> tuple[datetime, dict[UUID, Knowledge]]:
    """Return the database's time, and what is known of each of these connections."""
    found = {pk: Knowledge() for pk in ids}
    rows = ask(statements.KNOWN, ids)
    for _, owner, name, cursor, read_at, version, *about in rows:
        if owner is not None:
            knowledge = found[owner]
            knowledge.version += version
            knowledge.cursors[name] = cursor, moment(read_at)
            knowledge.accounts[name] = _known(*about)
    return datetime.fromisoformat(rows[0][0]), found


def current(
    before: Mapping[UUID, Knowledge | None], ids: Sequence[UUID]
) -> dict[UUID, Knowledge]:
    """Return what is known now, from `before` where nothing was written meanwhile.

    Whoever syncs holds the locks of these connections.
    """
    hopeful = [pk for pk in ids if before.get(pk) is not None]
    versions = dict(ask(statements.VERSIONS, hopeful)) if hopeful else {}
    valid = {
        pk: known
        for pk, known in before.items()
        if known is not None and versions.get(pk, 0) == known.version
    }
    if len(valid) < len(ids):
        valid |= read([pk for pk in ids if pk not in valid])[1]
    return valid


def _known(
    pk: UUID,
    asset: str,
    kind: str,
    label: str,
    goal: int | None,
    parent: UUID | None,
    can_send: bool,
    can_receive: bool,
    active: bool,
    closed: bool,
    since: str | None,
    reads: int,
    total: int | None,
    available: int | None,
    held: int,
    as_of: str | None,
    fetched_at: str | None,
    source: str | None,
    gaps: str | None,
    quarantined: str | None,
    clean_syncs_left: int | None,
    blocks: str | None,
) -> Known:
    block, *earlier = [None] if blocks is None else _blocks(blocks)
    return Known(
        pk,
        asset,
        kind,
        label,
        None if goal is None else int(goal),
        parent,
        can_send,
        can_receive,
        active,
        closed,
        moment(since),
        reads,
        None if total is None else int(total),
        None if available is None else int(available),
        int(held),
        moment(as_of),
        moment(fetched_at),
        source or "live",
        None if gaps is None else _gaps(gaps),
        None if quarantined is None else _since(quarantined),
        clean_syncs_left,
        block=block,
        earlier=earlier,
    )


def _blocks(text: str) -> list[Block]:
    """Return the block of the newest figures, then those of the last snapshots."""
    parts = [name.split(":") for name in text.split()]
    return [Block(int(one[0]), one[1]) for one in parts if one[0].isdigit() and one[1:]]


def _gaps(discrepancies: str) -> dict[str, int]:
    return {name: int(gap) for name, gap in json.loads(discrepancies).items()}


def _since(quarantined: str) -> dict[str, datetime]:
    told = json.loads(quarantined)
    return {rule: datetime.fromisoformat(since) for rule, since in told.items()}
