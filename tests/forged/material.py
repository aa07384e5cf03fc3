"""What changed calls are made of: odd bodies and headers, and bits that are turned."""

from __future__ import annotations

import json
import re
import zlib
from functools import cache
from random import Random
from typing import Any

FAR_BEYOND = 10 * 2**20  # bytes
BOMB = 64 * 2**20  # bytes, once unpacked; a thousandth of it before
FIGURE = re.compile(rb"\d{2,}", re.ASCII)
TYPES = (
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=\xff",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "json" * 2_000,
)
ENCODINGS = ("gzip", "deflate", "br", "identity", "gzip, gzip", "\xe9")
NOT_UTF8 = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80")
# It goes on after the event has ended, or says the same twice, or something else, too.
MORE = (b" ", b"\n", b"\t\r\n", b"\0", b"}", b"{}", b"\xef\xbb\xbf", b"//", b"0")
MEMBERS = (b'"more":1,', b'"event":"forged",', b'"data":{"id":1},', b'"type":"forged",')
NONSENSE = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"event"',
    b"1e999999999",
    b"[" * 200_000,
    b'{"a":' * 40_000,
    b"9" * 200_000,
    b'{"event":"x","type":"x","data":{"id":' + b"9" * 100_000 + b"}}",
    b'{"event":"x","type":"x","data":{"id":NaN}}',
    b'{"event":"x","type":"x","data":{"id":"\\ud800"}}',
    b'{"event":"\\u0000","type":"\\u0000","data":{"id":"\\u0000"}}',
    b'{"event":"x","type":"x","data":{"id":"a","id":"b"}}',
    b'{"event":"x","type":"x","data":{"id":-0,"status":[[]]}}',
    b'{"event":{},"type":[],"data":[]}',
    b"\xff\xfe{\0}\0",
)
# What no event says, in the place of any of its values.
ODD = (
    *(None, True, -1, 0, 10**400, 1e-7, float("nan"), float("inf"), "", "\0", "\ud800"),
    *([], {}, [[[]]], {"id": {}}, "x" * 5_000, " ", "\u202e", "../../", "1e5", "٣"),
)


def turned(rng: Random, text: str) -> str:
    """Return `text` with one bit of it turned that RFC 9110 lets a header have."""
    ways = [
        text[:place] + chr(ord(letter) ^ 1 << bit) + text[place + 1 :]
        for place, letter in [rng.choice(list(enumerate(text)))]
        for bit in range(8)
        if is_sendable(ord(letter) ^ 1 << bit)
    ]
    return rng.choice(ways)


def is_sendable(code: int) -> bool:
    return code == 9 or 32 <= code < 127 or 128 <= code < 256


def digits(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"\d{2,17}", text, re.ASCII))


def spoilt(rng: Random, told: Any) -> Any:
    """Return what JSON says with one value, however deep, replaced by an odd one."""
    places = range(len(told)) if isinstance(told, list) else list(told)
    place = rng.choice(places)
    inner = told[place]
    deeper = isinstance(inner, dict | list) and inner and rng.random() < 0.8
    other = spoilt(rng, inner) if deeper else rng.choice(ODD)
    if isinstance(told, list):
        return [*told[:place], other, *told[place + 1 :]]
    return {**told, place: other}


def spoilt_body(rng: Random, body: bytes) -> bytes:
    return json.dumps(spoilt(rng, json.loads(body))).encode()


@cache
def bomb() -> bytes:
    """Return blanks, packed."""
    packing, part = zlib.compressobj(9, wbits=31), b" " * 2**20
    parts = [packing.compress(part) for _ in range(BOMB // len(part))]
    return b"".join([*parts, packing.flush()])


@cache
def endless() -> bytes:
    return b'{"event":"x"}'.ljust(FAR_BEYOND)
