"""The bank itself: accounts, spaces, and money that moves between them once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from providers.sandbox import clock, hooked
from providers.sandbox.institution import Holding
from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.wire import Answer, Asked

from . import errors
from .hooks import Hooks
from .world import GOAL, SPENDING, World

UUID: Final = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII
)
FEED: Final = "/api/v2/feed/account/{account}/category/{category}"
GOALS: Final = "/api/v2/account/{account}/savings-goals"
# What the bank calls people and pots.
WORDS: Final = {"person": "holder", "account": "account", "pot": "space"}


class Starling(Hooks):
    mounts = {"api": "", "oauth": "/consent", "token": ""}
    happenings = (
        "consent",
        "approve",
        "revoke",
        "expire",
        "grant_scopes",
        "personal_token",
        "delete_personal_token",
        "amend",
        "add_pot",
        *hooked.HAPPENINGS,
    )
    routes = {
        ("GET", "/consent/"): "consent_page",
        ("POST", "/consent/approve"): "approve_page",
        ("POST", "/oauth/access-token"): "token",
        ("GET", "/api/v2/identity/token"): "identity",
        ("GET", "/api/v2/accounts"): "accounts",
        ("GET", "/api/v2/accounts/{account}/balance"): "show_balance",
        ("GET", "/api/v2/accounts/{account}/identifiers"): "identifiers",
        ("GET", "/api/v2/account/{account}/spaces"): "spaces",
        ("GET", GOALS): "goals",
        ("GET", GOALS + "/{goal}"): "goal",
        ("PUT", GOALS + "/{goal}/add-money/{transfer}"): "add_money",
        ("PUT", GOALS + "/{goal}/withdraw-money/{transfer}"): "withdraw_money",
        ("GET", FEED): "changes",
        ("GET", FEED + "/transactions-between"): "between",
        ("GET", FEED + "/{item}"): "feed_item",
    }

    def reject(self, status: int) -> Answer:
        return Answer.of(errors.body("HTTP 404 Not Found"), status)

    def refusal(self, code: str) -> Answer:
        return errors.refusal(code)

    # -- reading

    def accounts(self, asked: Asked) -> Answer:
        holder = self.holder(asked, "account:read", "account-list:read")
        all_ = self.accounts_of(holder)
        rows = [_account_row(own) for own in all_ if not own.facts["closed"]]
        return Answer.of({"accounts": rows})

    def identifiers(self, asked: Asked, account: str) -> Answer:
        own = self.mine(asked, account, "account-identifier:read", "account:read")
        number = f"{int(own.id[:8], 16) % 10**8:08d}"
        told = {"accountIdentifier": number, "bankIdentifier": "608371"}
        told |= {"iban": f"GB00SRLG608371{number}", "bic": "SRLGGB2L"}
        return Answer.of(told)

    def show_balance(self, asked: Asked, account: str) -> Answer:
        own = self.mine(asked, account, "balance:read")
        return self.remembered(own.id, "balance", lambda: self._balance(own))

    def _balance(self, own: Holder) -> dict[str, Any]:
        """Say what an account holds. Money on its way in counts when it has come."""
        seen = self.seen()
        pending = [e for e in self.ledger.of(own.id, seen) if not e.settled]
        effects = [entry.effect(own.id) for entry in pending]
        cleared = self.ledger.balance(own.id, seen) - sum(effects)
        out = -sum(effect for effect in effects if effect < 0)
        inside = sum(self.ledger.balance(s.id, seen) for s in self._open_spaces(own))

        def figure(amount: int) -> dict[str, Any]:
            return self._amount(own, amount)

        return {
            "clearedBalance": figure(cleared),
            "effectiveBalance": figure(cleared - out),
            "pendingTransactions": figure(out),
            "acceptedOverdraft": figure(own.facts["overdraft"]),
            "amount": figure(cleared - out),
            "totalClearedBalance": figure(cleared + inside),
            "totalEffectiveBalance": figure(cleared - out + inside),
        }

    def spaces(self, asked: Asked, account: str) -> Answer:
        own = self.mine(asked, account, "space:read")
        return self.remembered(own.id, "spaces", lambda: self._spaces(own))

    def _spaces(self, own: Holder) -> dict[str, Any]:
        open_ones = list(enumerate(self._open_spaces(own)))
        return {
            "savingsGoals": [
                self._goal_row(space) | {"sortOrder": place}
                for place, space in open_ones
                if space.facts["type"] == GOAL
            ],
            "spendingSpaces": [
                self._spending_row(space) | {"sortOrder": place}
                for place, space in open_ones
                if space.facts["type"] == SPENDING
            ],
        }

    def goals(self, asked: Asked, account: str) -> Answer:
        own = self.mine(asked, account, "savings-goal:read")
        found = [s for s in self._open_spaces(own) if s.facts["type"] == GOAL]
        return Answer.of({"savingsGoalList": [self._goal_row(goal) for goal in found]})

    def goal(self, asked: Asked, account: str, goal: str) -> Answer:
        own = self.mine(asked, account, "savings-goal:read")
        return Answer.of(self._goal_row(self._goal_of(own, goal)))

    def _open_spaces(self, own: Holder) -> list[Holder]:
        return [s for s in self.inside(own) if not s.facts["deleted"]]

    def _goal_row(self, goal: Holder) -> dict[str, Any]:
        held, target = self.ledger.balance(goal.id, self.seen()), goal.facts["goal"]
        row = {
            "savingsGoalUid": goal.id,
            "name": goal.facts["name"],
            "totalSaved": self._amount(goal, held),
            "state": "PENDING" if goal.facts["locked"] else "ACTIVE",
        }
        if target:
            row["target"] = self._amount(goal, target)
            row["savedPercentage"] = min(100, held * 100 // target)
        return row

    def _spending_row(self, space: Holder) -> dict[str, Any]:
        return {
            "spaceUid": space.id,
            "name": space.facts["name"],
            "balance": self._amount(space, self.ledger.balance(space.id, self.seen())),
            "cardAssociationUid": self.uid(f"card {space.id}"),
            "spendingSpaceType": "SPARE",
            "state": "ACTIVE",
        }

    # -- moving

    def add_money(self, asked: Asked, account: str, goal: str, transfer: str) -> Answer:
        return self._transfer(asked, account, goal, transfer, into=True)

    def withdraw_money(
        self, asked: Asked, account: str, goal: str, transfer: str
    ) -> Answer:
        return self._transfer(asked, account, goal, transfer, into=False)

    def _transfer(
        self, asked: Asked, account: str, goal: str, transfer: str, *, into: bool
    ) -> Answer:
        """Move money once for one id; the same id with another wish is refused."""
        own = self.mine(asked, account, "savings-goal-transfer:create")
        if not UUID.fullmatch(transfer):
            raise errors.no(404, "HTTP 404 Not Found")
        amount, reference = _wish(asked, own)
        space = self._goal_of(own, goal)
        source, target = (own, space) if into else (space, own)
        wish = Entry(
            id=transfer,
            source=source.id,
            target=target.id,
            amount=amount,
            moment=self.clock.now(),
            scope=transfer,
            # The last word is what a client calls it: by that the books are asked.
            dedupe_id=reference.rpartition(" ")[2] or transfer,
            facts={"reference": reference} if reference else {},
        )
        return self._once(wish, space)

    def _once(self, wish: Entry, space: Holder) -> Answer:
        before = self.done(wish.scope, wish.dedupe_id)
        if before is not None:
            if _same(before, wish):
                return _moved(wish.scope)
            return _declined(wish.scope, errors.REUSED)
        if space.facts["locked"]:
            return _declined(wish.scope, errors.NOT_ACTIVE)
        if self.ledger.balance(wish.source) < wish.amount:
            return _declined(wish.scope, errors.INSUFFICIENT)
        self.enter(self._fresh(wish))
        return _moved(wish.scope)

    def _fresh(self, wish: Entry) -> Entry:
        """Return an entry under its own id, unless that was used and is forgotten."""
        taken = wish.id in self.ledger.entries
        return replace(wish, id=self.entry_id()) if taken else wish

    def _goal_of(self, own: Holder, id: str) -> Holder:
        found = self.ledger.holders.get(id)
        facts: Mapping[str, Any] = found.facts if found else {}
        mine = facts.get("parent") == own.id and facts.get("type") == GOAL
        if found is None or not mine or facts["deleted"]:
            raise errors.no(404, errors.UNKNOWN_GOAL)
        return found

    # -- people

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def counts(self, account: Holder) -> bool:
        return bool(account.facts["type"] != "LOAN")

    def id_of(self, kind: str, number: int) -> str:
        return self.uid(f"{WORDS[kind]} {number}")

    def given(self, who: str) -> dict[str, str]:
        """Return what a client needs; version 1 of the webhooks is being switched off."""
        hooks = {"webhook_public_key": self.public_key(), "webhook_secret": ""}
        return {**super().given(who), **hooks}

    def holding(self, held: Holder) -> Holding:
        """Return an account or a space; nothing moves what a card's space holds."""
        found = super().holding(held)
        if held.facts["type"] != SPENDING:
            return found
        return replace(found, kind=SPENDING, locked=True)


def _wish(asked: Asked, own: Holder) -> tuple[int, str]:
    """Return the amount and the reference of a transfer; raises what is wrong with them."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise errors.no(415, "HTTP 415 Unsupported Media Type")
    try:
        body = json.loads(asked.body)
        amount, reference = body["amount"], body.get("reference") or ""
        currency, minor = amount["currency"], amount["minorUnits"]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise errors.no(400, "amount may not be null") from error
    unknown = (body.keys() - {"amount", "reference"}) | (
        amount.keys() - {"currency", "minorUnits"}
    )
    if unknown or not isinstance(reference, str) or len(reference) > 100:
        raise errors.no(400, "Unrecognised or wrong field")
    if type(minor) is not int or not 0 < minor < 2**63:
        raise errors.no(400, errors.NOT_POSITIVE)
    if currency != own.asset.code:
        raise errors.no(400, errors.CURRENCY)
    return minor, reference


def _moved(transfer: str) -> Answer:
    return Answer.of({"transferUid": transfer, "success": True, "errors": []})


def _declined(transfer: str, message: str) -> Answer:
    """Return a no that comes as a 200."""
    told = {"transferUid": transfer, "success": False}
    return Answer.of(told | {"errors": [{"message": message}]})


def _same(before: Entry, wish: Entry) -> bool:
    ends = (before.source, before.target, before.amount)
    return ends == (wish.source, wish.target, wish.amount)


def _account_row(account: Holder) -> dict[str, Any]:
    return {
        "accountUid": account.id,
        "accountType": account.facts["type"],
        "defaultCategory": account.facts["category"],
        "currency": account.asset.code,
        "createdAt": clock.text(account.opened),
        "name": account.facts["name"],
    }
