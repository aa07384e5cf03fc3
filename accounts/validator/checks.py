"""The rules of one workspace, compiled once and asked of every reading."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from accounts.verdicts import Heard, Issue, Known
from providers.base import Reading
from providers.money import Asset

from .drift import USUAL, Limits
from .rules import BLOCKING, RULES, Check
from .settings import CheckRow, DriftRow, Effective, effective, limits_of

# What may be so after all is believed when it is told again so much later.
CONFIRMED_AFTER = timedelta(seconds=60)
FEWEST = 3  # accounts that are many
MOST_COMPILED = 10_000  # kinds and assets: a chain has any number of tokens

Compiled = Sequence[tuple[str, str, Check]]  # name, severity, check


@dataclass(slots=True)
class Checks:
    """What one workspace wants checked; it remembers what it has compiled."""

    rows: Sequence[CheckRow] = ()
    drifts: Sequence[DriftRow] = ()
    compiled: dict[tuple[str, Asset], tuple[Compiled, Compiled]] = field(
        default_factory=dict
    )
    limited: dict[tuple[UUID, str], Limits] = field(default_factory=dict)

    def holds(self, name: str, kind: str, asset: Asset) -> Effective:
        """Return what holds for one rule, and accounts of this kind and asset."""
        return effective(RULES[name], self.rows, kind, asset)

    def judge(self, reading: Reading, before: Known, heard: Heard) -> list[Issue]:
        """Return what is wrong with a reading; amounts are known to be whole.

        Figures that were accepted are believed until they change.
        """
        key = before.kind, reading.asset
        found = self.compiled.get(key) or self._compile(*key)
        same = (before.total, before.available, before.held) == (
            reading.total,
            reading.available,
            reading.held,
        )
        return [
            Issue(name, severity, f"{RULES[name].label}: {wrong}")
            for name, severity, check in found[same]
            if (wrong := check(reading, before, heard))
        ]

    def _compile(self, kind: str, asset: Asset) -> tuple[Compiled, Compiled]:
        if len(self.compiled) > MOST_COMPILED:
            self.compiled.clear()
        every = []
        for rule in RULES.values():
            held = effective(rule, self.rows, kind, asset)
            if rule.make is not None and held.enabled:
                check = rule.make(held.threshold, asset)
                every.append((rule.name, held.severity, check))
        always = [each for each in every if RULES[each[0]].always]
        self.compiled[kind, asset] = every, always
        return every, always

    def limits(self, account: UUID, asset: str) -> Limits:
        """Return from when on a difference of this account counts."""
        if not self.drifts:
            return USUAL
        key = account, asset
        if key not in self.limited:
            unit = Asset.parse(asset)
            self.limited[key] = limits_of(self.drifts, str(account), unit)
        return self.limited[key]

    def zeroed(self, known: Mapping[str, Known], heard: Heard) -> Mapping[str, Issue]:
        """Return the accounts that are not believed to be empty, all at once.

        Told again a minute later, it is believed.
        """
        readings = heard.observation.readings
        if any(reading.total for reading in readings):
            return {}
        emptied = [
            (reading, before)
            for reading in readings
            if (before := known.get(reading.external_id)) is not None
            and reading.total == 0
            and before.total
            and not before.closed
        ]
        found = {}
        for reading, before in emptied:
            held = self.holds("all_zero", before.kind, reading.asset)
            if not held.enabled or len(emptied) < held.threshold:
                continue
            if held.severity in BLOCKING and confirmed(before, "all_zero", heard):
                continue
            text = f"{RULES['all_zero'].label}: so are {len(emptied)} accounts"
            found[reading.external_id] = Issue("all_zero", held.severity, text)
        return found

    def vanished(
        self, missing: Mapping[str, Known], open_accounts: int
    ) -> Mapping[str, Issue]:
        """Return the accounts that are not believed to be gone, most at once.

        The second complete answer without them, a minute later, closes them.
        """
        if len(missing) < FEWEST:
            return {}
        found = {}
        for name, before in missing.items():
            rule = self.holds("mass_disappearance", before.kind, unit(before.asset))
            most = len(missing) * 100 >= rule.threshold * open_accounts
            if rule.enabled and most:
                label = RULES["mass_disappearance"].label
                text = f"{label}: {len(missing)} of {open_accounts}"
                found[name] = Issue("mass_disappearance", rule.severity, text)
        return found

    def emptied(
        self, emptied: Mapping[str, Known], known: Mapping[str, Known], heard: Heard
    ) -> Mapping[str, Issue]:
        """Return the accounts that are not believed to be empty, most at once.

        They are left out of a complete answer of what is held. Left out again a minute
        later, it is believed.
        """
        held = sum(1 for k in known.values() if k.active and not k.closed and k.total)
        return {
            name: issue
            for name, issue in self.vanished(emptied, held).items()
            if issue.severity not in BLOCKING
            or not confirmed(emptied[name], "mass_disappearance", heard)
        }


def confirmed(before: Known, rule: str, heard: Heard) -> bool:
    """Say whether the same was told before, long enough ago to be believed now."""
    since = (before.quarantined or {}).get(rule)
    return since is not None and heard.asked_at - since >= CONFIRMED_AFTER


unit = lru_cache(maxsize=4096)(Asset.parse)
DEFAULTS = Checks()


@lru_cache(maxsize=1024)
def checks_of(rows: str | None, drifts: str | None) -> Checks:
    """Return the checks of a workspace from its settings, as the database writes them."""
    if rows is None and drifts is None:
        return DEFAULTS
    return Checks(
        [
            CheckRow(*told, None if threshold is None else Decimal(threshold))
            for *told, threshold in json.loads(rows or "[]")
        ],
        [
            DriftRow(account or "", asset, *map(Decimal, numbers), *rest)
            for account, asset, *numbers, changes, correction, protect, clean in (
                json.loads(drifts or "[]")
            )
            for rest in [(changes, correction, protect, clean)]
        ],
    )
