"""Who may come in: keys, signatures, nonces, counters and lockouts."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from providers.sandbox.clock import Clock
from providers.sandbox.wire import Answer, Asked, once
from providers.sandbox.worlds import Peopled

from .words import REFUSALS, bad, no, sorry

MOST, SINKS = 15.0, 0.33  # the counter of the lowest tier, and what it loses a second
LOCKED: Final = 900.0  # seconds
FAILURES, WITHIN = 5, 60.0  # so many failures in so many seconds lock out (?)
LATER: Final = 5  # seconds after which somebody who is throttled may come back
START: Final = datetime(1970, 1, 1, tzinfo=UTC)
EVERYTHING: Final = (
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "query-ledger",
    "access-ws",
)
Fields = Mapping[str, str]


@dataclass(slots=True)
class Seen:
    """What this process remembers of one key."""

    nonce: int = 0
    counter: float = 0.0
    counted_at: float = 0.0


class Door(Peopled):
    """The part of the exchange that every private request passes."""

    def __init__(self, path: Path | None = None, clock: Clock | None = None) -> None:
        super().__init__(path, clock)
        self._forget()

    def _forget(self) -> None:
        self.seen_keys: dict[str, Seen] = {}
        self.failures: list[float] = []
        self.locked_until = 0.0

    def reset(self) -> None:
        super().reset()
        self._forget()

    def refusal(self, code: str) -> Answer:
        if code == "throttled":
            later = int(self.clock.timestamp()) + LATER
            return sorry(f"EService: Throttled: {later}")
        return sorry(REFUSALS[code])

    def reject(self, status: int) -> Answer:
        return sorry("EGeneral:Unknown method")

    def enter_as(
        self, asked: Asked, needed: Collection[str], weight: int
    ) -> tuple[str, Fields]:
        """Return who asks, and with which fields; raises Declined as Kraken does."""
        now = self.clock.timestamp()
        if now < self.locked_until:
            self.locked_until = now + LOCKED  # each attempt makes it longer
            raise no("EGeneral:Temporary lockout")
        key, name, fields = self._proved(asked, now)
        person = self.ledger.topic("people")[name]
        if needed and not set(needed) & set(person["permissions"]):
            raise self._failed("EGeneral:Permission denied", now)
        self.failures.clear()
        self._count(key, weight, now)
        if self.mode() == "maintenance":
            raise no("EService:Unavailable")
        return name, fields

    def _proved(self, asked: Asked, now: float) -> tuple[str, str, Fields]:
        """Return whose key and signature this is; its nonce is used up then."""
        key = asked.headers.get("api-key", "")
        known = self.ledger.topic("keys").get(key)
        if known is None or self._ended(known["owner"], now):
            raise self._failed("EAPI:Invalid key", now)
        fields = _fields(asked)
        nonce = fields.get("nonce", "")
        digest = hashlib.sha256(nonce.encode() + asked.body).digest()
        secret = b64decode(known["secret"])
        right = hmac.new(secret, asked.path.encode() + digest, hashlib.sha512).digest()
        given = asked.headers.get("api-sign", "")
        if not hmac.compare_digest(b64encode(right).decode(), given):
            raise self._failed("EAPI:Invalid signature", now)
        self._use(key, nonce, now)
        return key, str(known["owner"]), fields

    def _ended(self, name: str, now: float) -> bool:
        person = self.ledger.topic("people")[name]
        return bool(person["revoked"] or 0 < person["valid_until"] <= now)

    def _use(self, key: str, nonce: str, now: float) -> None:
        seen = self.seen_keys.setdefault(key, Seen())
        plain = nonce.isascii() and nonce.isdigit() and len(nonce) <= 20
        if not plain or not seen.nonce < int(nonce) < 2**64:
            raise self._failed("EAPI:Invalid nonce", now)
        seen.nonce = int(nonce)

    def _failed(self, text: str, now: float) -> Exception:
        recent = [moment for moment in self.failures if now - moment < WITHIN]
        self.failures = [*recent, now]
        if len(self.failures) >= FAILURES:
            self.failures.clear()
            self.locked_until = now + LOCKED
        return no(text)

    def _count(self, key: str, weight: int, now: float) -> None:
        """Add to the counter, which sinks steadily; a refused call counts as well."""
        seen = self.seen_keys[key]
        sunk = seen.counter - SINKS * max(0.0, now - seen.counted_at)
        seen.counter, seen.counted_at = max(0.0, sunk) + weight, now
        if seen.counter > MOST:
            raise no("EAPI:Rate limit exceeded")

    def mode(self) -> str:
        """Return what `SystemStatus` says."""
        return str(self.ledger.topic("system").get("mode", "online"))

    # -- what may happen

    def revoke(self, name: str) -> None:
        """Let somebody's key end now."""
        self.change(name, revoked=True)

    def expire(self, name: str, seconds: float = 0.0) -> None:
        """Let somebody's key end in a while."""
        self.change(name, valid_until=int(self.clock.timestamp() + seconds))

    def permit(self, name: str, permissions: list[str]) -> None:
        """Give somebody's key other permissions."""
        self.change(name, permissions=permissions)

    def use_elsewhere(self, name: str, ahead: int = 10**6) -> None:
        """Let another program use the same key, with a nonce so far above the last one."""
        key = self.ledger.topic("people")[name]["key"]
        self.seen_keys.setdefault(key, Seen()).nonce += ahead

    def add_key(self, name: str) -> dict[str, str]:
        """Give somebody another key, with nonces and a counter of its own."""
        number = len(self.ledger.topic("keys")) + 1
        key, secret = fresh(f"key {number}", 56), fresh(f"secret {number}", 64)
        self.ledger.put(("keys", key, {"owner": name, "secret": secret}))
        return {"api_key": key, "api_secret": secret}

    def lock_out(self) -> None:
        """Let the address be locked out, as after too many failures."""
        self.locked_until = self.clock.timestamp() + LOCKED

    def change(self, name: str, **facts: Any) -> None:
        person = self.ledger.topic("people")[name]
        self.ledger.put(("people", name, {**person, **facts}))

    def key_info(self, name: str, key: str) -> dict[str, Any]:
        person = self.ledger.topic("people")[name]
        number = person["iban"]
        return {
            "apiKeyName": "balances",
            "apiKey": key,
            "nonce": str(self.seen_keys[key].nonce),
            "nonceWindow": 0,
            "permissions": person["permissions"],
            "iban": " ".join(number[i : i + 4] for i in range(0, len(number), 4)),
            "validUntil": str(person["valid_until"]),
            "queryFrom": "0",
            "queryTo": "0",
            "createdTime": str(person["created"]),
            "modifiedTime": str(person["created"]),
            "ipAllowlist": person["addresses"],
            "lastUsed": str(int(self.clock.timestamp())),
        }

    def moment(self) -> int:
        """Return the moment in microseconds since 1970."""
        return int(self.clock.timestamp() * 10**6)


def fresh(seed: str, length: int) -> str:
    """Return so many bytes that are the same for the same seed, in Base64."""
    raw = hashlib.shake_256(seed.encode()).digest(length)
    return b64encode(raw).decode()


def _fields(asked: Asked) -> Fields:
    """Return what a body holds, as a form or as JSON; raises Declined."""
    try:
        text = asked.body.decode()
        if not asked.headers.get("content-type", "").startswith("application/json"):
            return once(text)
        return {name: str(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError) as error:
        raise bad("body") from error


def only(fields: Fields, *known: str) -> Fields:
    """Return the fields; raises Declined for one that the method does not have."""
    if unknown := sorted(fields.keys() - {*known, "nonce", "otp"}):
        raise bad(unknown[0])
    return fields


def whole(fields: Fields, name: str, default: int = 0) -> int:
    text = fields.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad(name)
    return int(text)


def flag(fields: Fields, name: str, default: bool = False) -> bool:
    text = fields.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise bad(name)
    return text == "true"


def shown(moment: int) -> Decimal:
    """Return microseconds as Kraken writes a moment: a number of seconds."""
    return Decimal(moment).scaleb(-6)


def when(moment: int) -> datetime:
    return START + timedelta(microseconds=moment)


def iso(moment: int) -> str:
    """Return microseconds as RFC 3339 in UTC."""
    return when(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")
