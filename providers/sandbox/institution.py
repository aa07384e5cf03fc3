"""What every sandbox is made of: books, a clock, faults, and a way to speak."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from providers.money import Asset

from .clock import Clock
from .faults import Fault
from .journal import Journal
from .ledger import OUTSIDE, Entry, Holder, Ledger
from .sockets import ACTIONS as FRAME_ACTIONS
from .sockets import FrameFault, FramePlan
from .speaking import Speaker
from .wire import Answer


@dataclass(frozen=True, slots=True)
class Holding:
    """One account of a customer, in the words of the ports."""

    external_id: str
    kind: str
    name: str
    asset: str
    parent: str | None = None
    goal: int | None = None
    locked: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with money at the institution, and what a client needs to see it."""

    name: str
    credentials: Mapping[str, str]
    holdings: Sequence[Holding]

    @property
    def account(self) -> Holding:
        """The main account."""
        return next(h for h in self.holdings if h.parent is None and not h.closed)

    @property
    def pots(self) -> Sequence[Holding]:
        """The pots money can go into and come out of."""
        usable = [h for h in self.holdings if not h.closed and not h.locked]
        return [h for h in usable if h.parent == self.account.external_id]


@dataclass
class Settings:
    """What can be set while the institution runs."""

    latency: float = 0.0  # seconds before every answer
    dedupe_horizon: float | None = None  # seconds for which dedupe ids are remembered
    honours_dedupe: bool = True
    shows_dedupe: bool = True  # whether movements name the dedupe id they were asked by
    shows_metadata: bool = True  # whether they say anything beside the usual
    approval_seconds: float = 0.0  # until a person approves a new consent
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Callback:
    """A webhook on its way: `body` is JSON."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Institution(Speaker):
    """The other side of one provider. All methods may be called from any thread."""

    slug: str
    first_customer: ClassVar[str] = "alex"
    happenings: ClassVar[Sequence[str]] = ()  # methods that `do` may call by name
    # What its lists of movements tell beside amounts: of some nothing but what moved.
    tells: ClassVar[frozenset[str]] = frozenset({"pending", "declined", "merchant"})

    def __init__(self, path: Path | None = None, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.ledger = Ledger(Journal(path))
        self.settings = Settings()
        self.outbox: deque[Callback] = deque()

    # -- what each institution says of itself

    @abstractmethod
    def add_customers(self, names: Sequence[str], **wishes: Any) -> list[Customer]:
        """Open accounts for people nobody knew before; many at once cost one write."""

    @abstractmethod
    def customer(self, name: str) -> Customer:
        """Return somebody's accounts and credentials as they are now."""

    @abstractmethod
    def customers(self) -> list[str]:
        """Return everybody's names."""

    def disputes(self, said: Mapping[str, Any]) -> list[str]:
        """Return where the books contradict what a third-party client says it saw.

        Balances and transfers are compared elsewhere; this is for the rest of its tale.
        """
        return []

    # -- for tests, the demo and the control endpoints

    def demo_world(self) -> Customer:
        """Return the first customer, who is made if need be."""
        with self.lock:
            if self.first_customer not in self.customers():
                self.add_customers([self.first_customer])
            return self.customer(self.first_customer)

    def credentials(self, name: str | None = None) -> Mapping[str, str]:
        """Return what a client needs to connect as somebody."""
        return (self.customer(name) if name else self.demo_world()).credentials

    def pay(self, account: str, amount: int, **about: Any) -> Entry:
        """Let money come in from outside: a salary, a refund."""
        return self._enter(OUTSIDE, account, amount, about)

    def spend(self, account: str, amount: int, **about: Any) -> Entry:
        """Let the customer pay somebody; `pending`, `declined` and the rest as given."""
        return self._enter(account, OUTSIDE, amount, about)

    def move(self, source: str, target: str, amount: int, **about: Any) -> Entry:
        """Let the customer move money by hand, without any dedupe id."""
        return self._enter(source, target, amount, about)

    def do(self, what: str, **about: Any) -> Any:
        """Let something happen that not every institution knows; see `happenings`."""
        if what not in self.happenings:
            raise LookupError(f"{what!r}; known: {', '.join(self.happenings)}")
        with self.lock:
            return getattr(self, what)(**about)

    def stir(self, name: str | None = None) -> None:
        """Let somebody, or the demo's person, do something small, as people do all day.

        At an institution where nothing happens without the customer, nothing does.
        """

    def settle(self, entry: str, **changes: Any) -> None:
        """Make a pending entry final, perhaps with another `amount`, or `declined`."""
        with self.lock:
            self.ledger.settle(entry, **changes)

    def balance(self, external_id: str) -> int:
        """Return what is really held now, late requests included."""
        with self.lock:
            self._catch_up()
            return self.ledger.held[external_id]

    def balances(self) -> dict[str, int]:
        """Return what every account really holds."""
        with self.lock:
            self._catch_up()
            return {holder: self.ledger.held[holder] for holder in self.ledger.holders}

    def movements(self, external_id: str | None = None) -> list[Entry]:
        """Return every movement really made, oldest first."""
        with self.lock:
            self._catch_up()
            if external_id is not None:
                return self.ledger.of(external_id)
            return list(self.ledger.entries.values())

    def moved(self, dedupe_id: str) -> list[Entry]:
        """Return what really happened under one dedupe id: one entry, if all is well."""
        return [e for e in self.movements() if e.dedupe_id == dedupe_id]

    def fault(self, action: str, **where: Any) -> None:
        """Plan something that goes wrong; see `Fault` for what `where` may hold."""
        with self.lock:
            if action in FRAME_ACTIONS:
                self.frames.add(FrameFault(action, **where))
            else:
                self.plan.add(Fault(action, **where))

    def calm(self) -> None:
        """Take back every fault that has not struck."""
        with self.lock:
            self.plan.clear()
            self.frames.clear()

    def configure(self, **settings: Any) -> None:
        """Change settings; raises TypeError for one that does not exist."""
        with self.lock:
            self.settings = replace(self.settings, **settings)

    def reset(self) -> None:
        """Forget everybody and everything."""
        with self.lock:
            self.ledger.clear()
            self.plan.clear()
            self.late.clear()
            self.outbox.clear()
            self.frames = FramePlan()
            for talk in self.talks:
                talk.close(1001)
            self.settings = Settings()

    def close(self) -> None:
        self.ledger.journal.close()

    def callbacks(self, entry: Entry) -> Iterable[Callback]:
        """Yield whom this institution calls about a movement that was just made."""
        return ()

    def enter(self, entry: Entry) -> None:
        """Write one movement to the books, and tell whoever wants to know."""
        self.ledger.move(entry)
        self.outbox.extend(self.callbacks(entry))

    # -- books

    def seen(self) -> datetime | None:
        """Return the moment whose state reads show now; None is the present."""
        return self.clock.now() - timedelta(seconds=self.lag) if self.lag else None

    def remembered(self, about: str, key: Hashable, tell: Callable[[], Any]) -> Answer:
        """Answer with what `tell` returns, which only changes when `about` does."""
        if self.lag:
            return Answer.of(tell())
        known = self.ledger.memo.setdefault(about, {})
        answer: Answer | None = known.get(key)
        if answer is None:
            answer = known[key] = Answer.of(tell())
        return answer

    def done(self, scope: str, dedupe_id: str) -> Entry | None:
        """Return what was already done under a dedupe id that is still remembered."""
        if not self.settings.honours_dedupe:
            return None
        horizon, since = self.settings.dedupe_horizon, None
        if horizon is not None:
            since = self.clock.now() - timedelta(seconds=horizon)
        return self.ledger.made(scope, dedupe_id, since)

    def entry_id(self) -> str:
        """Return an id no movement has yet."""
        return self.numbered(len(self.ledger.entries) + 1)

    def numbered(self, number: int) -> str:
        """Return a movement's id by its number, in the form this institution has."""
        return f"tx_{number:016d}"

    def open(self, holder: str, asset: str, **facts: Any) -> Holder:
        """Return an account yet to be written to the books."""
        return Holder(holder, Asset.parse(asset), self.clock.now(), facts)

    def _enter(
        self, source: str, target: str, amount: int, about: Mapping[str, Any]
    ) -> Entry:
        with self.lock:
            about = dict(about)
            entry = Entry(
                id=self.entry_id(),
                source=source,
                target=target,
                amount=amount,
                moment=about.pop("when", None) or self.clock.now(),
                settled=not about.pop("pending", False),
                declined=about.pop("declined", ""),
                facts=about,
            )
            self.enter(entry)
            return entry
