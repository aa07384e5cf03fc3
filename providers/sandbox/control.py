"""The control endpoints: facts, faults and time, for tests, the demo and the bench."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from providers.money import MoneyError, parse_minor

from . import clock as moments
from .clock import Clock
from .institution import Customer, Institution
from .ledger import Entry
from .wire import Answer, Asked

Body = dict[str, Any]


class Control:
    """Answers `/_control/…`. Bodies are JSON, money is a string of minor units."""

    def __init__(self, institutions: Mapping[str, Institution], clock: Clock) -> None:
        self.institutions, self.clock = institutions, clock
        self.verbs: dict[tuple[str, str], Callable[[Body], Any]] = {
            ("POST", "/pay"): self.pay,
            ("POST", "/spend"): self.spend,
            ("POST", "/move"): self.move,
            ("POST", "/settle"): self.settle,
            ("POST", "/faults"): self.faults,
            ("DELETE", "/faults"): self.calm,
            ("POST", "/clock"): self.set_clock,
            ("GET", "/clock"): self.show_clock,
            ("GET", "/ledger"): self.ledger,
            ("GET", "/state"): self.state,
            ("POST", "/settings"): self.configure,
            ("POST", "/world"): self.world,
            ("GET", "/world"): self.show_world,
            ("POST", "/do"): self.do,
            ("POST", "/reset"): self.reset,
        }

    def answer(self, asked: Asked) -> Answer:
        """Answer one request; what it does not understand is a 400 that says so."""
        verb = self.verbs.get((asked.method, asked.path))
        if verb is None:
            return Answer.of({"known": [" ".join(v) for v in self.verbs]}, 404)
        try:
            body = json.loads(asked.body) if asked.body else dict(asked.query)
            return Answer.of(verb(body))
        except (MoneyError, ValueError, TypeError, AttributeError) as error:
            return Answer.of({"error": str(error)}, 400)
        except LookupError as error:
            return Answer.of({"error": f"Not there: {error}"}, 404)

    def at(self, body: Body) -> Institution:
        """Return the institution `body` names; the only one needs no name."""
        if "slug" not in body and len(self.institutions) == 1:
            return next(iter(self.institutions.values()))
        return self.institutions[body.pop("slug")]

    def chosen(self, body: Body) -> list[Institution]:
        everybody = list(self.institutions.values())
        return [self.at(body)] if "slug" in body else everybody

    def pay(self, body: Body) -> Body:
        there = self.at(body)
        return plain(there.pay(body.pop("account"), *_amount(body), **_about(body)))

    def spend(self, body: Body) -> Body:
        there = self.at(body)
        return plain(there.spend(body.pop("account"), *_amount(body), **_about(body)))

    def move(self, body: Body) -> Body:
        there, ends = self.at(body), (body.pop("source"), body.pop("target"))
        return plain(there.move(*ends, *_amount(body), **_about(body)))

    def settle(self, body: Body) -> Body:
        there = self.at(body)
        if "amount" in body:
            body["amount"] = parse_minor(body["amount"])
        there.settle(body.pop("entry"), **body)
        return {}

    def faults(self, body: Body) -> Body:
        planned = body.pop("faults", None) or [body]
        for fault in planned:
            there = self.at(fault if "slug" in fault else body)
            there.fault(**_flat(fault))
        return {"planned": len(planned)}

    def calm(self, body: Body) -> Body:
        for institution in self.chosen(body):
            institution.calm()
        return {}

    def set_clock(self, body: Body) -> Body:
        """Move time: `advance` seconds, `set` or `freeze` a moment, or `reset`."""
        if "set" in body:
            self.clock.set(moments.parse(body["set"]))
        if "freeze" in body:
            self.clock.freeze(moments.parse(body["freeze"]))
        if body.get("reset"):
            self.clock.reset()
        self.clock.advance(float(body.get("advance", 0)))
        return self.show_clock({})

    def show_clock(self, body: Body) -> Body:
        now = moments.text(self.clock.now())
        return {"now": now, "offset": self.clock.offset}

    def ledger(self, body: Body) -> Body:
        """Return every movement really made, and what follows from them."""
        there = self.at(body)
        found = there.movements(body.get("account"))
        if "dedupe_id" in body:
            found = [e for e in found if e.dedupe_id == body["dedupe_id"]]
        return {
            "movements": [plain(entry) for entry in found],
            "balances": {k: str(v) for k, v in there.balances().items()},
        }

    def state(self, body: Body) -> Body:
        """Return how each institution is: settings, faults, requests so far."""
        return {
            "now": moments.text(self.clock.now()),
            "institutions": {
                slug: {
                    "settings": vars(there.settings),
                    "faults": [fault.action for fault in there.plan.faults],
                    "struck": dict(there.plan.struck),
                    "requests": there.requests,
                    "customers": len(there.customers()),
                    "movements": len(there.ledger.entries),
                }
                for slug, there in self.institutions.items()
            },
        }

    def configure(self, body: Body) -> Body:
        for institution in self.chosen(body):
            institution.configure(**body)
        return {}

    def world(self, body: Body) -> Body:
        """Open accounts for `customers` people, or for the `names` given."""
        there = self.at(body)
        names = body.pop("names", None)
        count = int(body.pop("customers", 1))
        start = len(there.customers())
        names = names or [f"person-{start + i + 1}" for i in range(count)]
        made = there.add_customers(names, **body)
        return {"customers": [person(customer) for customer in made]}

    def show_world(self, body: Body) -> Body:
        """Return the customer called `name`; without a name, the demo's."""
        there, name = self.at(body), body.get("name")
        return person(there.customer(name) if name else there.demo_world())

    def do(self, body: Body) -> Body:
        """Let something happen that only this institution knows: `{"what": …}`."""
        there = self.at(body)
        return {"done": there.do(body.pop("what"), **body)}

    def reset(self, body: Body) -> Body:
        for institution in self.chosen(body):
            institution.reset()
        self.clock.reset()
        return {}


def _amount(body: Body) -> tuple[int]:
    return (parse_minor(body.pop("amount")),)


def _about(body: Body) -> Body:
    if "when" in body:
        body["when"] = moments.parse(body["when"])
    return body


def _flat(fault: Body) -> Body:
    match: Body = fault.pop("match", {})
    return {**fault, **match}


def plain(entry: Entry) -> Body:
    return entry.record()


def person(customer: Customer) -> Body:
    """Return a customer in JSON's words."""
    holdings = [
        {
            "external_id": h.external_id,
            "kind": h.kind,
            "name": h.name,
            "asset": h.asset,
            "parent": h.parent,
            "goal": None if h.goal is None else str(h.goal),
            "locked": h.locked,
            "closed": h.closed,
        }
        for h in customer.holdings
    ]
    return {
        "name": customer.name,
        "credentials": dict(customer.credentials),
        "accounts": holdings,
    }
