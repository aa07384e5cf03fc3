"""Worked examples of a page: each rule is kept and simulated, and its plan written out.

An example is a block of JSON, and the block of text after it what the product says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.timezone import now

from accounts.models import Account, Balance, Transaction, Workspace
from accounts.services import connect
from automation import services
from automation.models import Rule
from automation.rules import Plan
from providers.money import Asset, pretty
from tests.fixtures_bank import BANK

ASSET = Asset.parse("GBP/2")
EXAMPLE = re.compile(r"```json\n(\{\n  \"rule\".*?\n)```\n\n```text\n(.*?)```", re.S)


@dataclass(frozen=True)
class Example:
    """One block of JSON, and what the page says comes of it."""

    said: Mapping[str, Any]
    told: str

    def __str__(self) -> str:
        return str(self.said["rule"]["name"])


def examples(page: str) -> list[Example]:
    """Return the worked examples of a page, in order."""
    return [Example(json.loads(j), text) for j, text in EXAMPLE.findall(page)]


def rewritten(page: str, answers: Iterator[str]) -> str:
    """Return `page` with the plans that the product makes today."""

    def replace(found: re.Match[str]) -> str:
        return f"```json\n{found.group(1)}```\n\n```text\n{next(answers)}```"

    return EXAMPLE.sub(replace, page)


class Desk:
    """Somebody with a current account and pots, by the names the page gives them."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.workspace = Workspace.objects.create(
            name=f"docs of {said['rule']['name']}"
        )
        credentials = {"client_id": "id", "client_secret": "secret"}
        self.connection = connect(self.workspace, BANK, credentials)
        self.accounts: dict[str, Account] = {}
        for name, held in said["balances"].items():
            self.open(name, held, said.get("goals", {}).get(name))

    def open(self, name: str, held: str, goal: str | None) -> None:
        """Open an account; the first is the current account, the others are its pots."""
        around = next(iter(self.accounts.values()), None)
        account = Account.objects.create(
            workspace=self.workspace,
            connection=self.connection,
            parent=around,
            provider=BANK,
            external_id=f"{name} of {self.said['rule']['name']}",
            name=name,
            kind="pot" if around else "current",
            asset=str(ASSET),
            goal=goal and int(goal),
            movements_read_at=None if around else now(),
        )
        moment = now()
        Balance.objects.create(
            account=account,
            total=int(held),
            available=int(held),
            as_of=moment,
            fetched_at=moment,
        )
        self.accounts[name] = account

    def pay(self, account: Account, amounts: list[str]) -> None:
        """Let card payments settle now."""
        for number, amount in enumerate(amounts):
            Transaction.objects.create(
                account=account,
                external_id=f"tx_{number}",
                amount=-int(amount),
                asset=str(ASSET),
                created=now() + timedelta(seconds=1),
                settled=now() + timedelta(seconds=1),
                merchant="A shop",
            )

    def keep(self) -> Rule:
        """Write the rule as the API would, with ids in the place of names."""
        return services.write_rule(self.workspace, self.ids(self.said["rule"]))

    def ids(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: self.ids(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.ids(v) for v in value]
        account = self.accounts.get(value) if isinstance(value, str) else None
        return str(account.pk) if account else value

    def plan(self) -> Plan:
        """Return what the rule would do, as a simulation says it."""
        rule = self.keep()
        for name, amounts in self.said.get("payments", {}).items():
            self.pay(self.accounts[name], amounts)
        known = services.typed_accounts(rule)
        at = self.said.get("at")
        return services.simulate(
            rule,
            known,
            {
                str(self.accounts[n].pk): int(v)
                for n, v in self.said["balances"].items()
            },
            at=datetime.fromisoformat(at) if at else None,
            spent={
                str(self.accounts[n].pk): int(v)
                for n, v in self.said.get("spent", {}).items()
            },
        )


def written(desk: Desk) -> str:
    """Return a plan as the page shows it."""
    found, names = desk.plan(), {str(a.pk): n for n, a in desk.accounts.items()}
    lines = [f"{found.outcome}: {found.reason}"]
    for move in found.moves:
        money = pretty(move.amount, ASSET)
        lines.append(f"  {names[move.source]} → {names[move.target]}  {money}")
    lines.append("because")
    lines += [f"  {step.step:<10} {step.text}" for step in found.trace]
    return "\n".join(lines) + "\n"
