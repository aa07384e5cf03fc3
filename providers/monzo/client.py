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
    OutcomeUnknown,
    ProviderError,
    Refused,
)
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
from .oauth import FORM, OAuth
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
        asked = [request for account in accounts for request in self._about(account)]
        answers = (yield asked) if asked else []
        pairs = zip(asked, answers, strict=True)
        seen = [self._seen(a, [next(pairs), next(pairs)]) for a in accounts]
        failed = [found for found in seen if isinstance(found, ProviderError)]
        if failed and len(failed) == len(seen):
            raise failed[0]
        return _observation(accounts, seen)

    def _about(self, account: Listed) -> list[Request]:
        return [
            self.get("/balance", ("account_id", account.id)),
            self.get("/pots", ("current_account_id", account.id)),
        ]

    def _seen(
        self, account: Listed, pair: Sequence[tuple[Request, Response]]
    ) -> Observation | ProviderError:
        """Return one account with its pots, or why it cannot be told; not a dead token."""
        (balance_asked, balance), (pots_asked, pots) = pair
        try:
            own = self.understand(balance_asked, balance, partial(held, account))
            read = partial(account_readings, account, own)
            return self.understand(pots_asked, pots, read)
        except AuthenticationFailed:
            raise
        except ProviderError as error:
            return error

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
        account, pot = (source, target) if target.parent else (target, source)
        stretch = Stretch(account.external_id, "", now=since, since=since)
        try:
            while request := stretch.next(self.get):
                stretch.take((yield from self.ask(request, stretch.read)))
        except (HistoryClosed, Refused) as error:
            # That history may not be read says nothing about the transfer.
            raise OutcomeUnknown(str(error)) from error
        if stretch.history().more:
            raise OutcomeUnknown("Too much has happened since to be read at once")
        return [m for m in stretch.movements if m.pot == pot.external_id]

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


def _observation(
    accounts: Sequence[Listed], seen: Sequence[Observation | ProviderError]
) -> Observation:
    whole = [found for found in seen if isinstance(found, Observation)]
    missing = [
        unknown(account, found)
        for account, found in zip(accounts, seen, strict=True)
        if isinstance(found, ProviderError)
    ]
    return Observation(
        [reading for found in whole for reading in found.readings] + missing,
        [invariant for found in whole for invariant in found.invariants],
        complete=not missing,
    )
