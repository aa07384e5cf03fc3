"""What is asked of the contracts at one block, and what the answers say is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from providers.base import Allowance, Block, Place, Reading
from providers.errors import FAULTS, ProviderError, Unavailable, UnexpectedResponse
from providers.money import Asset

from . import abi
from .blocks import Head, block
from .rpc import Ask, data, need
from .wallet import NATIVE, Named, Owned, Wallet, checksummed

MULTICALL: Final = "0xca11bde05977b3631167028862be2a173976ca11"
GAS: Final = Asset(NATIVE, 18)  # by the rules of the chain
MOST_DECIMALS: Final = 36
# What one eth_call may hold before nodes refuse it: balanceOf costs 30,000 of the
# 50,000,000 units of gas that Polygon's nodes allow, and an array is copied twice.
MOST_CALLS: Final = 600
NATIVE_KEY: Final = "native"
Key = tuple[str, ...]
Question = tuple[Key, str, bytes]


@dataclass(frozen=True, slots=True)
class State:
    """What the contracts said at one block: a number, or why there is none."""

    number: int
    told: Mapping[Key, int | str]

    def failed(self, *keys: Key) -> str:
        """Return why one of these is not known, or nothing."""
        found = [self.told[key] for key in keys]
        return next((text for text in found if isinstance(text, str)), "")

    def amount(self, *key: str) -> int:
        """Return a number that has not failed."""
        found = self.told[key]
        assert isinstance(found, int)
        return found


BLOCK: Final[Question] = (("block",), MULTICALL, abi.BLOCK_NUMBER)


def final_questions(wallet: Wallet) -> list[Question]:
    """Return everything: decimals, balances, and what spenders may take."""
    found = latest_questions(wallet)
    for token in wallet.tokens:
        found.append((("decimals", token.address), token.address, abi.DECIMALS))
        for one in wallet.addresses:
            for spender in wallet.spenders:
                ends = one.address, spender.address
                words = b"".join(map(abi.address_word, ends))
                key = ("allowance", one.address, token.address, spender.address)
                found.append((key, token.address, abi.ALLOWANCE + words))
    return found


def latest_questions(wallet: Wallet) -> list[Question]:
    """Return balances only."""
    found: list[Question] = []
    for one in wallet.addresses:
        who = abi.address_word(one.address)
        key = ("balance", one.address, NATIVE_KEY)
        found.append((key, MULTICALL, abi.NATIVE_BALANCE + who))
        for token in wallet.tokens:
            key = ("balance", one.address, token.address)
            found.append((key, token.address, abi.BALANCE_OF + who))
    return found


def parts(questions: Sequence[Question]) -> list[list[Question]]:
    """Return as many at a time as one call may hold, each with the block they are of."""
    size = MOST_CALLS - 1
    places = range(0, len(questions), size)
    return [[BLOCK, *questions[place : place + size]] for place in places]


def aggregate(questions: Sequence[Question], at: str) -> Ask:
    """Return one call for all these, so that their answers are of one block."""
    called = abi.encode_calls([(target, inner) for _, target, inner in questions])
    return Ask("eth_call", ({"to": MULTICALL, "data": "0x" + called.hex()}, at))


def state(questions: Sequence[Question], value: Any) -> State:
    """Return what an aggregate told; raises UnexpectedResponse."""
    results = abi.decode_results(data(value))
    if len(results) != len(questions):
        raise UnexpectedResponse("There are more or fewer answers than questions")
    told = {
        key: _number(*result)
        for (key, _, _), result in zip(questions, results, strict=True)
    }
    number = told["block",]
    if isinstance(number, str):
        raise UnexpectedResponse(f"Of which block this is, is not told: {number}")
    return State(number, told)


def joined(asked: Sequence[Sequence[Question]], told: Sequence[Any]) -> State:
    """Return what several aggregates told of one block; raises what kept them from it."""
    found = [state(part, need(one)) for part, one in zip(asked, told, strict=True)]
    if len({one.number for one in found}) > 1:
        raise Unavailable("Another block came while it was asked for")
    return State(found[0].number, {k: v for one in found for k, v in one.told.items()})


def _number(ok: bool, returned: bytes) -> int | str:
    """Return what one contract said, or why that is nothing: never zero in its place."""
    if not ok:
        return "The contract refuses to answer"
    try:
        return abi.uint(returned)
    except abi.AbiError as error:
        return str(error)


class Figures:
    """Asks for everything that a wallet holds, finally and at the latest."""

    def __init__(self, wallet: Wallet) -> None:
        self.final = parts(final_questions(wallet))
        self.latest = parts(latest_questions(wallet))

    def questions(
        self, final: int | str = "finalized", latest: int | str = "latest"
    ) -> list[Ask]:
        """Return all aggregates, and after them the final block once more.

        What lies between two looks at the same block is of that block. Only what takes
        several calls needs the latest one by its number.
        """
        newest = latest if len(self.latest) > 1 else "latest"
        return [
            *(aggregate(part, _at(final)) for part in self.final),
            *(aggregate(part, _at(newest)) for part in self.latest),
            block(final),
        ]

    def again(self, number: int) -> list[Ask]:
        """Return the questions for the final figures alone, at a block by its number."""
        return [aggregate(part, hex(number)) for part in self.final]

    def agree(self, final: State, told: Sequence[Any]) -> str:
        """Return what another node says of final figures: "yes", or why it does not say.

        Raises UnexpectedResponse where it tells others. What either does not tell
        contradicts nothing.
        """
        try:
            other = joined(self.final, told)
        except (ProviderError, *FAULTS):
            return "knows the block, not the figures"
        for key, mine in final.told.items():
            theirs = other.told[key]
            if isinstance(mine, int) and isinstance(theirs, int) and mine != theirs:
                raise UnexpectedResponse(
                    f"Two endpoints disagree at block {final.number}: {' '.join(key)} is "
                    f"{mine} for one, and {theirs} for the other; neither is believed"
                )
        return "yes"

    def states(self, told: Sequence[Any]) -> tuple[State, State]:
        """Return what was told finally and at the latest; raises what stands in its place."""
        count = len(self.final)
        return joined(self.final, told[:count]), joined(self.latest, told[count:])


def _at(which: int | str) -> str:
    return hex(which) if isinstance(which, int) else which


class Readings:
    """Puts together what both states say of each address and token."""

    def __init__(
        self, wallet: Wallet, final: State, latest: State, head: Head, note: str
    ) -> None:
        self.wallet, self.final, self.latest = wallet, final, latest
        self.head, self.note = head, note

    def all(self, known: Sequence[Place]) -> tuple[list[Reading], str]:
        """Return every reading that can be made, and of which tokens there is none.

        Where a token's decimals were never told there is no asset, so no reading. Once
        they were, at whatever address, they are kept.
        """
        kept = {p.external_id: p.asset for p in known if p.asset is not None}
        kept |= {name.partition(":")[2]: asset for name, asset in kept.items()}
        found, lacks = list[Reading](), dict[str, None]()
        for one in self.wallet.addresses:
            for token in self.wallet.tokens:
                own = kept.get(_id(one, token.address))
                asset, error = self._asset(token, own or kept.get(token.address))
                if asset is None:
                    lacks[f"{token.name}: {error}"] = None
                else:
                    found.append(self._token(one, token, asset, error))
            found.append(self._reading(one, NATIVE_KEY, GAS))
        return found, "; ".join(lacks)

    def _asset(self, token: Named, known: Asset | None) -> tuple[Asset | None, str]:
        """Return what a token is counted in, and what is wrong with that.

        What was read once counts. That it is told otherwise later is still noticed: a
        contract may be exchanged behind its address.
        """
        error = self.final.failed(("decimals", token.address))
        if error:
            return known, "" if known else f"Its decimals are not known. {error}"
        decimals = self.final.amount("decimals", token.address)
        if decimals > MOST_DECIMALS:
            return known, f"No token has {decimals} decimals"
        if known is not None and known.decimals != decimals:
            return known, f"It had {known.decimals} decimals, and now {decimals}"
        return known or Asset(token.name, decimals), ""

    def _token(self, one: Owned, token: Named, asset: Asset, error: str) -> Reading:
        allowed, unknown = self._allowances(one, token)
        more = {"allowances": unknown} if unknown else {}
        return self._reading(one, token.address, asset, error, allowed, more)

    def _reading(
        self,
        one: Owned,
        token: str,
        asset: Asset,
        error: str = "",
        allowances: Sequence[Allowance] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Reading:
        """Return one holding: what is final, and of that what has not left since."""
        key = ("balance", one.address, token)
        error = error or self.final.failed(key) or self.latest.failed(key)
        where = self.head.block
        about = {"address": checksummed(one.address), "second_endpoint": self.note}
        if token != NATIVE_KEY:
            about["token"] = checksummed(token)
        total = available = unconfirmed = None
        if not error:
            total, unconfirmed = self.final.amount(*key), self.latest.amount(*key)
            available = min(total, unconfirmed)
        return Reading(
            _id(one, token),
            asset,
            total,
            available,
            held=0 if total is None or available is None else total - available,
            name=f"{asset.code} ({one.role})",
            kind="wallet",
            as_of=self.head.moment,
            error=error,
            details={**about, "latest_block": self.latest.number, **(more or {})},
            balance_id=_name(where, total, available),
            role=one.role,
            block=where,
            unconfirmed=unconfirmed,
            allowances=None if error else allowances,
        )

    def _allowances(
        self, one: Owned, token: Named
    ) -> tuple[list[Allowance] | None, str]:
        """Return what each spender may take, or why one of them is not known."""
        keys = {
            spender: ("allowance", one.address, token.address, spender.address)
            for spender in self.wallet.spenders
        }
        if error := self.final.failed(*keys.values()):
            return None, error
        found = [(spender, self.final.amount(*key)) for spender, key in keys.items()]
        return [
            Allowance(who.address, amount, amount == abi.LARGEST, who.name)
            for who, amount in found
        ], ""


def _name(block: Block, total: int | None, available: int | None) -> str:
    """Return what stands for these figures for ever: their block, and what is left of it.

    What leaves is not final yet, and changes while the block stays the same.
    """
    if total is None or available is None:
        return ""
    name = f"{block.number}:{block.hash}"
    return name if available == total else f"{name}:{available}"


def _id(one: Owned, token: str) -> str:
    return f"{one.address}:{token}"
