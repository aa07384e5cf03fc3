"""What was typed in to connect, and what Starling says that a token may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from providers.base import Permissions
from providers.errors import BadCredentials
from providers.fields import moment

from .webhooks import public_key

# What balsync needs; of those in one line, any.
READS: Final[Sequence[frozenset[str]]] = (
    frozenset({"account:read", "account-list:read"}),
    frozenset({"balance:read"}),
    frozenset({"space:read"}),
    frozenset({"transaction:read"}),
)
MOVES: Final = "savings-goal-transfer:create"
PAYS: Final = frozenset({"pay-local:create", "pay-local-once:create"}) | {
    "pay-foreign:create"
}


def check_credentials(given: Mapping[str, str]) -> None:
    """Raise BadCredentials where a way in is incomplete, or two are mixed."""
    client = [name for name in ("client_id", "client_secret") if given.get(name)]
    if not client and not given.get("access_token"):
        raise BadCredentials(
            "Give a personal access token, or the client id and client secret of an "
            "application"
        )
    if len(client) == 1:
        raise BadCredentials("A client id and its client secret belong together")
    if given.get("refresh_token") and not client:
        raise BadCredentials("A refresh token needs the client id and secret too")
    if given.get("webhook_public_key") and given.get("webhook_secret"):
        raise BadCredentials(
            "Webhooks are of version 2, with a public key, or of version 1, with a "
            "shared secret: give one of them"
        )
    if given.get("webhook_public_key"):
        public_key(given["webhook_public_key"])


@dataclass(frozen=True, slots=True)
class Known:
    """What the bank tells about a token."""

    holder: str
    expires_in: int | None
    scopes: frozenset[str]
    expires_at: datetime | None = None
    consent_ends: datetime | None = None


def known(body: Any) -> Known:
    """Return whose token this is, until when, and for what. Source: SDK, `identity.js`."""
    lasts, scopes = body.get("expiresInSeconds"), body["scopes"]
    if lasts is not None and type(lasts) is not int:
        raise TypeError(f"expiresInSeconds is {lasts!r}")
    if not isinstance(scopes, list) or not all(isinstance(s, str) for s in scopes):
        raise TypeError("scopes is no list of texts")
    holder = body["accountHolderUid"]
    if not isinstance(holder, str):
        raise TypeError("accountHolderUid is no text")
    return Known(
        holder,
        lasts if lasts and lasts > 0 else None,
        frozenset(scopes),
        moment(body["expiresAt"]) if "expiresAt" in body else None,
        moment(body["consentExpiresAt"]) if "consentExpiresAt" in body else None,
    )


def permissions(body: Any, *, renewed: bool) -> Permissions:
    """Return what a token may do; paying others is what a withdrawal is elsewhere.

    One that is `renewed` by itself ends with the consent, another when it says.
    """
    told = known(body)
    missing = [
        " or ".join(sorted(any_of)) for any_of in READS if not any_of & told.scopes
    ]
    return Permissions(
        read=not missing,
        trade=False,
        withdraw=bool(told.scopes & PAYS),
        transfer=MOVES in told.scopes,
        ends=told.consent_ends or (None if renewed else told.expires_at),
        notes=list(_notes(told, missing)),
    )


def _notes(told: Known, missing: Sequence[str]) -> list[str]:
    notes = [
        f"It lacks {scope}, without which not all can be read" for scope in missing
    ]
    if MOVES not in told.scopes:
        notes.append(f"It lacks {MOVES}, so no money can be moved between spaces")
    if told.scopes & PAYS:
        notes.append("It may pay others. balsync never does: a token without is enough")
    return notes
