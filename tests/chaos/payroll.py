"""Customers of the sandbox bank to whom one payday after the other comes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from providers.sandbox import Customer
from providers.sandbox.remote import Remote
from tests.chaos.installation import Demo, wait_for
from tests.chaos.rules import OPEN_RUNS, rule_documents

SALARY = 2_000_00


@dataclass
class Payroll:
    """Customers with three rules each, to whom one payday after the other comes."""

    demo: Demo
    bank: Remote
    customers: list[Customer] = field(default_factory=list)
    rules: list[dict[str, str]] = field(default_factory=list)
    open: list[set[str]] = field(default_factory=list)  # runs, by customer
    asked: dict[str, str] = field(default_factory=dict)  # run → its key
    paydays: int = 0
    begun: float = 0.0

    def hire(self, count: int) -> None:
        """Connect so many customers, and write their rules."""
        names = [f"customer {number}" for number in range(count)]
        self.customers = self.bank.add_customers(names)
        for customer in self.customers:
            connection = self.demo.post(
                "/connections/",
                {
                    "provider": self.bank.slug,
                    "label": customer.name,
                    "credentials": dict(customer.credentials),
                },
            )
            self.demo.post(f"/connections/{connection['id']}/sync/", {"kind": "manual"})
            self.rules.append(self._write_rules(connection, customer))
            self.open.append(set())
        self.begun = time.monotonic()

    def _write_rules(self, connection: Any, customer: Customer) -> dict[str, str]:
        wanted = [customer.account, *customer.pots[:4]]

        def ids() -> list[str]:
            rows = self.demo.every("/accounts/", connection=connection["id"])
            known = {row["external_id"]: row["id"] for row in rows}
            found = [known.get(holding.external_id, "") for holding in wanted]
            return found if all(found) else []

        rules = rule_documents(*wait_for(ids, "the first sync", 60))
        # Two beats look at this one: each minute has one run, whoever finds it.
        rules["topup"]["triggers"] = [
            {"kind": "api"},
            {"kind": "interval", "minutes": 1},
        ]
        return {n: self.demo.post("/rules/", rule)["id"] for n, rule in rules.items()}

    def look(self, index: int) -> bool:
        """Say whether a customer's payday is over; while one run is open, it is not."""
        runs = self.open[index]
        for run in list(runs):
            if self.demo.get(f"/runs/{run}/")["status"] in OPEN_RUNS:
                return False
            runs.discard(run)
        return True

    def pay(self, index: int) -> None:
        """Pay a salary in and ask for every rule, once each, however often we repeat."""
        self.paydays += 1
        account = self.customers[index].account
        self.bank.pay(account.external_id, SALARY, description="Salary")
        for name, rule in self.rules[index].items():
            key = f"payday {self.paydays} {name}"
            run = self.demo.post(f"/rules/{rule}/runs/", key=key)
            self.asked[run["id"]] = key
            self.open[index].add(run["id"])
