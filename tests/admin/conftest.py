"""Two households and the people who look at them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.timezone import now

import providers
from accounts.models import (
    Account,
    Balance,
    BalanceSnapshot,
    Connection,
    Correction,
    Discrepancy,
    Membership,
    Order,
    Position,
    SnapshotKey,
    SyncRun,
    Trade,
    Transaction,
    Workspace,
)
from automation import services
from automation.models import RuleRun, Transfer
from providers.base import Authorizes, MovesMoney, TakesTypedBalances
from tests.standing import Standing

SECRET = "never-show-this-1f9c"


def provider_with(*ports: type) -> str:
    """Return a provider that has all of `ports`."""
    return next(
        slug
        for slug in providers.slugs()
        if all(issubclass(providers.load(slug), port) for port in ports)
    )


BANK = provider_with(Authorizes, MovesMoney)
TYPED = provider_with(TakesTypedBalances)


class Household(SimpleNamespace):
    """A workspace with money in it, a rule, and one of everything that happens."""


def hold(connection: Connection, name: str, total: int | None = None, **row) -> Account:
    """Make an account, and its balance where it is known."""
    account = Account.objects.create(
        **{"asset": "GBP/2", "external_id": f"at_{uuid4().hex}", **row},
        workspace=connection.workspace,
        connection=connection,
        provider=connection.provider,
        name=name,
    )
    if total is not None:
        read(account, total)
    return account


def read(account: Account, total: int, **known) -> Balance:
    """Say what an account holds, just now unless told otherwise."""
    moment = known.pop("at", now())
    amounts = {"total": total, "available": total}
    BalanceSnapshot.objects.create(account=account, as_of=moment, **amounts)
    balance, _ = Balance.objects.update_or_create(
        account=account,
        defaults={**amounts, "as_of": moment, "fetched_at": moment, **known},
    )
    return balance


def household(name: str) -> Household:
    workspace = Workspace.objects.create(name=name)
    credentials = {field.name: SECRET for field in providers.load(BANK).fields}
    connection = Connection.objects.create(
        workspace=workspace,
        provider=BANK,
        label=f"{name} bank",
        credentials=credentials,
        health=Connection.Health.OK,
        last_success_at=now(),
    )
    main = hold(connection, f"{name} main", 142_387)
    bills = hold(connection, f"{name} bills", 61_250, parent=main, kind="pot")
    unread = hold(connection, f"{name} unread", parent=main, kind="pot")
    home = Household(
        workspace=workspace,
        connection=connection,
        main=main,
        bills=bills,
        unread=unread,
    )
    happen(home)
    return home


def happen(home: Household) -> None:
    """Let one of everything have happened."""
    home.sync = SyncRun.objects.create(
        connection=home.connection,
        kind=SyncRun.Kind.MANUAL,
        status=SyncRun.Status.OK,
        started=now(),
        finished=now(),
        results=[
            {"account": home.main.external_id, "status": "ok", "total": "142387"},
            {"account": home.unread.external_id, "status": "unknown", "error": "500"},
        ],
    )
    home.correction = Correction.objects.create(
        sync=home.sync,
        account=home.main,
        field="total",
        old="150000",
        new="142387",
        difference="-7613",
    )
    home.discrepancy = Discrepancy.objects.create(
        account=home.main,
        name="parts_add_up",
        expected=203_637,
        actual=203_137,
        last_seen_at=now(),
    )
    home.transaction = Transaction.objects.create(
        account=home.main,
        external_id="tx_1",
        amount=-4_312,
        asset="GBP/2",
        created=now(),
        counterparty=f"{home.workspace} grocer",
    )
    place = {"segment": "spot", "market": f"{home.workspace}BBB", "external_id": "x1"}
    place |= {"connection": home.connection, "base": "AAA", "quote": "BBB"}
    figures = {"side": "buy", "quantity": 2, "price": Decimal("0.5"), "created": now()}
    home.order = Order.objects.create(
        **place, **figures, filled=1, status="open", seen_at=now(), doubt="Nobody knows"
    )
    home.trade = Trade.objects.create(**place, **figures, cost=1)
    home.position = Position.objects.create(
        **place, side="long", quantity=1, seen_at=now(), derived=True
    )
    home.changed_order = Correction.objects.create(
        sync=home.sync,
        subject_kind="order",
        subject_id=home.order.pk,
        subject=f"{home.order}",
        field="status",
        old="open",
        new="filled",
    )
    home.snapshot = home.main.snapshots.get()
    home.snapshot_key = SnapshotKey.objects.create(
        account=home.main, as_of=home.snapshot.as_of, scope="client", key="k"
    )
    home.rule = services.write_rule(home.workspace, topup(home))
    home.trigger = home.rule.triggers.first()
    home.run = RuleRun.objects.create(
        rule=home.rule,
        key="k1",
        trigger_kind="manual",
        scheduled_for=now(),
        status=RuleRun.Status.SUCCEEDED,
        **services.plan_data(services.preview(home.rule)) | {"reason": "done"},
    )
    home.transfer = Transfer.objects.create(
        id=uuid4(),
        run=home.run,
        move=0,
        source=home.main,
        target=home.bills,
        amount=5_012,
        asset="GBP/2",
        status=Transfer.Status.DONE,
        verified=True,
        settled_at=now() - timedelta(hours=1),
    )


def topup(home: Household, **more) -> dict:
    """Return a rule that tops the bills up by £50.12."""
    amount = {"asset": "GBP/2", "amount": "50.12"}
    return {
        "name": f"{home.workspace} top-up",
        "kind": "topup",
        "legs": [
            {"account": str(home.main.pk), "role": "source"},
            {
                "account": str(home.bills.pk),
                "role": "target",
                "strategy": "fixed",
                "amount": amount,
            },
        ],
        "triggers": [{"kind": "weekly", "weekday": 5, "hour": 7}],
    } | more


def rows_of(home: Household) -> list:
    """Return one row of every noun that has a page of its own."""
    return [
        home.workspace,
        home.connection,
        home.main,
        home.bills,
        home.sync,
        home.correction,
        home.discrepancy,
        home.transaction,
        home.snapshot,
        home.snapshot_key,
        home.order,
        home.trade,
        home.position,
        home.changed_order,
        home.rule,
        home.run,
        home.transfer,
    ]


HISTORY = (
    "sync",
    "correction",
    "discrepancy",
    "transaction",
    "snapshot",
    "snapshot_key",
    "order",
    "trade",
    "position",
    "run",
    "transfer",
)


standing_home = Standing(partial(household, "Home"))
standing_elsewhere = Standing(partial(household, "Elsewhere"))


@pytest.fixture
def home(db) -> Household:
    return standing_home()


@pytest.fixture
def foreign(db) -> Household:
    return standing_elsewhere()


@pytest.fixture
def cash(home) -> Account:
    """An account whose balances a person types."""
    connection = Connection.objects.create(
        workspace=home.workspace, provider=TYPED, label="purse"
    )
    return hold(connection, "cash", 8_000)


def person(name: str, home: Household | None, role: str, **flags) -> Client:
    """Return the browser of a member of staff."""
    user = User.objects.create_user(name, is_staff=True, **flags)
    if home is not None:
        Membership.objects.create(workspace=home.workspace, user=user, role=role)
    browser = Client(raise_request_exception=True)
    browser.force_login(user)
    browser.user = user
    return browser


@pytest.fixture
def superuser(db) -> Client:
    return person("root", None, "admin", is_superuser=True)


@pytest.fixture
def owner(home) -> Client:
    """An admin of the workspace who is no superuser."""
    return person("owner", home, Membership.Role.ADMIN)


@pytest.fixture
def operator(home) -> Client:
    return person("operator", home, Membership.Role.OPERATOR)


@pytest.fixture
def viewer(home) -> Client:
    return person("viewer", home, Membership.Role.VIEWER)


@pytest.fixture
def long_ago():
    return now() - timedelta(hours=9)
