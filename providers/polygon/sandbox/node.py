"""Nodes before the chain: what they are asked, and how each of them may be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any, Final

from providers.sandbox.faults import Fault
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.ledger import Entry
from providers.sandbox.wire import Answer, Asked

from . import speech
from .books import shown
from .methods import Methods, View
from .speech import Wrong
from .world import SPENDER, USDC, World, address_for

CHAIN: Final = 137
LONGEST_LIST: Final = 100  # questions in one request
STEPS: Final = 21  # of the story that the oracle lets happen on a genuine node
HTTP: Final = {
    "authentication_failed": (401, -32000, "Must be authenticated"),
    "consent_needed": (403, -32600, "MATIC_MAINNET is not enabled for this app"),
    "rate_limited": (429, -32005, "limit exceeded"),
    "unavailable": (503, -32603, "service unavailable"),
    "refused": (400, -32600, "invalid request"),
}


class Polygon(Methods):
    """One chain. `/` is a node of it, and so is any other path of one part.

    `settings.extra` may hold `finality` (blocks), `client` (whose codes reverts have),
    `lists` ("no" or an HTTP status: questions are answered singly only), and `nodes`:
    by name ("" is the first one) how far each is behind (`lag`, blocks), of which chain
    it is (`chain`), whether it `lies` about hashes, and whether it `forgets` states.
    """

    routes = {
        ("POST", "/"): "ask",
        ("POST", "/{node}"): "ask",
        ("POST", "/{node}/"): "ask",
    }
    happenings = (
        "stir",
        "deposit",
        "withdraw",
        "transfer_between",
        "approve",
        "deploy",
        "deploy_token",
        "fail_token",
        "heal_token",
        "mine",
        "finalise",
        "reorg",
        "behave",
    )

    # -- people

    def customer(self, name: str) -> Customer:
        person, tokens = self.ledger.topic("people")[name], self.tokens()
        owned = [
            {"address": shown(one["address"]), "role": one["role"]}
            for one in person["addresses"]
        ]
        listed = [{"code": t.code, "address": shown(a)} for a, t in tokens.items()]
        spenders = [{"name": SPENDER[0], "address": shown(SPENDER[1])}]
        credentials = {
            "addresses": json.dumps(owned),
            "tokens": json.dumps(listed),
            "spenders": json.dumps(spenders),
            "rpc_urls": "",
        }
        holdings = [
            self._holding(one, token)
            for one in person["addresses"]
            for token in (*tokens, "native")
        ]
        return Customer(name, credentials, holdings)

    def _holding(self, one: Mapping[str, str], token: str) -> Holding:
        id = f"{one['address']}:{token}"
        asset = self.ledger.holders[id].asset
        return Holding(id, "wallet", f"{asset.code} ({one['role']})", str(asset))

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    # -- what happens

    def stir(self, name: str | None = None) -> None:
        """Let a little come in, or go out again, not final for some seconds."""
        with self.lock:
            name = name or self.first_customer
            account = f"{address_for(name, 'derived')}:{USDC}"
            poor = self.ledger.held[account] < 20_000_000
            if poor or len(self.ledger.entries) % 2:
                self.pay(account, 2_500_000, pending=True)
            else:
                self.spend(account, 2_500_000, pending=True)

    def deposit(self, account: str, amount: str, final: bool = True) -> str:
        """Let minor units come in; return the transfer's id."""
        return self.pay(account, int(amount), pending=not final).id

    def withdraw(self, account: str, amount: str, final: bool = True) -> str:
        """Let minor units go out; return the transfer's id."""
        return self.spend(account, int(amount), pending=not final).id

    def transfer_between(
        self, source: str, target: str, amount: str, final: bool = True
    ) -> str:
        """Move minor units between two that are known; return the transfer's id."""
        entry: Entry = self.move(source, target, int(amount), pending=not final)
        return entry.id

    def behave(self, node: str = "", **how: Any) -> None:
        """Let a node be behind (`lag`), of another `chain`, or one that `lies`."""
        nodes = {**self.settings.extra.get("nodes", {}), node: how}
        self.settings = replace(
            self.settings, extra={**self.settings.extra, "nodes": nodes}
        )

    def disputes(self, said: Mapping[str, Any]) -> list[str]:
        """Return where a client's blocks and allowances are none of the books'."""
        top = self.chain.top(self.now)
        wrong = [
            f"block {number} is {self.chain.hash(int(number))}, not {hash}"
            for number, hash in said.get("blocks", {}).items()
            if self.chain.hash(int(number)) != hash
        ]
        for ends, amount in said.get("allowances", {}).items():
            owner, token, spender = ends.split(":")
            allowed = self.allowed_at(owner, token, spender, top)
            if str(allowed) != amount:
                wrong.append(f"{ends} may take {allowed}, not {amount}")
        if "logs" in said and said["logs"] != (made := self._moved_in(said["span"])):
            wrong.append(f"the logs tell {said['logs']}, not {made}")
        if "figures" in said and len(said["steps"]) < STEPS:
            wrong.append(f"{len(said['steps'])} steps were gone, not {STEPS}")
        return wrong

    def _moved_in(self, span: Sequence[int]) -> list[list[str]]:
        """Return the tokens' transfers in some blocks, from the first to the last."""
        made = [e for n in range(span[0], span[1] + 1) for e in self.made_in(n)]
        ends = [(e, e.facts["from"], e.facts["to"]) for e in made if not e.declined]
        return [[e.facts["hash"], *both, str(e.amount)] for e, *both in ends]

    # -- what is asked

    def ask(self, asked: Asked, node: str = "") -> Answer:
        """Answer one POST, which holds one question or a list of them."""
        kind = asked.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            return Answer.of(b"invalid content type, only application/json\n", 415)
        try:
            body = json.loads(asked.body)
        except ValueError:
            return Answer.of(speech.error(None, Wrong(-32700, "parse error")))
        view = self._view(node)
        if not isinstance(body, list):
            return Answer.of(self._answered(body, view))
        if refused := self._refuses(body):
            return refused
        # Answers may come in any order, so here they come in another.
        return Answer.of([self._answered(row, view) for row in reversed(body)])

    def _refuses(self, body: list[Any]) -> Answer | None:
        lists = self.settings.extra.get("lists", "yes")
        no = speech.error(None, Wrong(-32600, "batch requests are not supported"))
        if lists != "yes":
            return Answer.of(no, 200 if lists == "no" else int(lists))
        if not body:
            return Answer.of(speech.error(None, Wrong(-32600, "empty batch")))
        if len(body) > LONGEST_LIST:
            return Answer.of(speech.error(None, Wrong(-32600, "batch too large")))
        return None

    def _answered(self, row: Any, view: View) -> dict[str, Any]:
        try:
            number, method, params = speech.question(row)
        except Wrong as wrong:
            return speech.error(None, wrong)
        try:
            return speech.result(number, self.answer_to(method, params, view))
        except Wrong as wrong:
            return speech.error(number, wrong)

    def _view(self, node: str) -> View:
        """Return what a node sees of the chain."""
        how = self.settings.extra.get("nodes", {}).get(node, {})
        now, height = self.now, self.chain.top(self.now)
        if self.lag:
            height = self.chain.height(now - int(self.lag * 1000))
        height = max(0, height - int(how.get("lag", 0)))
        salt = node or "first" if how.get("lies") else ""
        chain, forgets = int(how.get("chain", CHAIN)), bool(how.get("forgets"))
        return View(height, self.final(height), chain, salt, forgets)

    def refusal(self, code: str) -> Answer:
        status, number, words = HTTP.get(code, HTTP["refused"])
        return Answer.of(speech.error(None, Wrong(number, words)), status)

    def reject(self, status: int) -> Answer:
        return Answer.of(b"", status)

    def _fail(self, asked: Asked, fault: Fault) -> Answer:
        """Spoil what is a balance here: the words of an answer do not name them."""
        if fault.action == "nan":
            told = json.loads(self._speak(asked).body)
            rows = told if isinstance(told, list) else [told]
            spoiled = [{**row, "result": nan} for row in rows]
            return Answer.of(spoiled if isinstance(told, list) else spoiled[0])
        return super()._fail(asked, fault)
