"""Institutions that call an address which a person types in at their dashboard."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .institution import Callback, Institution

HAPPENINGS: Final = (
    "hook",
    "withhold_webhooks",
    "resend_webhook",
    "forge_webhook",
)


class Hooked(Institution):
    """Sends signed events, late, again or forged. Each delivery has the same bytes."""

    @abstractmethod
    def proof(self, body: bytes, key: str) -> Mapping[str, str]:
        """Return the headers that prove `body` to who knows `key`."""

    @abstractmethod
    def hook_key(self, name: str) -> str:
        """Return what the events of a customer are signed with."""

    # -- what happens

    def hook(self, url: str, customer: str | None = None) -> None:
        """Let somebody type an address in at the dashboard; an empty one takes it out."""
        name = customer or self.demo_world().name
        self.ledger.put(("hooks", name, url or None))

    def withhold_webhooks(self, on: bool = True) -> None:
        """Let events wait, or let those that waited go out, late, in their order."""
        waiting = [] if on else self.ledger.topic("hooking").get("waiting", [])
        fresh = ("hooking", "withheld", on or None), ("hooking", "waiting", None)
        self.ledger.put(*fresh)
        for name, body in waiting:
            self._post(name, body)

    def resend_webhook(self, customer: str | None = None, times: int = 5) -> None:
        """Deliver the last event again, as after answers that were lost."""
        name = customer or self.demo_world().name
        for _ in range(times):
            self._post(name, self.ledger.topic("told")[name])

    def forge_webhook(self, customer: str | None = None) -> None:
        """Let somebody who does not know the key send the last event, changed a little."""
        name = customer or self.demo_world().name
        event = json.loads(self.ledger.topic("told").get(name, '{"event": "x"}'))
        body = _written({**event, "data": {"id": 1, "reference": "forged"}}).encode()
        url = self.ledger.topic("hooks")[name]
        self.outbox.append(Callback(url, body, self.proof(body, "not the key")))

    # -- telling

    def tell(self, name: str, event: str, data: Mapping[str, Any]) -> None:
        """Call the customer called `name`, if there is an address."""
        self.outbox.extend(self.calls(name, event, data))

    def calls(
        self, name: str, event: str, data: Mapping[str, Any]
    ) -> Iterator[Callback]:
        """Yield the delivery of an event, unless it has to wait."""
        body, state = self.written(event, data), self.ledger.topic("hooking")
        self.ledger.put(("told", name, body), sync=False)
        if state.get("withheld"):
            waiting = [*state.get("waiting", []), [name, body]]
            self.ledger.put(("hooking", "waiting", waiting), sync=False)
        elif url := self.ledger.topic("hooks").get(name):
            yield self._signed(name, url, body)

    def written(self, event: str, data: Mapping[str, Any]) -> str:
        """Return the body of an event, as JavaScript would write it."""
        return _written({"event": event, "data": data})

    def _post(self, name: str, body: str) -> None:
        if url := self.ledger.topic("hooks").get(name):
            self.outbox.append(self._signed(name, url, body))

    def _signed(self, name: str, url: str, body: str) -> Callback:
        raw = body.encode()
        return Callback(url, raw, self.proof(raw, self.hook_key(name)))


def _written(told: Any) -> str:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)
