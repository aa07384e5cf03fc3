"""Institutions that call an address which a person types in at their dashboard."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from .institution import Callback
from .worlds import Peopled

HAPPENINGS: Final = (
    "hook",
    "withhold_webhooks",
    "resend_webhook",
    "forge_webhook",
)


class Hooked(Peopled):
    """Sends signed events, late, again or forged. Each delivery has the same bytes."""

    # Wishes for customers, one for each scheme by which their events are proved.
    schemes: ClassVar[Sequence[Mapping[str, Any]]] = ({},)

    @abstractmethod
    def proof(self, name: str, body: bytes, key: str) -> Mapping[str, str]:
        """Return the headers that prove `body` to a customer, who knows `key`."""

    @abstractmethod
    def hook_key(self, name: str) -> str:
        """Return what the events of a customer are signed with."""

    def signable(self, body: bytes) -> Sequence[bytes]:
        """Return the texts that the proof of a body may be of, as documented."""
        return [body]

    def vouches(self, name: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Say whether a call to a customer shows what only who has the key can show.

        `headers` are looked up in lower case.
        """
        key = self.hook_key(name)
        return any(
            all(
                headers.get(header.lower()) == value
                for header, value in self.proof(name, text, key).items()
            )
            for text in self.signable(body)
        )

    # -- what happens

    def hook(self, url: str, customer: str | None = None) -> str | None:
        """Let somebody type an address in at the dashboard; an empty one takes it out.

        Returns what the dashboard shows for it, where it shows anything.
        """
        name = customer or self.demo_world().name
        self.ledger.put(("hooks", name, url or None))
        return None

    def withhold_webhooks(self, on: bool = True) -> None:
        """Let events wait, or let those that waited go out, late."""
        if on:
            self.ledger.put(("hooking", "withheld", True))
            return
        late = self.withheld
        self.ledger.put(("hooking", "withheld", None), ("hooking", "waiting", None))
        self.outbox.extend(late)

    @property
    def withheld(self) -> list[Callback]:
        """What waits to be delivered, in the order in which it will be."""
        waiting = self.ledger.topic("hooking").get("waiting", [])
        return [call for name, body in waiting for call in self._posted(name, body)]

    def resend_webhook(self, customer: str | None = None, times: int = 5) -> None:
        """Deliver the last event again, as after answers that were lost."""
        name = customer or self.demo_world().name
        for _ in range(times):
            self.outbox.extend(self._posted(name, self.ledger.topic("told")[name]))

    def forge_webhook(self, customer: str | None = None) -> None:
        """Let somebody who does not know the key send the last event, changed a little."""
        name = customer or self.demo_world().name
        event = json.loads(self.ledger.topic("told").get(name, '{"event": "x"}'))
        body = _written({**event, "data": {"id": 1, "reference": "forged"}})
        url = self.ledger.topic("hooks")[name]
        self.outbox.append(self.signed(name, url, body, "not the key"))

    # -- telling

    def tell(self, name: str, event: str, data: Mapping[str, Any]) -> None:
        """Call the customer called `name`, if there is an address."""
        self.outbox.extend(self.calls(name, event, data))

    def calls(
        self, name: str, event: str, data: Mapping[str, Any]
    ) -> Iterator[Callback]:
        """Yield the delivery of an event, unless it has to wait."""
        return self.delivered(name, self.written(event, data))

    def delivered(self, name: str, body: str) -> Iterator[Callback]:
        """Yield the delivery of a body, unless it has to wait."""
        state = self.ledger.topic("hooking")
        self.ledger.put(("told", name, body), sync=False)
        if state.get("withheld"):
            waiting = [*state.get("waiting", []), [name, body]]
            self.ledger.put(("hooking", "waiting", waiting), sync=False)
        else:
            yield from self._posted(name, body)

    def written(self, event: str, data: Mapping[str, Any]) -> str:
        """Return the body of an event, as JavaScript would write it."""
        return _written({"event": event, "data": data})

    def signed(self, name: str, url: str, body: str, key: str = "") -> Callback:
        """Return the delivery of a body, signed with `key` or with the right one."""
        raw = body.encode()
        return Callback(url, raw, self.proof(name, raw, key or self.hook_key(name)))

    def _posted(self, name: str, body: str) -> Iterator[Callback]:
        if url := self.ledger.topic("hooks").get(name):
            yield self.signed(name, url, body)


def _written(told: Any) -> str:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)
