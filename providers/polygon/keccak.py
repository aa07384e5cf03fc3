"""Keccak-256 as Ethereum uses it: FIPS 202 changed its padding, and is another hash."""

from __future__ import annotations

from typing import Final

RATE: Final = 136  # bytes taken in between two permutations
MASK: Final = (1 << 64) - 1
ROUNDS: Final = 24
# By how many bits the lane at (x, y) is turned: at index x + 5 * y.
TURNS: Final = (
    *(0, 1, 62, 28, 27),
    *(36, 44, 6, 55, 20),
    *(3, 10, 43, 25, 39),
    *(41, 45, 15, 21, 8),
    *(18, 2, 61, 56, 14),
)


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256. Source: keccak.team, "Keccak specifications"."""
    lanes = [0] * 25
    padded = bytearray(data) + bytearray(RATE - len(data) % RATE)
    padded[len(data)] |= 0x01
    padded[-1] |= 0x80
    for start in range(0, len(padded), RATE):
        for index in range(RATE // 8):
            place = start + 8 * index
            lanes[index] ^= int.from_bytes(padded[place : place + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    for constant in CONSTANTS:
        lanes = _round(lanes)
        lanes[0] ^= constant
    return lanes


def _round(lanes: list[int]) -> list[int]:
    column = [
        lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
        for x in range(5)
    ]
    mixed = [column[x - 1] ^ _turned(column[(x + 1) % 5], 1) for x in range(5)]
    moved = [0] * 25
    for x in range(5):
        for y in range(5):
            lane = _turned(lanes[x + 5 * y] ^ mixed[x], TURNS[x + 5 * y])
            moved[y + 5 * ((2 * x + 3 * y) % 5)] = lane
    return [
        moved[i] ^ (~moved[(i + 1) % 5 + i // 5 * 5] & moved[(i + 2) % 5 + i // 5 * 5])
        for i in range(25)
    ]


def _turned(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & MASK


def _constants() -> list[int]:
    """Return what each round adds, from the shift register that defines it."""
    register, found = 1, []
    for _ in range(ROUNDS):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        found.append(constant)
    return found


CONSTANTS: Final = _constants()
