"""What the demo begins with: a login, connections, three rules."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction

import providers
from accounts import services as accounts
from accounts.models import Account, Connection, SyncRun, Workspace
from accounts.moneyjson import money
from automation import services as automation
from balsync_project.first_start import keep, make_login, tell_address
from providers.sandbox import Customer, Remote, slugs

from .bank import find_bank, sandbox_url

USERNAME = PASSWORD = "demo"
WORKSPACE = "Demo"
PAYER = "ACME Ltd"
BASE = "GBP"
# What one is worth, as a person would type it; tickers tell the rest.
TYPED_RATES = {
    BASE: {
        **{"USD": "0.75", "USDT": "0.75", "USDC": "0.75", "POL": "0.16"},
        **{"NGN": "0.00049", "GHS": "0.067", "KES": "0.0058", "ZAR": "0.043"},
        **{"XOF": "0.00134", "RWF": "0.00052", "UGX": "0.00021"},
    },
    # Other forms of the same thing.
    "USDC": {"USDC.e": "1", "pUSD": "1"},
    "USD": {"USD.B": "1"},
    "BTC": {"BTC.M": "1"},
    "ETH": {"ETH2.S": "1"},
    "SOL": {"SOL.F": "1"},
    "DOT": {"DOT28.S": "1"},
}


def seed(login_file: Path | None, url: str) -> dict[str, Any] | None:
    """Make the demo's person and return the login; later starts tell the new address."""
    if Workspace.objects.filter(name=WORKSPACE).exists():
        tell_address(login_file, url, sandbox_url=sandbox_url())
        return None
    with transaction.atomic():
        login = make_login(USERNAME, PASSWORD, WORKSPACE)
        workspace = Workspace.objects.get(name=WORKSPACE)
        connections = [connect(workspace, slug) for slug in slugs()]
    accounts.sync(connections, SyncRun.Kind.START_UP)
    for quote, values in TYPED_RATES.items():
        for code, value in values.items():
            accounts.keep_rate(workspace, code, quote, Decimal(value))
    accounts.refresh_rates()
    bank, customer = find_bank()
    write_rules(workspace, bank, customer)
    return keep(login_file, url, {**login, "sandbox_url": sandbox_url()})


def connect(workspace: Workspace, slug: str) -> Connection:
    """Connect what the demo's person has at one institution."""
    credentials = Remote(sandbox_url(), slug).demo_world().credentials
    return accounts.connect(
        workspace, slug, credentials, label=providers.load(slug).name
    )


def write_rules(workspace: Workspace, bank: Remote, customer: Customer) -> None:
    """Write the rules of a payday: sweep, then autosort, then topup."""
    ours = {
        account.external_id: account
        for account in Account.objects.filter(workspace=workspace, provider=bank.slug)
    }
    plain = [pot for pot in customer.pots if pot.goal is None]
    bills, rent, fun, savings = (ours[pot.external_id] for pot in plain[:4])
    goals = [ours[pot.external_id] for pot in customer.pots if pot.goal is not None]
    main = ours[customer.account.external_id]
    for rule in (
        sweep(main, savings),
        autosort(savings, bills, rent, goals),
        topup(main, fun),
    ):
        automation.write_rule(workspace, rule)


def sweep(main: Account, savings: Account) -> dict[str, Any]:
    """On payday, everything above 500.00 leaves the current account."""
    return {
        "name": "1 Payday sweep",
        "kind": "sweep",
        "priority": 10,
        "legs": [
            leg(main, "source", strategy="above", keep=of(main, 500_00)),
            leg(savings, "target"),
        ],
        "triggers": [
            {
                "kind": "payday",
                "min_amount": of(main, 1000_00),
                "pattern": PAYER,
                "cooldown_days": 0,
            }
        ],
    }


def autosort(
    savings: Account, bills: Account, rent: Account, goals: list[Account]
) -> dict[str, Any]:
    """Then the savings are sorted: bills, rent, goals; 300.00 and the rest stay."""
    wishes = [
        leg(goal, "goal", i, strategy="to_target") for i, goal in enumerate(goals)
    ]
    return {
        "name": "2 Sort the salary",
        "kind": "autosort",
        "priority": 20,
        "rest": "keep",
        "legs": [
            leg(savings, "source", keep=of(savings, 300_00)),
            leg(bills, "priority", 0, strategy="to_target", target=of(bills, 650_00)),
            leg(rent, "priority", 1, strategy="fixed", amount=of(rent, 950_00)),
            *wishes,
        ],
        "triggers": [{"kind": "manual"}],
    }


def topup(main: Account, fun: Account) -> dict[str, Any]:
    """Last, there are 120.00 to have fun with."""
    return {
        "name": "3 Top up fun",
        "kind": "topup",
        "priority": 30,
        "legs": [
            leg(main, "source", keep=of(main, 100_00)),
            leg(fun, "target", strategy="to_target", target=of(fun, 120_00)),
        ],
        "triggers": [{"kind": "weekly", "weekday": 5, "hour": 18}],
    }


def leg(account: Account, role: str, order: int = 0, **more: Any) -> dict[str, Any]:
    """Return one line of a rule, as its JSON says it."""
    return {"account": str(account.pk), "role": role, "order": order, **more}


def of(account: Account, minor: int) -> dict[str, str]:
    """Return `minor` units of what `account` holds."""
    return money(minor, account.asset)
