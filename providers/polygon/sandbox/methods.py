"""What a node answers to each method. Source: ethereum.org, "JSON-RPC API"."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from providers.money import Asset
from providers.sandbox.ledger import Entry, Holder

from .evm import Contracts, Reverted
from .speech import ADDRESS, DATA, HASH, QUANTITY, Wrong, exactly, text
from .world import Token

# What a contract that refuses is answered with, by whose node it is.
REVERTS: Final = {"geth": 3, "anvil": 3, "hardhat": -32603, "ganache": -32000}
EMPTY: Final = "0x" + "00" * 32
NO_UNCLES: Final = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
# A header of Polygon's carries its producer's signature: 32 bytes and 65.
SEALED: Final = "0x" + "00" * 97
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
WIDEST: Final = 2000  # blocks that one search for logs may be of
MOST_LOGS: Final = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """What one node sees of the chain."""

    height: int
    final: int
    chain: int
    salt: str  # what its hashes are made of, where it lies
    forgets: bool  # whether it knows what contracts say now, whatever it is asked


class Methods(Contracts):
    """The part that knows the methods by their names."""

    def answer_to(self, method: str, params: list[Any], view: View) -> Any:
        """Return the result of a question; raises Wrong."""
        known = {
            "eth_chainId": self._chain_id,
            "net_version": self._version,
            "eth_blockNumber": self._number,
            "eth_getBlockByNumber": self._block,
            "eth_call": self._call,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getLogs": self._logs,
        }
        if method not in known:
            words = f"the method {method} does not exist/is not available"
            raise Wrong(-32601, words)
        return known[method](params, view)

    def deploy_token(self, code: str, address: str, decimals: int = 6) -> None:
        """Put one more token on the chain, of which nobody holds any."""
        address, asset = address.lower(), Asset.parse(f"{code}/{decimals}")
        token = asdict(Token(code, code, asset.decimals))
        self.ledger.put(("tokens", address, token))
        owners = {id.partition(":")[0]: h for id, h in self.ledger.holders.items()}
        self.ledger.open(
            *(Holder(f"{o}:{address}", asset, h.opened, {}) for o, h in owners.items())
        )

    def _chain_id(self, params: list[Any], view: View) -> str:
        exactly(params, 0, 0)
        return hex(view.chain)

    def _version(self, params: list[Any], view: View) -> str:
        exactly(params, 0, 0)
        return str(view.chain)

    def _number(self, params: list[Any], view: View) -> str:
        exactly(params, 0, 0)
        return hex(view.height)

    def _block(self, params: list[Any], view: View) -> dict[str, Any] | None:
        exactly(params, 2, 2)
        if not isinstance(params[1], bool):
            raise Wrong(-32602, "invalid argument 1: json: cannot unmarshal into bool")
        number = self._numbered(params[0], view)
        if number > view.height:
            return None
        hashes = [entry.facts["hash"] for entry in self.made_in(number)]
        return self._header(number, view, hashes)

    def _header(self, number: int, view: View, hashes: list[str]) -> dict[str, Any]:
        return {
            "baseFeePerGas": "0x5d21dba00",
            "difficulty": "0x15",
            "extraData": SEALED,
            "gasLimit": "0x2aea540",
            "gasUsed": hex(65_000 * len(hashes)),
            "hash": self.chain.hash(number, view.salt),
            "logsBloom": "0x" + "00" * 256,
            "miner": "0x" + "00" * 20,
            "mixHash": EMPTY,
            "nonce": "0x0000000000000000",
            "number": hex(number),
            "parentHash": self.chain.hash(number - 1, view.salt),
            "receiptsRoot": EMPTY,
            "sha3Uncles": NO_UNCLES,
            "size": "0x3e8",
            "stateRoot": EMPTY,
            "timestamp": hex(self.chain.moment(number) // 1000),
            "transactions": hashes,
            "transactionsRoot": EMPTY,
            "uncles": [],
        }

    def _call(self, params: list[Any], view: View) -> str:
        exactly(params, 1, 2)
        wish = params[0]
        if not isinstance(wish, dict) or set(wish) - {
            *("to", "from", "data", "input", "gas", "value", "chainId"),
        }:
            raise Wrong(-32602, "invalid argument 0")
        number = self._there(params[1] if len(params) > 1 else "latest", view)
        to = text(wish.get("to"), ADDRESS, "to")
        data = text(wish.get("data", wish.get("input", "0x")), DATA, "data")
        try:
            found = self.execute(to, bytes.fromhex(data[2:]), number)
        except Reverted as error:
            code = REVERTS[self.settings.extra.get("client", "geth")]
            words = f"execution reverted: {error}".removesuffix(": ")
            raise Wrong(code, words, "0x" + error.data.hex()) from error
        return "0x" + found.hex()

    def _balance(self, params: list[Any], view: View) -> str:
        exactly(params, 2, 2)
        owner = text(params[0], ADDRESS, "address")
        return hex(self.held_at(f"{owner}:native", self._there(params[1], view)))

    def _code(self, params: list[Any], view: View) -> str:
        exactly(params, 2, 2)
        where = text(params[0], ADDRESS, "address")
        return self.code_at(where, self._there(params[1], view))

    def _logs(self, params: list[Any], view: View) -> list[dict[str, Any]]:
        exactly(params, 1, 1)
        wish = params[0]
        if not isinstance(wish, dict) or set(wish) - {
            *("fromBlock", "toBlock", "address", "topics"),
        }:
            raise Wrong(-32602, "invalid argument 0")
        ends = [
            self._numbered(wish.get(name, "latest"), view)
            for name in ("fromBlock", "toBlock")
        ]
        if ends[1] - ends[0] > WIDEST:
            raise Wrong(-32005, f"exceeds max block range {WIDEST}")
        if ends[1] > view.height:
            raise Wrong(-32000, "header not found")
        rows = [
            self._log(entry, view)
            for entry in self.ledger.entries.values()
            if ends[0] <= entry.facts["block"] <= ends[1] and not entry.declined
        ]
        found = [row for row in rows if row is not None and _matches(row, wish)]
        if len(found) > int(self.settings.extra.get("most_logs", MOST_LOGS)):
            raise Wrong(-32005, f"query returned more than {MOST_LOGS} results")
        return found

    def _log(self, entry: Entry, view: View) -> dict[str, Any] | None:
        """Return what a token says of a transfer; of native coins nobody says anything."""
        ends = (entry.source, entry.target)
        token = next(end for end in ends if ":" in end).partition(":")[2]
        if token == "native":
            return None
        about = entry.facts
        padded = ["0x" + about[end][2:].rjust(64, "0") for end in ("from", "to")]
        return {
            "address": token,
            "topics": [TRANSFER, *padded],
            "data": f"0x{entry.amount:064x}",
            "blockNumber": hex(about["block"]),
            "blockHash": self.chain.hash(about["block"], view.salt),
            "transactionHash": about["hash"],
            "transactionIndex": "0x0",
            "logIndex": "0x0",
            "removed": False,
        }

    def _numbered(self, name: Any, view: View) -> int:
        """Return the number that a tag or a quantity stands for; raises Wrong."""
        tags = {
            **{"latest": view.height, "pending": view.height, "earliest": 0},
            **{"finalized": view.final, "safe": view.final},
        }
        if isinstance(name, str) and name in tags:
            return tags[name]
        return int(text(name, QUANTITY, "block number"), 16)

    def _there(self, name: Any, view: View) -> int:
        """Return the number of a block that this node has; raises Wrong."""
        if isinstance(name, dict):  # EIP-1898
            if "blockHash" in name:
                return self._hashed(text(name["blockHash"], HASH, "blockHash"), view)
            name = name.get("blockNumber")
        number = self._numbered(name, view)
        if number > view.height:
            raise Wrong(-32000, "header not found")
        return view.height if view.forgets else number

    def _hashed(self, hash: str, view: View) -> int:
        recent = range(view.height, max(-1, view.height - 256), -1)
        for number in recent:
            if self.chain.hash(number, view.salt) == hash:
                return number
        raise Wrong(-32000, "header not found")


def _matches(row: dict[str, Any], wish: dict[str, Any]) -> bool:
    wanted = wish.get("address")
    addresses = [wanted] if isinstance(wanted, str) else wanted
    if addresses and row["address"] not in [a.lower() for a in addresses]:
        return False
    for own, asked in zip(row["topics"], wish.get("topics", []), strict=False):
        if asked is not None and own not in ([asked] if type(asked) is str else asked):
            return False
    return True
