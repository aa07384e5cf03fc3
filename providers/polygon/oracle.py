"""A client and a node that others wrote, beside the sandbox and the adapter.

web3 reads the sandbox, and must see what its books say. Then the adapter reads anvil, a
genuine node, and web3 reads the same blocks of it. Runs in an environment of its own;
takes `{"hosts": …, "customer": …, "tools": …}` as JSON and tells what was seen, as JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request as Post
from urllib.request import urlopen

import eth_abi  # type: ignore[import-not-found]
import eth_utils  # type: ignore[import-not-found]
from web3 import HTTPProvider, Web3  # type: ignore[import-not-found]

from providers.base import Observation, Place
from providers.polygon import abi
from providers.polygon.client import Polygon
from providers.polygon.keccak import keccak256
from providers.polygon.oracle_story import (
    NATIVE,
    TOKENS,
    Story,
    balance,
    connected,
    token,
)
from providers.polygon.wallet import checksummed
from providers.wire import Request, Response, drive

Told = dict[str, Any]
NODE = "@foundry-rs/anvil-linux-amd64/bin/anvil"
TRANSFER = Web3.to_hex(eth_utils.keccak(text="Transfer(address,address,uint256)"))


def main(hosts: Told, customer: Told, tools: str) -> list[Told]:
    """Compare bytes, then the sandbox, then the adapter on anvil."""
    client = f"web3 {version('web3')}"
    return [
        {"client": f"eth-abi {version('eth-abi')}", "vectors": bytes_agree()},
        {"client": f"{client} on the sandbox", **sandbox(hosts["api"], customer)},
        {"client": f"{client} and the adapter on anvil", **genuine(Path(tools) / NODE)},
    ]


def adapter_sees(provider: Polygon, known: Sequence[Place]) -> Observation:
    return drive(provider.observe(known), lambda request: send(provider, request))


def send(provider: Polygon, request: Request) -> Response:
    """Carry a request of the adapter to its node, as a driver does."""
    post = Post(provider.url(request), request.body, dict(request.headers))
    try:
        with urlopen(post, timeout=20) as answer:
            return Response(answer.status, {}, answer.read())
    except HTTPError as error:
        return Response(error.code, {}, error.read())
    except (URLError, OSError) as error:
        raise request.lost(str(error)) from error


# -- bytes


def bytes_agree() -> list[str]:
    """Let somebody else's coder write and read what ours reads and writes."""
    chance, done = Random(137), []
    for number in range(300):
        rows = [
            ("0x" + chance.randbytes(20).hex(), chance.randbytes(chance.randrange(99)))
            for _ in range(chance.randrange(6))
        ]
        theirs = eth_abi.encode(
            ["(address,bool,bytes)[]"], [[(to, True, data) for to, data in rows]]
        )
        assert abi.encode_calls(rows) == abi.AGGREGATE + theirs
        results = [(chance.random() < 0.5, data) for _, data in rows]
        written = eth_abi.encode(["(bool,bytes)[]"], [results])
        assert abi.decode_results(written) == results
        assert eth_abi.decode(["(bool,bytes)[]"], abi.encode_results(results))[0] == (
            tuple(results)
        )
        for to, data in rows:
            assert keccak256(data) == eth_utils.keccak(data)
            assert checksummed(to) == eth_utils.to_checksum_address(to)
        done.append(str(number))
    return done


# -- the sandbox


def sandbox(url: str, customer: Told) -> Told:
    """Read everything with web3, while the chain is paid on and reorganised."""
    chain, do = connected(url), happening(url)
    assert chain.eth.chain_id == 137
    accounts = [account["external_id"] for account in customer["accounts"]]
    paid = next(one for one in accounts if not one.endswith(NATIVE))
    do("deposit", account=paid, amount="1000000", final=False)
    newest = chain.eth.block_number
    before, held = chain.eth.get_block(newest), balance(chain, paid, newest)
    do("reorg", depth=30)  # more than pass meanwhile
    after = chain.eth.get_block(newest)
    assert before["hash"] != after["hash"]
    assert balance(chain, paid, newest) == held - 1_000_000
    do("deposit", account=paid, amount="77", final=True)
    final = chain.eth.get_block("finalized")
    span = [newest - 3, final["number"]]
    owners = sorted({one.partition(":")[0] for one in accounts})
    spenders = json.loads(customer["credentials"]["spenders"])
    return {
        "balances": {id: str(balance(chain, id, "latest")) for id in accounts},
        "blocks": {str(final["number"]): final["hash"].to_0x_hex()},
        "span": span,
        "logs": [
            [found["transactionHash"].to_0x_hex(), *ends_of(found), amount_of(found)]
            for found in chain.eth.get_logs(
                {"fromBlock": span[0], "toBlock": span[1], "topics": [TRANSFER]}
            )
        ],
        "allowances": {
            f"{owner}:{address.lower()}:{one['address'].lower()}": str(
                token(chain, address)
                .allowance(Web3.to_checksum_address(owner), one["address"])
                .call()
            )
            for owner in owners
            for address in TOKENS
            for one in spenders
        },
    }


def ends_of(log: Any) -> list[str]:
    return ["0x" + bytes(topic)[12:].hex() for topic in log["topics"][1:]]


def amount_of(log: Any) -> str:
    return str(int.from_bytes(log["data"]))


def happening(url: str) -> Any:
    """Return what asks the sandbox's own controls, over which nothing is judged."""
    root = url.rpartition("/")[0]

    def do(what: str, **about: Any) -> Any:
        body = json.dumps({"what": what, **about}).encode()
        with urlopen(Post(f"{root}/_control/do", body, method="POST")) as answer:
            return json.load(answer)["done"]

    return do


# -- anvil


def genuine(node: Path) -> Told:
    """Let one story happen on a genuine chain, and compare after each step of it."""
    with anvil(node) as url:
        story = Story(url, adapter_sees, partial(anvil, node, "--fork-url"))
        story.tell()
        return {"steps": story.steps, "figures": story.figures}


@contextmanager
def anvil(node: Path, *more: str) -> Iterator[str]:
    """Run a node of the chain until it is no longer needed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--silent", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--chain-id", "137", "--slots-in-an-epoch", "2", *more]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([str(node), *words], stdout=subprocess.DEVNULL) as running:
        try:
            wait_for(url)
            yield url
        finally:
            running.terminate()


def wait_for(url: str) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with suppress(OSError):
            if Web3(HTTPProvider(url)).is_connected():
                return
        time.sleep(0.05)
    raise TimeoutError("anvil did not start")


if __name__ == "__main__":
    print(json.dumps(main(**json.load(sys.stdin))))
