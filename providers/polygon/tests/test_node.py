"""The node is as strict as a real one, and remembers what was true before."""

from __future__ import annotations

import pytest

from providers.polygon import abi
from providers.polygon.holdings import MULTICALL
from providers.polygon.sandbox import Sandbox
from providers.polygon.sandbox.world import PUSD, SPENDER, USDC, address_for
from providers.sandbox.wire import Asked

from .conftest import told

DERIVED, PROXY = address_for("alex", "derived"), address_for("alex", "proxy")
BALANCE = "0x" + (abi.BALANCE_OF + abi.address_word(DERIVED)).hex()


@pytest.fixture(autouse=True)
def _alex(alex):
    return alex


def call(node, to, data, block="latest"):
    return node("eth_call", {"to": to, "data": data}, block)


def test_balances_are_told_as_the_real_chain_tells_them(node):
    assert call(node, USDC, BALANCE)["result"] == "0x" + "16e3600".rjust(64, "0")


def test_older_blocks_answer_what_was_true_then(bank, node):
    before = bank.chain.top(bank.now)
    bank.pay(f"{DERIVED}:{USDC}", 1)

    then, now = (
        call(node, USDC, BALANCE, b)["result"] for b in (hex(before), "latest")
    )

    assert (int(then, 16), int(now, 16)) == (24_000_000, 24_000_001)


def test_blocks_are_chained_by_their_hashes_and_a_reorg_changes_them(bank, node):
    bank.mine(6)
    top = bank.chain.top(bank.now)
    before = [
        node("eth_getBlockByNumber", hex(n), False)["result"]["hash"]
        for n in range(top - 6, top + 1)
    ]
    bank.reorg(4)
    after = [
        node("eth_getBlockByNumber", hex(n), False)["result"]
        for n in range(top - 6, top + 1)
    ]

    assert [old == new["hash"] for old, new in zip(before, after, strict=True)] == [
        *(True,) * 3,
        *(False,) * 4,
    ]
    assert [b["parentHash"] for b in after[1:]] == [b["hash"] for b in after[:-1]]
    assert [int(b["timestamp"], 16) for b in after] == sorted(
        int(b["timestamp"], 16) for b in after
    )


def test_reorg_takes_transfers_and_approvals_back(bank):
    bank.mine(6)
    bank.pay(f"{DERIVED}:{USDC}", 7, pending=True)
    bank.approve(PROXY, PUSD, SPENDER[1], 5)
    top = bank.chain.top(bank.now)
    assert bank.allowed_at(PROXY, PUSD, SPENDER[1], top) == 5

    bank.reorg(5)

    assert bank.balance(f"{DERIVED}:{USDC}") == 24_000_000
    assert bank.allowed_at(PROXY, PUSD, SPENDER[1], top) == 2**256 - 1


def test_ninety_days_pass_at_once_and_every_block_is_there(bank, node):
    before = bank.chain.top(bank.now)
    bank.clock.advance(90 * 86_400)

    last = node("eth_getBlockByNumber", "latest", False)["result"]
    assert int(last["number"], 16) == before + 90 * 43_200
    assert int(last["timestamp"], 16) == int(bank.clock.timestamp())


def test_chain_is_the_same_after_the_sandbox_was_started_again(tmp_path):
    first = Sandbox(tmp_path / "chain.jsonl")
    first.clock.freeze()
    first.demo_world()
    first.pay(f"{DERIVED}:{USDC}", 5)
    first.mine(7)
    first.reorg(3)
    first.approve(DERIVED, USDC, SPENDER[1], 9)
    first.close()
    again = Sandbox(tmp_path / "chain.jsonl", first.clock)

    assert again.chain.stretches == first.chain.stretches
    assert again.balances() == first.balances()
    assert again.milestone == first.milestone
    again.close()


def test_call_where_no_contract_is_succeeds_with_nothing(node):
    calls = abi.encode_calls([("0x" + "11" * 20, abi.DECIMALS), (USDC, b"\1\2\3\4")])

    assert call(node, "0x" + "11" * 20, BALANCE)["result"] == "0x"
    found = bytes.fromhex(call(node, MULTICALL, "0x" + calls.hex())["result"][2:])
    (nothing, refused) = abi.decode_results(found)
    assert nothing == (True, b"")
    assert not refused[0]


@pytest.mark.parametrize(
    ("client", "code"), [("anvil", 3), ("hardhat", -32603), ("ganache", -32000)]
)
@pytest.mark.parametrize(
    "data", ["82ad56cb00", "82ad56cb" + "00" * 64, "01020304", "4d2301cc", "70a08231"]
)
def test_bad_calls_revert_with_the_codes_of_several_clients(
    bank, node, client, code, data
):
    bank.configure(extra={"client": client})

    error = call(node, MULTICALL, "0x" + data)["error"]

    assert error["code"] == code
    assert "revert" in error["message"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_nope", [], -32601),
        ("eth_chainId", [1], -32602),
        ("eth_getBlockByNumber", ["latest"], -32602),
        ("eth_getBlockByNumber", ["newest", False], -32602),
        ("eth_getBlockByNumber", ["0x01", False], -32602),
        ("eth_getBlockByNumber", [1, False], -32602),
        ("eth_call", [{"to": "0x12", "data": "0x"}, "latest"], -32602),
        ("eth_call", [{"to": USDC, "data": "0x1"}, "latest"], -32602),
        ("eth_call", [{"to": USDC, "data": "0x", "extra": 1}, "latest"], -32602),
        ("eth_call", [{"to": USDC, "data": "0x"}, "0xfffffffff"], -32000),
        ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}], -32005),
    ],
)
def test_questions_that_make_no_sense_are_refused(node, method, params, code):
    assert node(method, *params)["error"]["code"] == code


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"jsonrpc": "1.0"}'])
def test_what_is_no_question_is_refused(bank, body):
    assert told(bank, body)["error"]["code"] in (-32600, -32700)


def test_only_json_is_taken(bank):
    assert bank.answer(Asked("POST", "/", "", {}, b"{}")).status == 415
    assert bank.answer(Asked("GET", "/")).status == 405


def test_block_that_is_not_there_yet_is_null(node):
    assert node("eth_getBlockByNumber", "0xfffffffff", False)["result"] is None
