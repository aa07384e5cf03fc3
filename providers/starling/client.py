"""Starling's public API, version 2. Source: starling-developer-sdk and openapi.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid5

from providers.base import (
    CredentialField,
    DescribesKey,
    Hint,
    History,
    ListsMovements,
    Movement,
    MovesMoney,
    Observation,
    Permissions,
    Place,
    Receipt,
    SendsWebhooks,
)
from providers.errors import AccountUnusable, ProviderError
from providers.pots import account_and_pot, proving, with_pot
from providers.severally import Told, observe_each
from providers.wire import Call, Request, Response, T

from .answers import (
    Listed,
    account_readings,
    held,
    listed,
    remembered,
    saved,
    unknown,
)
from .feed import LONG, Changes, Stretch, category_of, read_feed
from .keys import check_credentials, permissions
from .oauth import OAuth, segment
from .transfers import POT, order, receipt, unit_of
from .webhooks import event_of
from .words import meant

NAMES: Final = UUID("8f1d0a53-3c1e-5d0b-9a64-0f3b7c1f6d2e")  # of our transfers' ids


class Starling(OAuth, MovesMoney, ListsMovements, SendsWebhooks, DescribesKey):
    """The accounts of one account holder at Starling, with their spaces."""

    name = "Starling"
    # How long the bank knows a transfer's id again is written nowhere.
    dedupe_horizon = 1800
    webhooks_where = (
        "In Starling's developer portal, as the address of a version 2 webhook for "
        "feed items: under Personal Access, or with your application. Its public key "
        "belongs into this connection."
    )
    fields = (
        CredentialField(
            "access_token",
            "Personal access token",
            required=False,
            help="For your own account. An application has the other fields instead.",
        ),
        CredentialField("client_id", "Client id", secret=False, required=False),
        CredentialField("client_secret", "Client secret", required=False),
        CredentialField("refresh_token", "Refresh token", required=False),
        CredentialField(
            "webhook_public_key",
            "Public key of the webhook (version 2)",
            secret=False,
            required=False,
        ),
        CredentialField(
            "webhook_secret", "Shared secret of the webhook (version 1)", required=False
        ),
    )

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        check_credentials(given)

    def get(self, path: str, *params: tuple[str, str]) -> Request:
        return Request("GET", path, params=params, headers=self.bearer())

    def check(self, response: Response) -> None:
        """Raise what the words of a 4xx mean, where they are known."""
        if 400 <= response.status < 500 and response.status != 429:
            if error := meant(self.name, response):
                raise error
            if response.status == 404:
                raise AccountUnusable(f"{self.name} answered 404")
        super().check(response)

    def understand(
        self, request: Request, response: Response, read: Callable[[Any], T]
    ) -> T:
        # Neither a timeout nor a conflict with what is there says that nothing moved.
        if response.status in (408, 409):
            raise request.lost(f"{self.name} answered {response.status}")
        return super().understand(request, response, read)

    # -- reading

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return every account with its spaces. Source: openapi.json, "Accounts", "Spaces"."""
        accounts = remembered(known)
        if not accounts:
            accounts = yield from self.ask(self.get("/api/v2/accounts"), listed)
        return (yield from observe_each(accounts, self._about, self._seen, unknown))

    def _about(self, account: Listed) -> list[Request]:
        id = segment(account.id)
        own = self.get(f"/api/v2/accounts/{id}/balance")
        if not account.has_spaces:
            return [own]
        return [own, self.get(f"/api/v2/account/{id}/spaces")]

    def _seen(self, account: Listed, told: Told) -> Observation:
        """Return one account with its spaces; raises why it cannot be told."""
        own = self.understand(*told[0], partial(held, account))
        read = partial(account_readings, account, own)
        return self.understand(*told[1], read) if told[1:] else read(None)

    def permissions(self) -> Call[Permissions]:
        """Return what the token may do. Source: SDK, `identity.js`."""
        renewed = bool(self.credentials.get("refresh_token"))
        read = partial(permissions, renewed=renewed)
        return (yield from self.ask(self.get("/api/v2/identity/token"), read))

    # -- moving

    def moves(self, source: Place, target: Place) -> bool:
        if target.parent == source.external_id:
            return target.kind == POT
        return source.parent == target.external_id and source.kind == POT

    def transfer(
        self, source: Place, target: Place, amount: int, *, dedupe_id: str
    ) -> Call[Receipt]:
        """Add money to a savings goal or withdraw it. Source: SDK, `savingsGoal.js`.

        The answer tells no figures, so what the goal holds is read afterwards.
        """
        if not self.moves(source, target):
            raise AccountUnusable("Money moves between an account and its own goals")
        id = str(uuid5(NAMES, dedupe_id))
        request = order(
            source, target, amount, id=id, name=dedupe_id, headers=self.bearer()
        )
        done = yield from self.ask(request, partial(receipt, self.name, id))
        account, pot = account_and_pot(source, target)
        return (yield from self._verified(done, account, pot))

    def _verified(self, done: Receipt, account: Place, pot: Place) -> Call[Receipt]:
        """Add what a goal holds now. That it cannot be told takes nothing back."""
        spaces = self.get(f"/api/v2/account/{segment(account.external_id)}/spaces")
        unit = unit_of(pot, account)
        try:
            amount = yield from self.ask(spaces, partial(saved, pot.external_id, unit))
        except ProviderError:
            return done
        return replace(done, asset=unit, balances={pot.external_id: amount})

    def movements_between(
        self, source: Place, target: Place, *, since: datetime
    ) -> Call[Sequence[Movement]]:
        """Return the goal's entries in the account's feed. Source: SDK, `feedItem.js`."""
        account, pot = account_and_pot(source, target)
        with proving():
            path = yield from self._feed(account)
            items = yield from self.ask(Changes(since).asked(self.get, path), read_feed)
        told = [item.movement for item in reversed(items)]
        found = with_pot(told, pot, whole=len(items) < LONG)
        return sorted(found, key=lambda movement: movement.created)

    # -- history

    def movements(
        self, account: Place, cursor: str, *, now: datetime, since: datetime
    ) -> Call[History]:
        """Return what changed in an account's feed. Source: SDK, `feedItem.js`."""
        path = yield from self._feed(account)
        stretch = Stretch(cursor, now=now, since=since)
        while question := stretch.next():
            request = question.asked(self.get, path)
            stretch.take(question, (yield from self.ask(request, read_feed)))
        return stretch.history()

    def _feed(self, account: Place) -> Call[str]:
        """Return where the feed of an account, or of a space, is."""
        if account.parent is not None:
            owner, category = account.parent, account.external_id
        else:
            owner = account.external_id
            read = partial(category_of, owner)
            category = yield from self.ask(self.get("/api/v2/accounts"), read)
        return f"/api/v2/feed/account/{segment(owner)}/category/{segment(category)}"

    # -- webhooks

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return which event this is. Source: api-samples, "webhook-verification"."""
        return event_of(self.credentials, headers, body)
