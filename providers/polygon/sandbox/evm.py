"""Carries out calls of contracts on their bytes, as the chain's machine would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .. import abi
from ..holdings import MULTICALL
from .books import Books
from .world import Token

SYMBOL: Final = bytes.fromhex("95d89b41")
NAME: Final = bytes.fromhex("06fdde03")
SUPPLY: Final = bytes.fromhex("18160ddd")
ARGUMENTS: Final = {  # words after the selector
    abi.DECIMALS: 0,
    abi.BALANCE_OF: 1,
    abi.ALLOWANCE: 2,
    SYMBOL: 0,
    NAME: 0,
    SUPPLY: 0,
}
# What stands where a contract is: nobody runs it, but a node shows it.
CODE: Final = "0x6080604052348015600f57600080fd5b50"
REFUSED: Final = bytes.fromhex("08c379a0") + abi.word(32)  # Error(string)


class Reverted(Exception):
    """The contract refuses; `data` is what it says."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        text = words.encode()
        self.data = REFUSED + abi.word(len(text)) + text + bytes(-len(text) % abi.WORD)


class Contracts(Books):
    """The part that knows what each contract does."""

    def tokens(self) -> dict[str, Token]:
        """Return every token there is, by its address."""
        found = self.ledger.topic("tokens").items()
        return {address: Token(**about) for address, about in found}

    def code_at(self, address: str, number: int) -> str:
        """Return a contract's code at a block, 0x where there is none."""
        if address == MULTICALL or address in self.ledger.topic("tokens"):
            return CODE
        return "0x" + self.deployed_at(address, number)

    def fail_token(self, token: str, how: str = "revert") -> None:
        """Let a token revert, or answer with nothing ("empty"), from now on."""
        if how not in ("revert", "empty"):
            raise ValueError(f"No token fails like {how!r}")
        self.ledger.put(("failing", token.lower(), how))

    def heal_token(self, token: str) -> None:
        """Let a token answer again."""
        self.ledger.put(("failing", token.lower(), None))

    def execute(self, to: str, data: bytes, number: int) -> bytes:
        """Return what a call gives back at a block; raises Reverted.

        Where no contract is, nothing comes back, and nothing fails.
        """
        if to == MULTICALL:
            return self._multicall(data, number)
        if to in self.ledger.topic("tokens"):
            return self._token(to, data, number)
        return b""

    def _multicall(self, data: bytes, number: int) -> bytes:
        selector, rest = data[:4], data[4:]
        if selector == abi.BLOCK_NUMBER and not rest:
            return abi.word(number)
        if selector == abi.NATIVE_BALANCE:
            owner = _addresses(rest, 1)[0]
            return abi.word(self.held_at(f"{owner}:native", number))
        if selector != abi.AGGREGATE:
            raise Reverted("")
        try:
            calls = abi.decode_calls(data)
        except abi.AbiError as error:
            raise Reverted(str(error)) from error
        results = [self._one(*call, number) for call in calls]
        return abi.encode_results(results)

    def _one(
        self, target: str, may_fail: bool, data: bytes, number: int
    ) -> tuple[bool, bytes]:
        try:
            return True, self.execute(target, data, number)
        except Reverted as error:
            if not may_fail:
                raise Reverted("Multicall3: call failed") from error
            return False, error.data

    def _token(self, token: str, data: bytes, number: int) -> bytes:
        failing = self.ledger.topic("failing").get(token)
        if failing == "empty":
            return b""
        selector = data[:4]
        if failing or selector not in ARGUMENTS:
            raise Reverted("Paused" if failing else "")
        words = _addresses(data[4:], ARGUMENTS[selector])
        about = self.tokens()[token]
        known: dict[bytes, Callable[[], bytes]] = {
            abi.DECIMALS: lambda: abi.word(about.decimals),
            abi.BALANCE_OF: lambda: abi.word(
                self.held_at(f"{words[0]}:{token}", number)
            ),
            abi.ALLOWANCE: lambda: abi.word(
                self.allowed_at(words[0], token, words[1], number)
            ),
            SYMBOL: lambda: _string(about.code),
            NAME: lambda: _string(about.name),
            SUPPLY: lambda: abi.word(self.supply_at(token, number)),
        }
        return known[selector]()


def _addresses(data: bytes, count: int) -> list[str]:
    """Return the addresses that arguments are, exactly so many; raises Reverted."""
    if len(data) != abi.WORD * count:
        raise Reverted("")
    words = [data[i : i + abi.WORD] for i in range(0, len(data), abi.WORD)]
    try:
        return [abi.address(word) for word in words]
    except abi.AbiError as error:
        raise Reverted("") from error


def _string(text: str) -> bytes:
    raw = text.encode()
    return abi.word(abi.WORD) + abi.word(len(raw)) + raw + bytes(-len(raw) % abi.WORD)
