"""People who want to hear of things, and servers that hear for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import apprise
import pytest
from django.contrib.auth.models import User
from django.utils.timezone import now

import providers
from accounts.events import KINDS
from accounts.models import (
    Account,
    Balance,
    Connection,
    Event,
    Membership,
    Preference,
    Workspace,
)
from accounts.services import events
from providers.base import Authorizes

from .receivers import mail_server, webhook_server

with warnings.catch_warnings():
    # It loads a module that Python has marked, on some versions.
    warnings.simplefilter("ignore", DeprecationWarning)
    apprise.Apprise.instantiate("mailto://127.0.0.1")

BANK = next(s for s in providers.slugs() if issubclass(providers.load(s), Authorizes))


@pytest.fixture
def receiver(settings) -> Iterator[SimpleNamespace]:
    settings.WEBHOOKS_TO_LOOPBACK = True
    with webhook_server() as running:
        yield running


@pytest.fixture
def mail(settings) -> Iterator[SimpleNamespace]:
    with mail_server() as running:
        settings.MAIL_URL = running.url
        yield running


@pytest.fixture
def letters(mail) -> list[str]:
    return mail.letters


@pytest.fixture(autouse=True)
def nobody_delivers_by_themselves(monkeypatch) -> None:
    """Each test says itself when the worker comes."""
    monkeypatch.setattr("accounts.tasks.publish", lambda *_: None)


@pytest.fixture
def home(db) -> SimpleNamespace:
    return household("home")


def household(name: str) -> SimpleNamespace:
    """Return a workspace with a member who wants to hear of everything."""
    workspace = Workspace.objects.create(name=name)
    user = User.objects.create_user(f"owner of {name}"[:30].replace(" ", "-"))
    Membership.objects.create(workspace=workspace, user=user, role="viewer")
    preference = Preference.objects.create(
        workspace=workspace, user=user, kinds=list(KINDS), timezone="Europe/London"
    )
    connection = Connection.objects.create(
        workspace=workspace,
        provider=BANK,
        label=f"{name} bank",
        health="ok",
        last_success_at=now(),
    )
    account = Account.objects.create(
        workspace=workspace,
        connection=connection,
        provider=BANK,
        external_id=uuid4().hex,
        name=f"{name} main",
        asset="GBP/2",
    )
    balance = Balance.objects.create(
        account=account, total=1000, available=1000, as_of=now(), fetched_at=now()
    )
    return SimpleNamespace(
        workspace=workspace,
        user=user,
        preference=preference,
        connection=connection,
        account=account,
        balance=balance,
    )


@pytest.fixture
def webhook(home, receiver) -> SimpleNamespace:
    """A channel of the home's owner to the receiver, with its key."""
    channel, key = events.add_channel(home.preference, "webhook", "hook", receiver.url)
    return SimpleNamespace(channel=channel, key=key, receiver=receiver)


@pytest.fixture
def happen(home) -> Callable[..., Event]:
    """Write an event at home."""

    def write(kind: str = "drift", **more) -> Event:
        row = Event(
            **{
                "workspace": home.workspace,
                "kind": kind,
                "phase": "once",
                "severity": "warning",
                "subject_kind": "account",
                "subject_id": home.account.pk,
                "key": f"{kind}:{home.account.pk}",
                "text": f"It happened: {kind}",
                **more,
            }
        )
        events.tell([row])
        return row

    return write


def later(row, **fields) -> None:
    """Let it be as if `fields`, moments, were that much earlier."""
    earlier = {n: getattr(row, n) - timedelta(seconds=s) for n, s in fields.items()}
    type(row).objects.filter(pk=row.pk).update(**earlier)
    row.refresh_from_db()
