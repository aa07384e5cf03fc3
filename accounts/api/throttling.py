"""How often one caller may ask. Counted in Valkey; in this process while it is away."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache, partial
from time import time

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from rest_framework.throttling import BaseThrottle

from accounts.models import SigningKey
from providers.store import Store, StoreAway


@cache
def store() -> Store:
    return Store(settings.REDIS_URL)


@cache
def shared() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(
        RedisStorage(settings.LIMITS_URL, connection_pool=store().pool)
    )


@cache
def alone() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


class Rate(BaseThrottle):
    """Counts requests under `who`, at most `limit`."""

    limit: RateLimitItem
    scope: str

    @abstractmethod
    def who(self, request) -> str | None:
        """Return who is counted, or None to count nobody."""

    def allow_request(self, request, view) -> bool:
        name = self.who(request)
        if name is None:
            return True
        told = (self.limit, "api", self.scope, name)
        try:
            allowed, resets = store().ask(partial(count, shared(), *told))
        except StoreAway:
            allowed, resets = count(alone(), *told)
        self.seconds = max(1.0, resets - time())
        return allowed

    def wait(self) -> float:
        return self.seconds


def count(
    limiter: FixedWindowRateLimiter, limit: RateLimitItem, *names: str
) -> tuple[bool, float]:
    """Count one request: whether it is allowed, and when the count starts anew."""
    allowed = limiter.hit(limit, *names)
    return allowed, 0 if allowed else limiter.get_window_stats(limit, *names).reset_time


class CallerRate(Rate):
    """One signed-in caller, whatever they ask."""

    limit = parse("1200/minute")
    scope = "caller"

    def who(self, request) -> str | None:
        if isinstance(request.auth, SigningKey):
            return f"key:{request.auth.pk}"
        return str(request.user.pk) if request.user.is_authenticated else None


class LeasedCallerRate(CallerRate):
    """Counts a caller as `CallerRate` does, but takes several requests out at a time.

    What is taken is good until the count starts anew, so that a process which goes may
    keep some from the caller, and nobody gets more than there is.
    """

    BLOCKS = 60  # the limit in so many parts

    def allow_request(self, request, view) -> bool:
        name = self.who(request)
        if name is None or self.take(name):
            return True
        return super().allow_request(request, view)

    def take(self, name: str) -> bool:
        """Take one request of `name`; False where the shared count has to be asked."""
        block = self.limit.amount // self.BLOCKS
        return spend(name) or (block > 1 and self.lease(name, block))

    def lease(self, name: str, block: int) -> bool:
        """Take `block` requests out of the shared count, one of them for now."""
        told = (self.limit, "api", self.scope, name)
        try:
            allowed = store().ask(partial(shared().hit, *told, cost=block))
            if not allowed:
                return False
            resets = store().ask(partial(shared().get_window_stats, *told)).reset_time
        except StoreAway:
            return False
        if len(leases) >= MOST_LEASES:
            leases.clear()
        leases[name] = [block - 1, resets]
        return True


MOST_LEASES = 10_000
leases: dict[str, list] = {}  # what is left of each caller's, and until when


def spend(name: str) -> bool:
    """Pay for one request out of what this process holds."""
    held = leases.get(name)
    if held is None or held[0] <= 0 or time() >= held[1]:
        return False
    held[0] -= 1
    return True


class LoginRate(Rate):
    """Guesses at one name from one address."""

    limit = parse("10/minute")
    scope = "login"

    def who(self, request) -> str:
        name = request.data.get("username") if isinstance(request.data, dict) else None
        return f"{str(name)[:150].casefold()}@{address(request)}"


class AddressRate(Rate):
    """Guesses from one address at any name."""

    limit = parse("60/minute")
    scope = "address"

    def who(self, request) -> str:
        return address(request)


class RefusedRate(AddressRate):
    """Signatures from one address that were refused."""

    scope = "refused"


def address(request) -> str:
    # A forwarded-for header is whatever the caller wrote; it would free every guess.
    return request.META.get("REMOTE_ADDR") or "unknown"
