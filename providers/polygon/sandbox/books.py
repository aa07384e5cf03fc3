"""What is on the chain: transfers, allowances and contracts, and since which block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from providers.money import MoneyError, parse_minor
from providers.sandbox.clock import Clock
from providers.sandbox.ledger import OUTSIDE, Entry
from providers.sandbox.worlds import Peopled

from ..wallet import checksummed
from .chain import Chain, Stretch, record

FINALITY: Final = 3  # blocks
GONE: Final = "reorganised"  # why a transfer moved nothing in the end
NOBODY: Final = "0x" + "00" * 20  # who mints, and who burns
PROXY: Final = "363d3d373d3d3d363d73{}5af43d82803e903d91602b57fd5bf3"  # EIP-1167
Row = dict[str, Any]


class Books(Peopled):
    """The part that knows what was true at which block."""

    def __init__(self, path: Path | None = None, clock: Clock | None = None) -> None:
        super().__init__(path, clock)
        self._chain, self._written = Chain(), self.ledger.topic("chain")
        self._blocks: dict[int, list[str]] = {}
        self._seen, self._counted = self.ledger.entries, 0

    @property
    def chain(self) -> Chain:
        """Return the blocks, as they are written down."""
        written = self.ledger.topic("chain")
        if self._written is not written:  # everything was forgotten, or just read
            self._written, self._chain = written, Chain()
        for stretch in islice(written.values(), self._chain.count, None):
            self._chain.add(Stretch(**stretch))
        return self._chain

    def made_in(self, number: int) -> list[Entry]:
        """Return the transfers in a block."""
        entries = self.ledger.entries
        if self._seen is not entries:
            self._seen, self._blocks, self._counted = entries, {}, 0
        for entry in islice(entries.values(), self._counted, None):
            self._blocks.setdefault(entry.facts["block"], []).append(entry.id)
        self._counted = len(entries)
        found = [entries[id] for id in self._blocks.get(number, ())]
        return [entry for entry in found if entry.declined != GONE]

    @property
    def now(self) -> int:
        """Return the moment in milliseconds since 1970."""
        return int(self.clock.timestamp() * 1000)

    # -- what happens

    def mine(self, blocks: int = 1) -> int:
        """Make some blocks at once; return the newest one's number."""
        for _ in range(blocks):
            stretch = self.chain.mined(self.now)
            self._write(record(stretch))
        return self.chain.top(self.now)

    def reorg(self, depth: int) -> int:
        """Put other blocks, without transactions, in place of the last `depth`.

        Return the number of the first one. What was final may go, too.
        """
        stretch = self.chain.reorganised(depth, self.now)
        for entry in list(self.ledger.entries.values()):
            if entry.facts["block"] >= stretch.number and not entry.declined:
                self.ledger.settle(entry.id, declined=GONE)
        for topic in ("allowances", "code"):
            for key, steps in self.ledger.topic(topic).items():
                kept = [step for step in steps if step[0] < stretch.number]
                if kept != steps:
                    self.ledger.put((topic, key, kept))
        if self.milestone >= stretch.number:
            self.ledger.put(("milestone", "number", stretch.number - 1))
        self._write(record(stretch))
        return stretch.number

    def approve(self, owner: str, token: str, spender: str, amount: int | str) -> int:
        """Let `spender` take up to `amount` minor units; return the block's number."""
        minor = 2**256 - 1 if amount == "unlimited" else parse_minor(str(amount))
        key = ":".join(one.lower() for one in (owner, token, spender))
        block = self.mine()
        return self._step("allowances", key, block, str(minor))

    def deploy(self, address: str) -> int:
        """Put a proxy's code at an address; return the block's number."""
        target = sha256(address.encode()).hexdigest()[:40]
        return self._step("code", address.lower(), self.mine(), PROXY.format(target))

    def finalise(self) -> int:
        """Make everything final that there is; return the block's number."""
        top = self.chain.top(self.now)
        self.ledger.put(("milestone", "number", top))
        return top

    def settle(self, entry: str, **changes: Any) -> None:
        """Make a transfer final; no chain changes one otherwise. Raises ValueError."""
        if changes:
            raise ValueError("No transfer on a chain can be changed")
        with self.lock:
            self.ledger.settle(entry)
            self._finalise(self.ledger.entries[entry].facts["block"])

    def _step(self, topic: str, key: str, block: int, value: str) -> int:
        steps = list(self.ledger.topic(topic).get(key, ()))
        self.ledger.put((topic, key, [*steps, [block, value]]))
        self._finalise(block)
        return block

    def _finalise(self, block: int) -> None:
        if block > self.milestone:
            self.ledger.put(("milestone", "number", block), sync=False)

    def _write(self, stretch: Row) -> None:
        number = str(len(self.ledger.topic("chain")))
        self.ledger.put(("chain", number, stretch), sync=False)

    def _enter(
        self, source: str, target: str, amount: int, about: Mapping[str, Any]
    ) -> Entry:
        """Transfer `amount` in a block of its own; it is final unless it is `pending`."""
        with self.lock:
            facts = dict(about)
            pending, declined = facts.pop("pending", False), facts.pop("declined", "")
            when: datetime | None = facts.pop("when", None)
            held = self.ledger.held[source] if source != OUTSIDE else amount
            if held < amount and not declined:
                raise MoneyError("The transfer's amount exceeds the balance")
            block = self._block_for(when)
            entry = self.transfer(
                source, target, amount, block, len(self.ledger.entries), facts
            )
            entry = replace(entry, settled=not pending, declined=declined)
            self.enter(entry)
            if not pending:
                self._finalise(block)
            return entry

    def _block_for(self, when: datetime | None) -> int:
        """Return a new block, or that of a moment long ago."""
        past = None if when is None else int(when.timestamp() * 1000)
        if past is None or past >= self.chain.stretches[-1].born:
            return self.mine()
        return self.chain.height(past)

    def transfer(
        self,
        source: str,
        target: str,
        amount: int,
        block: int,
        number: int,
        facts: Row,
    ) -> Entry:
        """Return the `number`th transfer there is, yet to be written to the books."""
        hash = "0x" + sha256(f"transaction/{number}".encode()).hexdigest()
        ends = {
            "from": source.partition(":")[0] if source != OUTSIDE else NOBODY,
            "to": target.partition(":")[0] if target != OUTSIDE else NOBODY,
        }
        moment = datetime.fromtimestamp(
            self.chain.moment(block) // 1000, self.clock.now().tzinfo
        )
        more = {**ends, **facts, "block": block, "hash": hash}
        return Entry(f"{hash}:0", source, target, amount, moment, facts=more)

    # -- what was true at a block

    @property
    def milestone(self) -> int:
        """Return the newest block that was declared final before its time."""
        return int(self.ledger.topic("milestone").get("number", 0))

    def final(self, height: int) -> int:
        """Return the number of the last final block, for who sees blocks up to `height`."""
        usual = max(0, height - int(self.settings.extra.get("finality", FINALITY)))
        return max(usual, self.milestone) if self.milestone <= height else usual

    def held_at(self, holder: str, number: int) -> int:
        """Return what was held just after a block, in minor units."""
        held = self.ledger.held.get(holder, 0)
        for line in reversed(self.ledger.lines.get(holder, [])):
            entry = self.ledger.entries[line[2]]
            if entry.facts["block"] <= number:
                break
            held -= entry.effect(holder)
        return held

    def supply_at(self, token: str, number: int) -> int:
        """Return what all that are known held just after a block, in minor units."""
        holders = [h for h in self.ledger.holders if h.endswith(f":{token}")]
        return sum(self.held_at(holder, number) for holder in holders)

    def allowed_at(self, owner: str, token: str, spender: str, number: int) -> int:
        """Return an allowance just after a block, in minor units."""
        return int(self._at("allowances", f"{owner}:{token}:{spender}", number, "0"))

    def deployed_at(self, address: str, number: int) -> str:
        """Return the code that a person's contract had just after a block."""
        return self._at("code", address, number, "")

    def _at(self, topic: str, key: str, number: int, nothing: str) -> str:
        found = nothing
        for block, value in self.ledger.topic(topic).get(key, ()):
            if block <= number:
                found = value
        return found


def shown(address: str) -> str:
    """Return an address as wallets show it."""
    return checksummed(address)
