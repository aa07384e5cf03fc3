"""Which addresses people may have called: public ones, over TLS, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

LONGEST = 2000  # characters
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)
# What a system's own reader might take for a number: 127.1, 0x7f.1, 2130706433, 017700000001.
NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.ASCII | re.IGNORECASE)
# Reached by an IPv4 address inside: that one is judged, or the whole is refused.
TRANSLATED = IPv6Network("64:ff9b::/96")
REFUSED = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers, and by some clouds' own services
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "::/96",  # IPv4-compatible
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo and others that carry another address
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "168.63.129.16/32",  # a cloud's own services, though the address is public
    )
]


class AddressRefused(Exception):
    """This address may not be called: it must be https and public."""

    def __init__(self, why: str = "") -> None:
        super().__init__(f"{self.__doc__} {why}".strip())


@dataclass(frozen=True, slots=True)
class Address:
    """A URL that may be called if its host turns out to be public."""

    url: str = field(repr=False)
    scheme: str
    host: str
    port: int


def parse(url: str, *, loopback: bool = False) -> Address:
    """Return where `url` leads; raises AddressRefused.

    `loopback` lets tests call http servers on this machine.
    """
    if not 0 < len(url) <= LONGEST or not url.isascii() or not url.isprintable():
        raise AddressRefused("It has characters that no URL has")
    if set(url) & set(' \\^`{|}<>"'):
        raise AddressRefused("It has characters that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("It is no URL") from error
    if parts.scheme not in (("https", "http") if loopback else ("https",)):
        raise AddressRefused("It is not https")
    if "@" in parts.netloc or parts.fragment or not parts.hostname:
        raise AddressRefused("It names a user, a fragment or no host")
    if port == 0 or parts.netloc.endswith(":"):
        raise AddressRefused("It names a port that is none")
    host = parts.hostname
    if "[" in parts.netloc and not isinstance(literal(host), IPv6Address):
        raise AddressRefused("Its host is no IPv6 address")
    _judge_host(host, loopback)
    return Address(
        url, parts.scheme, host, port or (80 if parts.scheme == "http" else 443)
    )


def _judge_host(host: str, loopback: bool) -> None:
    found = literal(host)
    if found is not None:
        judge(found, loopback=loopback)
        return
    labels = host.removesuffix(".").split(".")
    if not all(LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise AddressRefused("Its host is no name")
    if NUMERIC.fullmatch(labels[-1]):
        raise AddressRefused("Its host is a number in disguise")
    if len(labels) < 2 and not loopback:
        raise AddressRefused("Its host is a name of this network only")


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that `host` is, or None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def judge(address: IPv4Address | IPv6Address, *, loopback: bool = False) -> None:
    """Raise AddressRefused unless `address` is one that everybody can reach."""
    if loopback and address.is_loopback:
        return
    inner = _inside(address)
    if inner is not None:
        judge(inner)  # loopback in disguise is nothing that a test needs
        return
    if (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or getattr(address, "scope_id", None)
        or any(address in net for net in REFUSED if net.version == address.version)
    ):
        raise AddressRefused("Its host is not public")


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one leads to."""
    if not isinstance(address, IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
