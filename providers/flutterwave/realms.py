"""Which of Flutterwave's APIs credentials are for, and what makes them unusable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from providers.base import CredentialField
from providers.errors import BadCredentials

FIELDS: Final = (
    CredentialField(
        "secret_key",
        "Secret key (v3)",
        required=False,
        help="FLWSECK-… or FLWSECK_TEST-…, for the API of version 3.",
    ),
    CredentialField(
        "client_id",
        "Client id (v4)",
        secret=False,
        required=False,
        help="With the client secret instead of the secret key, for version 4.",
    ),
    CredentialField("client_secret", "Client secret (v4)", required=False),
    CredentialField(
        "webhook_hash",
        "Secret hash of webhooks",
        required=False,
        help="As it stands in the dashboard. Without it no webhook is believed.",
    ),
    CredentialField(
        "sandbox",
        "Sandbox (v4)",
        secret=False,
        required=False,
        help="yes, if the client id is one of Flutterwave's developer sandbox.",
    ),
)
TEST_KEY: Final = "FLWSECK_TEST"
PUBLIC_KEY: Final = "FLWPUBK"
YES: Final = frozenset({"1", "true", "yes", "on"})
NO: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Realm:
    """A version of the API, and whether the money there is play money."""

    version: int
    test: bool

    @property
    def name(self) -> str:
        """Return what sets its accounts apart from those of the others."""
        return f"v{self.version}{'test' if self.test else ''}"

    @property
    def host(self) -> str:
        """Return the key of the host that answers."""
        if self.version == 3:
            return "api"  # one host for both: the key says which money is meant
        return "v4_sandbox" if self.test else "v4"


def realm_of(given: Mapping[str, str]) -> Realm:
    """Return what credentials are for."""
    if key := given.get("secret_key"):
        return Realm(3, key.startswith(TEST_KEY))
    return Realm(4, _word(given) in YES)


def check(given: Mapping[str, str]) -> None:
    """Raise BadCredentials unless exactly one version's credentials are there."""
    old = bool(given.get("secret_key"))
    new = [name for name in ("client_id", "client_secret") if given.get(name)]
    if old and new:
        raise BadCredentials(
            "Give either the secret key (v3) or the client id and secret (v4), not both"
        )
    if not old and len(new) < 2:
        raise BadCredentials(
            "Give the secret key (v3), or the client id and the client secret (v4)"
        )
    if given.get("secret_key", "").startswith(PUBLIC_KEY):
        raise BadCredentials("This is the public key; the secret key is wanted")
    if _word(given) not in YES | NO:
        raise BadCredentials("The sandbox is either yes or no")
    if old and _word(given) in YES:
        raise BadCredentials("A secret key says itself whether it is one for tests")


def _word(given: Mapping[str, str]) -> str:
    return given.get("sandbox", "").strip().lower()
