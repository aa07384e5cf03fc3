"""Fincra's API, read only. Source: docs.fincra.com and its OpenAPI, version 2.0.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from providers import hooks
from providers.base import (
    CredentialField,
    DescribesKey,
    Hint,
    Observation,
    Permissions,
    Place,
    Provider,
    SendsWebhooks,
)
from providers.errors import (
    AuthenticationFailed,
    BadCredentials,
    ConsentNeeded,
    ProviderError,
)
from providers.wire import Call, Request, Response

from . import answers
from .amounts import SCALES
from .signing import signed_texts

BUSINESS: Final = re.compile(r"[0-9a-f]{24}", re.ASCII)
PAGE: Final = "100"  # entries of the log, the most there are on a page


class Fincra(Provider, DescribesKey, SendsWebhooks):
    """One business at Fincra: a wallet in each of its currencies. It never pays out."""

    name = "Fincra"
    hosts = {"api": "https://api.fincra.com"}
    fields = (
        CredentialField("api_key", "API key"),
        CredentialField(
            "business_id",
            "Business id",
            secret=False,
            help="24 characters: _id in the answer of /profile/business/me",
        ),
        CredentialField(
            "amount_scale",
            "Unit of the amounts",
            secret=False,
            help="major: 1000 stands for ₦1,000.00; minor: 1000 stands for ₦10.00. "
            "Compare one wallet in the dashboard with what the API tells",
        ),
        CredentialField(
            "webhook_key",
            "Webhook secret key",
            required=False,
            help="Without it no webhook is believed",
        ),
    )
    webhooks_where = (
        "In Fincra's dashboard under Settings → API keys and webhook configuration, as "
        "webhook URL; the webhook secret key stands there, too."
    )

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        """Raise BadCredentials for a unit that is not said, and an id that is none."""
        if given.get("amount_scale") not in SCALES:
            raise BadCredentials(
                "Which unit Fincra's amounts have must be said: amount_scale is major "
                "if 1000 stands for ₦1,000.00, and minor if it stands for ₦10.00"
            )
        if not BUSINESS.fullmatch(given.get("business_id", "")):
            raise BadCredentials("A business id of Fincra has 24 characters of 0-9a-f")

    def get(self, path: str, *params: tuple[str, str]) -> Request:
        key = self.credentials.get("api_key", "")
        headers = {"api-key": key, "Accept": "application/json"}
        return Request("GET", path, params=params, headers=headers)

    def check(self, response: Response) -> None:
        """Raise what a 4xx means; a known key that may not do this needs a person."""
        if response.status == 403:
            raise ConsentNeeded(
                f"{self.name} has blocked this business, or the address"
            )
        super().check(response)

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return every wallet. Source: OpenAPI, "Get wallets", "Get wallet logs".

        A wallet's `updatedAt` says since when its figures are so, in whole seconds: it is
        not the moment they are of, and names none of two changes in one second. The
        newest entry of the log names a balance, where it tells the same figures.
        """
        self.check_credentials(self.credentials)
        business = self.credentials["business_id"]
        asked = self.get("/wallets", ("businessID", business))
        wallets = yield from self.ask(asked, partial(answers.wallets, business))
        names, why = yield from self._names(business)
        read = answers.Reader(self.credentials["amount_scale"], names, why)
        return self.sensible(asked, lambda: read.observation(wallets))

    def _names(self, business: str) -> Call[tuple[Mapping[str, answers.Named], str]]:
        """Return what the log says last of each currency; without it balances have no name."""
        asked = self.get("/wallets/logs", ("business", business), ("perPage", PAGE))
        try:
            return (yield from self.ask(asked, answers.newest)), ""
        except AuthenticationFailed:
            raise
        except ProviderError as error:
            return {}, str(error)

    def permissions(self) -> Call[Permissions]:
        """Return whose key it is. Source: OpenAPI, "Get business profile".

        Raises AuthenticationFailed where that is another business than was typed in.
        """
        asked = self.get("/profile/business/me")
        business = self.credentials.get("business_id", "")
        return (yield from self.ask(asked, partial(answers.permissions, business)))

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return which event this is. Source: docs, "How To Validate Webhooks".

        Signed is the body, or the object of its `event` and `data`, each as it stands.
        """
        key = self.credentials.get("webhook_key", "")
        hooks.prove(headers, "signature", key, *signed_texts(body))
        return hooks.named(body, "id", "reference")
