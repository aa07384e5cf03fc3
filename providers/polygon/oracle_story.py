"""What happens on a genuine chain, and two who look at it: web3 and the adapter.

Used by the oracle only, in an environment that has web3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from web3 import HTTPProvider, Web3  # type: ignore[import-not-found]
from web3.exceptions import BadFunctionCallOutput  # type: ignore[import-not-found]
from web3.middleware import (  # type: ignore[import-not-found]
    ExtraDataToPOAMiddleware,
)

from providers import errors
from providers.base import Observation, Place, Reading

from .client import Polygon
from .holdings import MULTICALL
from .wallet import USUAL

CONTRACTS = json.loads(
    (Path(__file__).parent / "oracle_npm/contracts/compiled.json").read_text()
)
NATIVE = "native"
ENOUGH = 12  # blocks after which anvil calls one final, and some
TOKENS = [Web3.to_checksum_address(address) for _, address in USUAL]
SPENDERS = [Web3.to_checksum_address("0x" + f"{n}1" * 20) for n in (1, 2)]

See = Callable[[Polygon, Sequence[Place]], Observation]
Behind = Callable[[str], AbstractContextManager[str]]


def connected(url: str) -> Web3:
    found = Web3(HTTPProvider(url, request_kwargs={"timeout": 20}))
    found.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return found


def token(chain: Web3, address: str) -> Any:
    return chain.eth.contract(
        Web3.to_checksum_address(address), abi=CONTRACTS["Token"]["abi"]
    ).functions


def balance(chain: Web3, external_id: str, block: int | str) -> int:
    owner, _, address = external_id.partition(":")
    owner = Web3.to_checksum_address(owner)
    if address == NATIVE:
        return int(chain.eth.get_balance(owner, block))
    return int(token(chain, address).balanceOf(owner).call(block_identifier=block))


def places(seen: Observation) -> list[Place]:
    return [Place(r.external_id, r.kind, None, r.asset, r.block) for r in seen.readings]


class Story:
    """What happens to two addresses, one of which signs and one of which holds."""

    def __init__(self, url: str, see: See, behind: Behind) -> None:
        self.chain, self.url = connected(url), url
        self.see, self.behind = see, behind
        self.derived = self.chain.eth.accounts[1]
        # Where no contract is yet: it holds tokens all the same.
        self.proxy = Web3.to_checksum_address("0x" + "5a" * 20)
        self.known: list[Place] = []
        self.steps: list[str] = []
        self.figures: list[str] = []

    def tell(self) -> None:
        """Let all of it happen, and compare after each step."""
        for address in TOKENS:
            self.ask("anvil_setCode", address, CONTRACTS["Token"]["code"])
        self.ask("anvil_setCode", MULTICALL, CONTRACTS["Multicall"]["code"])
        self.mine(ENOUGH)
        self.compare("an empty chain")
        self.pay()
        self.approve()
        self.turn_back()
        self.fail()
        with self.behind(self.url) as behind:
            self.mine(ENOUGH)
            self.compare("more blocks")
            self.lag(behind)
        self.die(behind)

    def ask(self, method: str, *params: Any) -> Any:
        told = self.chain.provider.make_request(method, list(params))
        assert "error" not in told, (method, told)
        return told["result"]

    def mine(self, blocks: int) -> None:
        self.ask("anvil_mine", hex(blocks), hex(2))

    def do(self, call: Any, who: str) -> None:
        done = call.transact({"from": who})
        assert self.chain.eth.wait_for_transaction_receipt(done)["status"] == 1

    def pay(self) -> None:
        for number, address in enumerate(TOKENS):
            contract = token(self.chain, address)
            self.do(contract.mint(self.derived, 24_000_000 + number), self.derived)
            self.do(contract.mint(self.proxy, 349_852_118), self.derived)
        self.mine(ENOUGH)
        self.compare("tokens minted")
        contract = token(self.chain, TOKENS[0])
        self.do(contract.transfer(self.proxy, 5), self.derived)
        left, came = self.compare("a transfer that is not final")[:5:4]
        assert (left.total, left.available, left.held) == (24_000_000, 23_999_995, 5)
        assert (came.total, came.available) == (349_852_118, 349_852_118)
        self.mine(ENOUGH)
        self.compare("the transfer is final")

    def approve(self) -> None:
        contract = token(self.chain, TOKENS[2])
        self.do(contract.approve(SPENDERS[0], 2**256 - 1), self.derived)
        self.do(contract.approve(SPENDERS[1], 2**256 - 2), self.derived)
        self.ask("anvil_impersonateAccount", self.proxy)
        self.ask("anvil_setBalance", self.proxy, hex(10**18 + 1))
        self.do(contract.approve(SPENDERS[0], 7), self.proxy)
        self.mine(ENOUGH)
        found = self.compare("approvals, one of them unlimited")[2].allowances
        assert found is not None
        assert [one.unlimited for one in found] == [True, False]

    def turn_back(self) -> None:
        """Reorganise above what is final, and then below it, which should not be."""
        self.do(token(self.chain, TOKENS[0]).mint(self.derived, 1), self.derived)
        self.compare("a block to be lost")
        self.ask("anvil_reorg", 2, [])
        assert not self.seen().superseded
        self.compare("a reorganisation of what was not final")
        self.do(token(self.chain, TOKENS[0]).mint(self.derived, 9), self.derived)
        self.mine(ENOUGH)
        lost = self.compare("a final transfer")[0]
        self.ask("anvil_reorg", ENOUGH + 1, [])
        self.mine(1)
        assert list(self.seen().superseded) == [lost.block]
        now = self.compare("a reorganisation of what was final")[0]
        assert now.total == (lost.total or 0) - 9
        snapshot = self.ask("evm_snapshot")
        self.mine(ENOUGH)
        self.compare("blocks to be taken back")
        self.ask("evm_revert", snapshot)
        self.unavailable(self.provider(self.url), "behind")
        self.mine(2 * ENOUGH)
        self.compare("the chain has overtaken them")

    def fail(self) -> None:
        """Let a token be no contract for a while: nothing is no zero, for web3 neither."""
        self.ask("anvil_setCode", TOKENS[1], "0x")
        self.mine(ENOUGH)
        seen = self.seen()
        assert not seen.complete
        unknown = [r for r in seen.readings if r.total is None]
        assert {r.asset.code for r in unknown} == {USUAL[1][0]}
        try:
            token(self.chain, TOKENS[1]).balanceOf(self.derived).call()
        except BadFunctionCallOutput:
            self.steps.append("a token without code")
        self.ask("anvil_setCode", TOKENS[1], CONTRACTS["Token"]["code"])
        self.mine(ENOUGH)
        self.compare("the token is back")

    def lag(self, behind: str) -> None:
        """Ask a genuine node that stays where the chain was some blocks ago."""
        self.unavailable(self.provider(behind), "behind")
        self.compare("a node behind is passed over", behind, self.url)
        note = self.compare("a second node is behind", self.url, behind)[0].details
        assert "does not know" in note["second_endpoint"]
        self.known = []
        note = self.compare("two nodes agree", behind, self.url)[0].details
        assert note["second_endpoint"] == "rpc1: yes"

    def die(self, dead: str) -> None:
        self.unavailable(self.provider(dead), "refused")
        self.compare("a dead node is passed over", dead, self.url)

    def provider(self, *urls: str) -> Polygon:
        owned = {"derived": self.derived, "proxy": self.proxy}
        spenders = [{"name": f"S{n}", "address": a} for n, a in enumerate(SPENDERS)]
        told = [{"address": a, "role": role} for role, a in owned.items()]
        given = {"addresses": json.dumps(told), "spenders": json.dumps(spenders)}
        Polygon.check_credentials(given)
        keys = ["api", *(f"rpc{n}" for n in range(1, len(urls)))]
        return Polygon(given, dict(zip(keys, urls, strict=True)))

    def unavailable(self, provider: Polygon, words: str) -> None:
        try:
            self.see(provider, self.known)
        except errors.Unavailable as error:
            assert words in str(error), error
            self.steps.append(f"unavailable: {words}")
        else:
            raise AssertionError("A node that cannot be believed was believed")

    def seen(self, *urls: str) -> Observation:
        return self.see(self.provider(*(urls or (self.url,))), self.known)

    def compare(self, step: str, *urls: str) -> list[Reading]:
        """Let web3 look up every figure that the adapter tells, at the same block."""
        seen = self.seen(*urls)
        assert seen.complete
        assert len(seen.readings) == 2 * (len(TOKENS) + 1)
        for reading in seen.readings:
            self.figures += self.judged(reading, newest=urls in ((), (self.url,)))
        self.known, found = places(seen), list(seen.readings)
        self.steps.append(step)
        return found

    def judged(self, reading: Reading, *, newest: bool) -> list[str]:
        assert reading.block is not None
        number, id = reading.block.number, reading.external_id
        block = self.chain.eth.get_block(number)
        assert block["hash"].to_0x_hex() == reading.block.hash
        assert reading.as_of is not None
        assert block["timestamp"] == reading.as_of.timestamp()
        assert reading.total == balance(self.chain, id, number), step_of(reading)
        if newest:
            assert self.chain.eth.get_block("finalized")["number"] == number
            assert reading.unconfirmed == balance(self.chain, id, "latest")
        owner, _, address = id.partition(":")
        for one in reading.allowances or ():
            said = token(self.chain, address).allowance(
                Web3.to_checksum_address(owner), Web3.to_checksum_address(one.spender)
            )
            assert one.amount == said.call(block_identifier=number)
        return [f"{id}@{number}", *(a.spender for a in reading.allowances or ())]


def step_of(reading: Reading) -> str:
    return f"{reading.external_id} is not {reading.total}"
