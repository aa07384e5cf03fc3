"""The little of Ethereum's ABI that is needed. Source: docs.soliditylang.org, "ABI Spec".

What is read must be laid out as the specification's strict mode has it: anything that
overlaps, is left over or is padded with more than zeros is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WORD: Final = 32  # bytes
LARGEST: Final = 2**256 - 1
# The first four bytes of Keccak-256 of each function's signature.
DECIMALS: Final = bytes.fromhex("313ce567")
BALANCE_OF: Final = bytes.fromhex("70a08231")
ALLOWANCE: Final = bytes.fromhex("dd62ed3e")
AGGREGATE: Final = bytes.fromhex("82ad56cb")  # aggregate3((address,bool,bytes)[])
BLOCK_NUMBER: Final = bytes.fromhex("42cbb15c")  # getBlockNumber()
NATIVE_BALANCE: Final = bytes.fromhex("4d2301cc")  # getEthBalance(address)


class AbiError(ValueError):
    """These bytes are not what the function returns."""


def word(number: int) -> bytes:
    """Return a number as it stands in arguments and results; raises OverflowError."""
    return number.to_bytes(WORD)


def address_word(address: str) -> bytes:
    """Return an address, written as 0x and forty digits, as it stands in arguments."""
    return bytes.fromhex(address[2:]).rjust(WORD, b"\0")


def uint(data: bytes) -> int:
    """Return the one number that `data` is; nothing at all is no zero."""
    if not data:
        raise AbiError("Nothing came back: no contract is there")
    if len(data) != WORD:
        raise AbiError(f"{len(data)} bytes came back in place of a number")
    return int.from_bytes(data)


def address(data: bytes) -> str:
    """Return the address in one word, in lower case."""
    if len(data) != WORD or any(data[:12]):
        raise AbiError("This is no address")
    return "0x" + data[12:].hex()


def encode_calls(calls: Sequence[tuple[str, bytes]]) -> bytes:
    """Return what aggregate3 is called with: (target, data), each of which may fail."""
    rows = [([address_word(target), word(1)], data) for target, data in calls]
    return AGGREGATE + _encoded(rows)


def decode_calls(data: bytes) -> list[tuple[str, bool, bytes]]:
    """Return (target, whether it may fail, data) of each call; raises AbiError."""
    if data[:4] != AGGREGATE:
        raise AbiError("This calls another function")
    return [
        (address(target), _flag(may_fail), inner)
        for (target, may_fail), inner in _decoded(data[4:], 2)
    ]


def encode_results(results: Sequence[tuple[bool, bytes]]) -> bytes:
    """Return what aggregate3 returns."""
    return _encoded([([word(ok)], data) for ok, data in results])


def decode_results(data: bytes) -> list[tuple[bool, bytes]]:
    """Return (whether it succeeded, what came back) of each call; raises AbiError."""
    if not data:
        raise AbiError("Nothing came back: there is no Multicall3")
    return [(_flag(ok), inner) for (ok,), inner in _decoded(data, 1)]


def _flag(data: bytes) -> bool:
    number = int.from_bytes(data)
    if number > 1:
        raise AbiError("This is neither true nor false")
    return bool(number)


def _encoded(rows: Sequence[tuple[Sequence[bytes], bytes]]) -> bytes:
    """Return an array of tuples of words, each with some bytes at its end."""
    bodies = [
        b"".join(
            [*words, word(WORD * (len(words) + 1)), word(len(data)), _padded(data)]
        )
        for words, data in rows
    ]
    place, offsets = WORD * len(rows), []
    for body in bodies:
        offsets.append(word(place))
        place += len(body)
    return b"".join([word(WORD), word(len(rows)), *offsets, *bodies])


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % WORD)


def _decoded(data: bytes, width: int) -> list[tuple[list[bytes], bytes]]:
    """Return what `_encoded` was given, with `width` words in each tuple."""
    rest = _Rest(data)
    if rest.number() != WORD:
        raise AbiError("The array does not stand where it must")
    count = rest.number()
    if count > len(data) // WORD:
        raise AbiError("There are fewer rows than it says")
    offsets, start = [rest.number() for _ in range(count)], rest.place
    rows = []
    for offset in offsets:
        if rest.place - start != offset - WORD * count:
            raise AbiError("A row does not stand where it must")
        words = [rest.take(WORD) for _ in range(width)]
        if rest.number() != WORD * (width + 1):
            raise AbiError("Bytes do not stand where they must")
        rows.append((words, rest.padded(rest.number())))
    if rest.place != len(data):
        raise AbiError("There is more than there should be")
    return rows


class _Rest:
    """Reads from the front on."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, size: int) -> bytes:
        found = self.data[self.place : self.place + size]
        if len(found) != size:
            raise AbiError("There is less than there should be")
        self.place += size
        return found

    def number(self) -> int:
        return int.from_bytes(self.take(WORD))

    def padded(self, size: int) -> bytes:
        if size > len(self.data):
            raise AbiError("There is less than there should be")
        found = self.take(size)
        if any(self.take(-size % WORD)):
            raise AbiError("It is padded with more than zeros")
        return found
