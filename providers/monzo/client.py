"""Monzo's Developer API. Source: monzo/docs; what it leaves open is marked there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import quote

from providers.base import (
    CredentialField,
    Hint,
    History,
    ListsMovements,
    Movement,
    MovesMoney,
    Observation,
    Place,
    Receipt,
    RegistersWebhooks,
    form,
)
from providers.errors import (
    AccountUnusable,
    AuthenticationFailed,
    ConsentNeeded,
    InsufficientFunds,
    ProviderError,
)
from providers.oauth import FORM
from providers.pots import account_and_pot, proving, with_pot
from providers.severally import Told, observe_each
from providers.wire import Call, Request, Response

from .answers import (
    Listed,
    account_readings,
    held,
    listed,
    receipt,
    remembered,
    unknown,
)
from .history import OPEN, HistoryClosed, Stretch
from .oauth import OAuth
from .webhooks import Hook, event_of, hooks_of

# The code says more than the status, and grows new endings: only its beginning counts.
CODES: Final[Mapping[str, type[ProviderError]]] = {
    "bad_request.insufficient_funds": InsufficientFunds,
    "forbidden.insufficient_permissions": ConsentNeeded,
    "forbidden.verification_required": HistoryClosed,
    "unauthorized": AuthenticationFailed,
    "forbidden": AccountUnusable,
    "not_found": AccountUnusable,
    "bad_request.pot": AccountUnusable,
    "bad_request.account": AccountUnusable,
}


class Monzo(OAuth, MovesMoney, ListsMovements, RegistersWebhooks):
    """A person's, a couple's or a firm's accounts at Monzo, with their pots."""

    name = "Monzo"
    hosts = {"api": "https://api.monzo.com", "auth": "https://auth.monzo.com"}
    open_days = OPEN.days
    fields = (
        CredentialField("client_id", "Client id", secret=False),
        CredentialField("client_secret", "Client secret"),
        CredentialField("access_token", "Access token", required=False),
        CredentialField("refresh_token", "Refresh token", required=False),
    )

    def get(self, path: str, *params: tuple[str, str]) -> Request:
        return Request("GET", path, params=params, headers=self.bearer())

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials.get('access_token', '')}"}

    def check(self, response: Response) -> None:
        """Raise what the answer's `code` means, by its beginning."""
        if 400 <= response.status < 500 and response.status != 429:
            code = _code(response)
            meant = (e for known, e in CODES.items() if code.startswith(known))
            if error := next(meant, None):
                raise error(f"{self.name}: {code[:100]}")
            if response.status in (403, 404):
                raise AccountUnusable(f"{self.name} answered {response.status}")
        super().check(response)

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return every open account with its pots. Source: docs, "Accounts", "Pots"."""
        accounts = remembered(known)
        if not accounts:
            accounts = yield from self.ask(self.get("/accounts"), listed)
        return (yield from observe_each(accounts, self._about, self._seen, unknown))

    def _about(self, account: Listed) -> list[Request]:
        return [
            self.get("/balance", ("account_id", account.id)),
            self.get("/pots", ("current_account_id", account.id)),
        ]

    def _seen(self, account: Listed, told: Told) -> Observation:
        """Return one account with its pots; raises why it cannot be told."""
        balance, pots = told
        own = self.understand(*balance, partial(held, account))
        return self.understand(*pots, partial(account_readings, account, own))

    def moves(self, source: Place, target: Place) -> bool:
        return (
            target.parent == source.external_id or source.parent == target.external_id
        )

    def transfer(
        self, source: Place, target: Place, amount: int, *, dedupe_id: str
    ) -> Call[Receipt]:
        """Deposit into a pot or withdraw from it. Source: docs, "Pots"."""
        if not self.moves(source, target):
            raise AccountUnusable("Money moves between an account and its own pots")
        into = target.parent == source.external_id
        pot, account = (target, source) if into else (source, target)
        verb, field = (
            ("deposit", "source_account_id")
            if into
            else ("withdraw", "destination_account_id")
        )
        fields = {field: account.external_id, "dedupe_id": dedupe_id}
        request = Request(
            "PUT",
            f"/pots/{quote(pot.external_id, safe='')}/{verb}",
            headers={**self.bearer(), **FORM},
            body=form(amount=amount, **fields),
            may_move_money=True,
        )
        return (yield from self.ask(request, partial(receipt, pot)))

    def movements_between(
        self, source: Place, target: Place, *, since: datetime
    ) -> Call[Sequence[Movement]]:
        """Return the pot's entries among the account's. Source: docs, "Transactions"."""
        account, pot = account_and_pot(source, target)
        stretch = Stretch(account.external_id, "", now=since, since=since)
        with proving(HistoryClosed):
            while request := stretch.next(self.get):
                stretch.take((yield from self.ask(request, stretch.read)))
        return with_pot(stretch.movements, pot, whole=not stretch.history().more)

    def movements(
        self, account: Place, cursor: str, *, now: datetime, since: datetime
    ) -> Call[History]:
        """Return an account's transactions. Source: docs, "Transactions".

        History older than 90 days is open for five minutes after the consent; where it
        is closed, what is open is returned and `truncated` says so.
        """
        stretch = Stretch(account.external_id, cursor, now=now, since=since)
        while request := stretch.next(self.get):
            try:
                stretch.take((yield from self.ask(request, stretch.read)))
            except HistoryClosed:
                stretch.clamp()
        return stretch.history()

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return which transaction was made. Source: docs, "Webhooks"; they are not signed."""
        return event_of(body)

    def listen(self, account: Place, url: str | None, *, ours: str) -> Call[None]:
        """Replace the webhooks that begin with `ours`. Source: docs, "Webhooks"."""
        for hook in (yield from self._hooks(account)):
            if hook.url.startswith(ours) and hook.url != url:
                path = f"/webhooks/{quote(hook.id, safe='')}"
                gone = Request("DELETE", path, headers=self.bearer())
                yield from self.ask(gone, dict)
        if url is not None:
            body = form(account_id=account.external_id, url=url)
            headers = {**self.bearer(), **FORM}
            made = Request("POST", "/webhooks", headers=headers, body=body)
            yield from self.ask(made, dict)

    def hooks(self, account: Place) -> Call[Sequence[str]]:
        """Return the addresses that are called. Source: docs, "Webhooks"."""
        return [hook.url for hook in (yield from self._hooks(account))]

    def _hooks(self, account: Place) -> Call[Sequence[Hook]]:
        asked = self.get("/webhooks", ("account_id", account.external_id))
        return (yield from self.ask(asked, hooks_of))


def _code(response: Response) -> str:
    try:
        code = response.json()["code"]
    except (ValueError, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) else ""
