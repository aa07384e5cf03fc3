"""Paystack's API, read only. Source: paystack.com/docs/api and PaystackOSS/openapi."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from providers import hooks
from providers.base import (
    CredentialField,
    Hint,
    History,
    ListsMovements,
    Observation,
    Place,
    Provider,
    SendsWebhooks,
)
from providers.errors import BadCredentials, ConsentNeeded
from providers.wire import Call, Request, Response

from . import answers
from .history import PAGE, Stretch

KEY: Final = re.compile(r"sk_(live|test)_[0-9A-Za-z_-]+", re.ASCII)
SIGNATURE: Final = "x-paystack-signature"


class Paystack(Provider, ListsMovements, SendsWebhooks):
    """One business at Paystack: a balance in each of its currencies. It never pays out."""

    name = "Paystack"
    hosts = {"api": "https://api.paystack.co"}
    fields = (
        CredentialField(
            "secret_key",
            "Secret key",
            help="sk_live_… under Settings → API Keys & Webhooks; never the public key",
        ),
    )
    webhooks_where = (
        "In Paystack's dashboard under Settings → API Keys & Webhooks, as Webhook URL; "
        "each mode, live and test, has its own."
    )

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        """Raise BadCredentials for a public key, and for what is no key of Paystack."""
        if not KEY.fullmatch(given.get("secret_key", "")):
            raise BadCredentials(
                "Paystack's secret key begins with sk_live_ or sk_test_; the public key "
                "(pk_…) may not read balances"
            )

    def get(self, path: str, *params: tuple[str, str]) -> Request:
        key = self.credentials.get("secret_key", "")
        headers = {"Authorization": f"Bearer {key}"}
        return Request("GET", path, params=params, headers=headers)

    def check(self, response: Response) -> None:
        """Raise what a 4xx means; a known key that may not do this needs a person."""
        if response.status == 403:
            raise ConsentNeeded(f"{self.name} does not let this key read balances here")
        super().check(response)

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return what is held in each currency. Source: docs, "Transfers Control".

        `/balance` has neither an id nor a moment: the newest entry of the ledger names
        the balance, where it tells the same figure.
        """
        held = yield from self.ask(self.get("/balance"), answers.balances)
        ledger = self.get("/balance/ledger", *_first())
        return (yield from self.ask(ledger, partial(answers.observation, held)))

    def movements(
        self, account: Place, cursor: str, *, now: datetime, since: datetime
    ) -> Call[History]:
        """Return the account's entries of the ledger. Source: docs, "Balance Ledger"."""
        stretch = Stretch(account.external_id, cursor, now=now, since=since)
        while not stretch.done:
            asked = self.get("/balance/ledger", *stretch.next())
            stretch.take((yield from self.ask(asked, answers.page)))
        return stretch.history()

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return which event this is; it is signed with the secret key itself.

        Source: docs, "Webhooks": HMAC-SHA512 over the body, in hexadecimal digits.
        """
        hooks.prove(headers, SIGNATURE, self.credentials.get("secret_key", ""), body)
        return hooks.named(body, "id", "reference")


def _first() -> tuple[tuple[str, str], ...]:
    return ("perPage", str(PAGE)), ("page", "1")
