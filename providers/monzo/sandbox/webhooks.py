"""Webhooks: unsigned, at any address, about every transaction of an account."""

from __future__ import annotations

import json
from collections.abc import Iterator

from providers.sandbox.institution import Callback
from providers.sandbox.ledger import Entry
from providers.sandbox.wire import Answer, Asked

from . import errors
from .consent import fields_of
from .history import Transactions


class Webhooks(Transactions):
    def register_webhook(self, asked: Asked) -> Answer:
        user = self.user(asked)
        wish = fields_of(asked, "account_id", "url")
        if wish["account_id"] not in self.ledger.topic("accounts")[user]:
            raise errors.no(404, "not_found.account", "Account not found")
        id = f"webhook_{len(self.ledger.topic('webhooks')) + 1:016d}"
        hook = {"account_id": wish["account_id"], "id": id, "url": wish["url"]}
        self.ledger.put(("webhooks", id, hook))
        return Answer.of({"webhook": hook})

    def webhooks(self, asked: Asked) -> Answer:
        account = self.mine(asked)
        hooks = self.ledger.topic("webhooks").values()
        return Answer.of(
            {"webhooks": [h for h in hooks if h["account_id"] == account.id]}
        )

    def delete_webhook(self, asked: Asked, id: str) -> Answer:
        user, hook = self.user(asked), self.ledger.topic("webhooks").get(id)
        if not hook or hook["account_id"] not in self.ledger.topic("accounts")[user]:
            raise errors.no(404, "not_found.webhook", "Webhook not found")
        self.ledger.put(("webhooks", id, None))
        return Answer.of({})

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        asked = Asked("GET", "/transactions", "expand[]=merchant")
        for hook in self.ledger.topic("webhooks").values():
            account = self.ledger.holders[hook["account_id"]]
            if account.id in (entry.source, entry.target):
                row = self._row(account, entry, asked)
                told = {"type": "transaction.created", "data": row}
                yield Callback(hook["url"], json.dumps(told).encode())
