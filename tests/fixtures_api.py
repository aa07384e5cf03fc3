"""Two workspaces with everything in them, and one client per kind of caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from knox.models import AuthToken
from rest_framework.test import APIClient

import providers
from accounts.models import (
    Account,
    Balance,
    BalanceSnapshot,
    CheckSetting,
    Connection,
    Correction,
    Discrepancy,
    DriftSetting,
    Event,
    ExchangeRate,
    Membership,
    Order,
    Position,
    QuarantinedReading,
    SigningKey,
    Stream,
    SyncRun,
    Trade,
    Transaction,
    Workspace,
)
from automation import tasks
from automation.models import Rule, RuleLeg, RuleRun, Transfer, Trigger
from providers.base import Authorizes, MovesMoney, TakesTypedBalances

from .standing import Standing

V1 = "/api/v1"
ASSET = "GBP/2"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def slug_that(*ports: type) -> str:
    """Return a provider with these ports, whichever there is."""
    return next(
        slug
        for slug in providers.slugs()
        if all(issubclass(providers.load(slug), port) for port in ports)
    )


def bank_slug() -> str:
    return slug_that(Authorizes, MovesMoney)


def cash_slug() -> str:
    return slug_that(TakesTypedBalances)


@dataclass(frozen=True)
class Estate:
    """Everything one workspace has."""

    workspace: Workspace
    connection: Connection
    cash: Account
    main: Account
    pot: Account
    transaction: Transaction
    sync: SyncRun
    stream: Stream
    correction: Correction
    discrepancy: Discrepancy
    quarantined: QuarantinedReading
    event: Event
    rule: Rule
    run: RuleRun
    transfer: Transfer
    rate: ExchangeRate
    signing_key: SigningKey
    check_setting: CheckSetting
    drift_setting: DriftSetting
    order: Order
    trade: Trade
    position: Position


@dataclass(frozen=True)
class World:
    mine: Estate
    theirs: Estate
    clients: dict[str, APIClient]

    @property
    def viewer(self) -> APIClient:
        return self.clients["viewer"]

    @property
    def operator(self) -> APIClient:
        return self.clients["operator"]

    @property
    def admin(self) -> APIClient:
        return self.clients["admin"]

    @property
    def stranger(self) -> APIClient:
        return self.clients["stranger"]


def signed_in(user) -> APIClient:
    client = APIClient(raise_request_exception=False)
    _, token = AuthToken.objects.create(user)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    client.user = user
    return client


def member(name: str, *memberships: tuple[Workspace, str]) -> APIClient:
    """Return the client of a new user with a role in each workspace."""
    user = get_user_model().objects.create_user(name, password="correct horse")
    for workspace, role in memberships:
        Membership.objects.create(workspace=workspace, user=user, role=role)
    return signed_in(user)


def account(connection: Connection, name: str, held: int | None, **more) -> Account:
    made = Account.objects.create(
        workspace=connection.workspace,
        connection=connection,
        provider=connection.provider,
        external_id=f"ext_{uuid4().hex}",
        name=name,
        asset=ASSET,
        **more,
    )
    if held is not None:
        hold(made, held, NOON)
    return made


def hold(account: Account, amount: int, moment: datetime) -> Balance:
    return Balance.objects.create(
        account=account,
        total=amount,
        available=amount,
        as_of=moment,
        fetched_at=moment,
    )


def snapshot(account: Account, amount: int, moment: datetime) -> BalanceSnapshot:
    return BalanceSnapshot.objects.create(
        account=account, total=amount, available=amount, as_of=moment
    )


def connection(workspace: Workspace, slug: str) -> Connection:
    made = Connection(
        workspace=workspace, provider=slug, label=f"{slug} of {workspace}"
    )
    wanted = providers.load(slug).fields
    made.credentials = {f.name: f"CANARY-{f.name}" for f in wanted if f.required}
    made.save()
    return made


def estate(name: str) -> Estate:
    workspace = Workspace.objects.create(name=name)
    bank = connection(workspace, bank_slug())
    main = account(bank, "Main", 100_000)
    pot = account(bank, "Rent", 5_000, kind="pot", parent=main)
    cash = account(connection(workspace, cash_slug()), "Cash", None)
    sync = SyncRun.objects.create(
        connection=bank,
        kind="manual",
        status="ok",
        started=NOON,
        finished=NOON + timedelta(seconds=1.5),
    )
    rule = Rule.objects.create(
        workspace=workspace, name="Payday", kind="sweep", asset=ASSET
    )
    RuleLeg.objects.create(
        rule=rule, account=main, role="source", strategy="all", keep=1
    )
    RuleLeg.objects.create(rule=rule, account=pot, role="target", order=1)
    Trigger.objects.create(rule=rule, kind="manual")
    run = RuleRun.objects.create(
        rule=rule,
        key=f"k-{name}",
        trigger_kind="manual",
        scheduled_for=NOON,
        status="succeeded",
    )
    return Estate(
        workspace=workspace,
        connection=bank,
        cash=cash,
        main=main,
        pot=pot,
        sync=sync,
        # An id that is no figure of any other row.
        stream=Stream.objects.create(
            pk=uuid4().int >> 70, connection=bank, name="balances"
        ),
        rule=rule,
        run=run,
        transaction=Transaction.objects.create(
            account=main, external_id="tx", amount=-250, asset=ASSET, created=NOON
        ),
        correction=Correction.objects.create(
            sync=sync, account=main, field="total", old="1", new="2", difference="1"
        ),
        discrepancy=Discrepancy.objects.create(
            account=main,
            sync=sync,
            name="sum",
            expected=1,
            actual=2,
            last_seen_at=NOON,
        ),
        quarantined=QuarantinedReading.objects.create(
            connection=bank,
            account=pot,
            sync=sync,
            external_id=pot.external_id,
            rule="unrealistic",
            severity="error",
            text="More than anybody has",
            total=9,
            available=9,
            held=0,
            as_of=NOON + timedelta(hours=1),
            fetched_at=NOON + timedelta(hours=1),
            source="live",
            last_seen_at=NOON,
        ),
        event=Event.objects.create(
            workspace=workspace,
            kind="drift",
            phase="began",
            severity="warning",
            subject_kind="account",
            subject_id=main.pk,
            key=f"drift:{main.pk}",
            text="Two figures do not agree",
            routed_at=NOON,
        ),
        transfer=Transfer.objects.create(
            id=uuid4(),
            run=run,
            move=0,
            source=main,
            target=pot,
            amount=700,
            asset=ASSET,
            status="done",
            settled_at=NOON,
        ),
        rate=ExchangeRate.objects.create(
            workspace=workspace, base="EUR", quote="GBP", value="0.85", as_of=NOON
        ),
        signing_key=SigningKey.objects.create(
            workspace=workspace,
            user=get_user_model().objects.create_user(f"robot of {name}"),
            scopes=["read"],
            slot=1,
        ),
        check_setting=CheckSetting.objects.create(
            workspace=workspace, rule="unrealistic", asset="XAU", threshold=10**9
        ),
        drift_setting=DriftSetting.objects.create(workspace=workspace, asset="XAU"),
        order=Order.objects.create(
            **traded(bank, name),
            side="buy",
            kind="limit",
            status="open",
            quantity=Decimal("0.5"),
            filled=0,
            price=Decimal("1E-10"),
            seen_at=NOON,
        ),
        trade=Trade.objects.create(
            **traded(bank, name), side="sell", quantity=1, price=2, cost=2
        ),
        position=Position.objects.create(
            **traded(bank, name), side="long", quantity=3, seen_at=NOON
        ),
    )


def traded(connection: Connection, name: str) -> dict[str, Any]:
    """Return what an order, a trade and a position have in common."""
    return {
        "connection": connection,
        "segment": "spot",
        "market": "AAABBB",
        "base": "AAA",
        "quote": "BBB",
        "external_id": f"id of {name}",
        "created": NOON,
    }


def build_world() -> World:
    mine, theirs = estate("mine"), estate("theirs")
    clients = {
        role: member(role, (mine.workspace, role))
        for role in ("viewer", "operator", "admin")
    }
    clients["stranger"] = member("stranger", (theirs.workspace, "admin"))
    clients["anonymous"] = APIClient(raise_request_exception=False)
    return World(mine, theirs, clients)


standing_world = Standing(build_world)


@pytest.fixture
def world(db) -> World:
    return standing_world()


@pytest.fixture
def published(monkeypatch) -> list[tuple]:
    """Record what is put on the queue instead of carrying it out."""
    sent: list[tuple] = []
    monkeypatch.setattr(
        "accounts.publishing.publish",
        lambda task, *args: sent.append((task.name, *args)),
    )
    return sent


@pytest.fixture
def queued(monkeypatch) -> list[str]:
    """Record which runs are put on the queue."""
    sent: list[str] = []
    monkeypatch.setattr(tasks, "publish", lambda task, *args: sent.extend(args))
    return sent


def expect_problem(answer, status: int, code: str | None = None) -> dict:
    """Return the problem in `answer` after checking its shape."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    told = answer.json()
    assert set(told) == {"type", "title", "status", "code", "detail", "errors"}
    assert told["status"] == status
    assert told["type"] == f"urn:balsync:problem:{told['code']}"
    if code is not None:
        assert told["code"] == code, told
    return told


def fields_of(told: dict) -> dict[str, str]:
    return {error["field"]: error["code"] for error in told["errors"]}


def absent() -> UUID:
    return uuid4()
