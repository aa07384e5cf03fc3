"""What a person types in: addresses, tokens, spenders and endpoints; never a key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

from providers.addresses import AddressRefused, parse
from providers.errors import BadCredentials
from providers.money import ASSET
from providers.wire import parse_json

from .keccak import keccak256

NATIVE: Final = "POL"
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,29}", re.ASCII)
# A private key, whatever stands around it; and words in a row, as seeds are written.
KEY = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])", re.ASCII)
PHRASE = re.compile(r"(?:\b[A-Za-z]{3,8}\b[\s,;\"']+){11,}[A-Za-z]{3,8}\b", re.ASCII)
# Source: Circle's and Polymarket's documentation; decimals are read from the chain.
USUAL: Final = (
    ("USDC", "0x3c499c542cef5e3811e1192ce70d8cc03d5c3359"),
    ("USDC.e", "0x2791bca1f2de4661ed88a30c99a7a9449aa84174"),
    ("pUSD", "0xc011a7e12a19f7b1f670d46f03b03f3342e82dfb"),
)
MOST_ENDPOINTS: Final = 6
# Where the operator's own host keys end, those of a person's endpoints begin.
ENDPOINTS: Final = ("api", *(f"rpc{n}" for n in range(1, MOST_ENDPOINTS)))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Owned:
    """One address, in lower case, and what it is for."""

    address: str
    role: str


@dataclass(frozen=True, slots=True)
class Named:
    """A token or a spender: its address, in lower case, and what people call it."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """Whose balances are read, of what, and who may take from them."""

    addresses: tuple[Owned, ...]
    tokens: tuple[Named, ...]
    spenders: tuple[Named, ...]


def wallet(given: Mapping[str, str]) -> Wallet:
    """Return what was typed in; raises BadCredentials with a sentence for people."""
    refuse_secrets(given)
    owned = _listed(given, "addresses", ("address", "role"), _owned)
    tokens = _listed(given, "tokens", ("code", "address"), _token)
    spenders = _listed(given, "spenders", ("name", "address"), _spender)
    if not owned:
        raise BadCredentials("`addresses` names no address")
    tokens = tokens or tuple(Named(*usual) for usual in USUAL)
    _distinct("addresses", [one.address for one in owned])
    _distinct("tokens", [one.address for one in tokens])
    _distinct("tokens", [*(one.name for one in tokens), NATIVE])
    _distinct("spenders", [one.address for one in spenders])
    return Wallet(owned, tokens, spenders)


def endpoints(given: Mapping[str, str]) -> list[str]:
    """Return the addresses of the nodes that a person chose; raises BadCredentials."""
    found = _json(given, "rpc_urls")
    if not all(isinstance(url, str) for url in found):
        raise BadCredentials("`rpc_urls` must be a JSON list of texts")
    if len(found) > MOST_ENDPOINTS:
        raise BadCredentials(f"`rpc_urls` has more than {MOST_ENDPOINTS} entries")
    for number, url in enumerate(found, 1):
        try:
            parse(url)  # it may hold a key, so it is not repeated
        except AddressRefused as error:
            raise BadCredentials(f"Entry {number} of `rpc_urls`: {error}") from None
    _distinct("rpc_urls", found, secret=True)
    return found


def refuse_secrets(given: Mapping[str, str]) -> None:
    """Raise BadCredentials for what could move money, without repeating it."""
    for name, text in given.items():
        # A key of an endpoint may look like a wallet's own, but is part of a URL.
        shown = re.sub(r"https://[^\s\"',]*", "", text) if name == "rpc_urls" else text
        if KEY.search(shown):
            raise BadCredentials(
                f"`{name}` holds what looks like a private key. Never type one in "
                "here: only addresses are needed"
            )
        if PHRASE.search(shown):
            raise BadCredentials(
                f"`{name}` holds what looks like a seed phrase. Never type one in "
                "here: only addresses are needed"
            )


@lru_cache(1000)
def checksummed(address: str) -> str:
    """Return an address in the mixed case that protects it. Source: EIP-55."""
    digits = address[2:].lower()
    digest = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, digest, strict=False)
    )


def address_of(text: Any, where: str) -> str:
    """Return an address in lower case; raises BadCredentials for a mistyped one."""
    if not isinstance(text, str) or not ADDRESS.fullmatch(text):
        raise BadCredentials(f"{where}: {text!r:.60} is not 0x and forty digits")
    digits = text[2:]
    mixed = digits not in (digits.lower(), digits.upper())
    if mixed and checksummed(text) != text:
        raise BadCredentials(
            f"{where}: {text} is mistyped: its capital letters do not fit (EIP-55)"
        )
    if not int(digits, 16):
        raise BadCredentials(f"{where}: the address of zeros is nobody's")
    return text.lower()


def _owned(row: Mapping[str, Any], where: str) -> Owned:
    role = row["role"]
    if not isinstance(role, str) or not WORD.fullmatch(role):
        raise BadCredentials(f"{where}: a role is one word, such as derived or proxy")
    return Owned(address_of(row["address"], where), role)


def _token(row: Mapping[str, Any], where: str) -> Named:
    code = row["code"]
    if not isinstance(code, str) or not ASSET.fullmatch(f"{code}/6"):
        raise BadCredentials(f"{where}: {code!r:.60} is no code such as USDC")
    return Named(code, address_of(row["address"], where))


def _spender(row: Mapping[str, Any], where: str) -> Named:
    name = row["name"]
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 60:
        raise BadCredentials(f"{where}: a spender needs a name of up to 60 characters")
    return Named(name, address_of(row["address"], where))


def _listed(
    given: Mapping[str, str],
    name: str,
    keys: tuple[str, str],
    read: Callable[[Mapping[str, Any], str], T],
) -> tuple[T, ...]:
    found = []
    for number, row in enumerate(_json(given, name), 1):
        where = f"Entry {number} of `{name}`"
        if not isinstance(row, dict) or set(row) != set(keys):
            raise BadCredentials(f"{where} must have {keys[0]} and {keys[1]}, only")
        found.append(read(row, where))
    return tuple(found)


def _json(given: Mapping[str, str], name: str) -> list[Any]:
    text = given.get(name, "").strip()
    if not text:
        return []
    try:
        found = parse_json(text)
    except ValueError:
        raise BadCredentials(f"`{name}` is not JSON") from None
    if not isinstance(found, list):
        raise BadCredentials(f"`{name}` must be a JSON list")
    return found


def _distinct(name: str, found: list[str], *, secret: bool = False) -> None:
    seen = set[str]()
    for one in found:
        if one in seen:
            shown = "An entry" if secret else one
            raise BadCredentials(f"{shown} is in `{name}` twice")
        seen.add(one)
