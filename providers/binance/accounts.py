"""What the segments hold, and the key by which the futures tell of theirs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from providers.fields import text
from providers.wire import Call

from . import answers
from .markets import KnowsMarkets
from .speaking import FUTURES, SPOT


class Accounts(KnowsMarkets):
    """The part of the adapter that reads balances."""

    def snapshot(self, segment: str) -> Call[answers.Snapshot]:
        """Return what one segment holds.

        Source: rest-api.md, "Account information"; "Futures Account Balance V3".
        """
        if segment == FUTURES:
            asked = self.private(FUTURES, "/fapi/v3/balance", 5)
            read = partial(answers.futures_snapshot, self.network)
            return (yield from self.ask(asked, read))
        asked = self.private(SPOT, "/api/v3/account", 20, omitZeroBalances="true")
        return (
            yield from self.ask(asked, partial(answers.spot_snapshot, self.network))
        )

    def listen_key(self) -> Call[str]:
        """Return the account's listen key; one that lives is given again, and extended.

        Source: the futures' "Start User Data Stream".
        """
        asked = replace(self._listen_key, method="POST")
        return (yield from self.ask(asked, lambda body: text(body["listenKey"])))

    def keep_alive(self) -> Call[None]:
        """Let the listen key last another hour. Source: "Keepalive User Data Stream".

        It is never closed: it is the account's, and others may listen by it.
        """
        yield from self.ask(replace(self._listen_key, method="PUT"), _nothing)

    @property
    def _listen_key(self) -> Any:
        return self.private(FUTURES, "/fapi/v1/listenKey", 1)


def _nothing(body: Any) -> None:
    dict(body)
