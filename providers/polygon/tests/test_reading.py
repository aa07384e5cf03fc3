"""Figures are of one final block, and what is not known is never zero."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from providers import errors
from providers.base import Block, Place
from providers.money import Asset
from providers.polygon import Provider, abi
from providers.polygon.sandbox.books import FINALITY
from providers.polygon.sandbox.world import BRIDGED, PUSD, SPENDER, USDC, address_for
from providers.sandbox.inside import sender
from providers.wire import drive

DERIVED, PROXY = address_for("alex", "derived"), address_for("alex", "proxy")


def by_id(seen):
    return {reading.external_id: reading for reading in seen.readings}


def places(seen):
    return [Place(r.external_id, r.kind, None, r.asset, r.block) for r in seen.readings]


def test_every_token_of_every_address_is_a_reading_of_its_own(ask, bank):
    seen = ask()

    assert seen.complete
    assert {id: (r.total, str(r.asset), r.role) for id, r in by_id(seen).items()} == {
        f"{DERIVED}:{USDC}": (24_000_000, "USDC/6", "derived"),
        f"{DERIVED}:{BRIDGED}": (349_852_118, "USDC.e/6", "derived"),
        f"{DERIVED}:{PUSD}": (0, "pUSD/6", "derived"),
        f"{DERIVED}:native": (12_345_678_901_234_567_890, "POL/18", "derived"),
        f"{PROXY}:{USDC}": (0, "USDC/6", "proxy"),
        f"{PROXY}:{BRIDGED}": (75_000_001, "USDC.e/6", "proxy"),
        f"{PROXY}:{PUSD}": (1_250_400_000, "pUSD/6", "proxy"),
        f"{PROXY}:native": (0, "POL/18", "proxy"),
    }
    assert bank.requests == 1


def test_all_figures_are_of_one_final_block(ask, bank):
    bank.mine(3)
    seen = ask()
    number = bank.final(bank.chain.top(bank.now))

    (block,) = {reading.block for reading in seen.readings}
    assert block == Block(number, bank.chain.hash(number))
    assert {r.balance_id for r in seen.readings} == {f"{number}:{block.hash}"}
    (moment,) = {r.as_of.timestamp() * 1000 for r in seen.readings}
    assert moment == bank.chain.moment(number) // 1000 * 1000


@pytest.fixture
def crowd(alex):
    """Alex's addresses, and 398 more that hold nothing."""
    more = [{"address": f"0x{n:040x}", "role": "derived"} for n in range(1, 399)]
    owned = [*json.loads(alex.credentials["addresses"]), *more]
    return Provider({**alex.credentials, "addresses": json.dumps(owned)})


def test_addresses_for_several_calls_are_read_at_one_block_in_one_request(
    bank, ask, crowd
):
    usual = by_id(ask())

    seen = drive(crowd.observe(), sender(crowd, bank))

    assert bank.requests == 2
    assert seen.complete
    assert len(seen.readings) == 400 * 4
    assert len({reading.block for reading in seen.readings}) == 1
    held = {id: r.total for id, r in by_id(seen).items() if r.total}
    assert held == {id: r.total for id, r in usual.items() if r.total}


def test_blocks_that_come_between_the_calls_make_it_ask_for_the_first_one(bank, crowd):
    bank.configure(extra={"lists": "no"})
    send, called = sender(crowd, bank), []

    def move_on(request):
        answer = send(request)
        row = json.loads(request.body)
        if isinstance(row, dict) and row["method"] == "eth_call":
            called.append(row["params"][1])
            if len(called) in (1, 7):  # after a final one, and after one of the latest
                bank.mine(1)
        return answer

    seen = drive(crowd.observe(), move_on)

    (block,) = {reading.block for reading in seen.readings}
    assert seen.complete
    assert set(called[:8]) == {"finalized", "latest"}
    assert set(called[8:]) == {hex(block.number), hex(block.number + FINALITY)}


@pytest.mark.parametrize(
    ("change", "total", "available", "held", "unconfirmed"),
    [
        ("pay", 24_000_000, 24_000_000, 0, 25_000_000),
        ("spend", 24_000_000, 23_000_000, 1_000_000, 23_000_000),
    ],
)
def test_what_is_not_final_is_shown_beside_and_only_what_left_is_missing(
    ask, bank, alex, change, total, available, held, unconfirmed
):
    made = getattr(bank, change)(alex.account.external_id, 1_000_000, pending=True)

    reading = by_id(ask())[f"{DERIVED}:{USDC}"]

    assert (reading.total, reading.available, reading.held) == (total, available, held)
    assert reading.unconfirmed == unconfirmed
    bank.settle(made.id)
    again = by_id(ask())[f"{DERIVED}:{USDC}"]
    assert again.total == again.available == again.unconfirmed == unconfirmed


def test_figures_are_named_by_their_block_and_by_what_is_left_since(ask, bank, alex):
    """Each name stands for the same figures, whatever comes and goes meanwhile."""
    wallet, final = alex.account.external_id, bank.finalise()
    bank.configure(extra={"finality": 100})
    name, told = f"{final}:{bank.chain.hash(final)}", {}

    for change, amount in (("pay", 1), ("spend", 7), ("pay", 2), ("pay", 9)):
        getattr(bank, change)(wallet, amount, pending=True)
        reading = by_id(ask())[wallet]
        figures = reading.total, reading.available, reading.held
        assert told.setdefault(reading.balance_id, figures) == figures

    assert told == {
        name: (24_000_000, 24_000_000, 0),
        f"{name}:23999994": (24_000_000, 23_999_994, 6),
        f"{name}:23999996": (24_000_000, 23_999_996, 4),
    }


def test_transfer_is_final_after_some_blocks_by_itself(ask, bank, alex):
    bank.pay(alex.account.external_id, 1, pending=True)
    bank.clock.advance(6)

    assert by_id(ask())[f"{DERIVED}:{USDC}"].total == 24_000_001


def test_allowances_are_exact_and_the_largest_is_unlimited(ask, bank):
    bank.approve(DERIVED, USDC, SPENDER[1], 2**256 - 2)
    seen = by_id(ask())

    (unlimited,) = seen[f"{PROXY}:{PUSD}"].allowances
    assert (unlimited.amount, unlimited.unlimited) == (2**256 - 1, True)
    assert (unlimited.spender, unlimited.name) == (SPENDER[1], SPENDER[0])
    (limited,) = seen[f"{DERIVED}:{USDC}"].allowances
    assert (limited.amount, limited.unlimited) == (2**256 - 2, False)
    assert seen[f"{PROXY}:native"].allowances is None


@pytest.mark.parametrize("how", ["revert", "empty"])
def test_token_that_fails_makes_its_own_readings_unknown_and_never_zero(ask, bank, how):
    known = places(ask())
    bank.fail_token(BRIDGED, how)
    bank.mine()

    seen = ask(known)

    assert not seen.complete
    unknown = {id for id, r in by_id(seen).items() if r.total is None}
    assert unknown == {f"{DERIVED}:{BRIDGED}", f"{PROXY}:{BRIDGED}"}
    assert all(by_id(seen)[id].error and not by_id(seen)[id].held for id in unknown)
    assert all(by_id(seen)[id].available is None for id in unknown)


def test_token_whose_decimals_were_never_told_has_no_reading_yet(ask, bank):
    bank.fail_token(USDC, "empty")
    seen = ask()

    assert not seen.complete
    assert seen.lacks.startswith("USDC: Its decimals are not known. Nothing came back")
    assert not any(USDC in id for id in by_id(seen))
    assert len(seen.readings) == 6


def test_address_where_no_contract_is_holds_nothing_that_could_be_told(bank, alex):
    token = [{"code": "FAKE", "address": "0x" + "11" * 20}]
    other = Provider({**alex.credentials, "tokens": json.dumps(token)})

    seen = drive(other.observe(), sender(other, bank))

    assert not seen.complete
    assert {str(r.asset) for r in seen.readings} == {"POL/18"}


def test_token_with_other_decimals_than_before_is_not_believed(ask):
    known = [replace(p, asset=Asset("USDC", 18)) for p in places(ask())[:1]]

    reading = by_id(ask([replace(p, block=None) for p in known]))[f"{DERIVED}:{USDC}"]

    assert reading.total is None
    assert "18 decimals" in reading.error


def silent_on_decimals(bank, monkeypatch):
    """Let every token tell all but its decimals."""
    told = bank.execute
    monkeypatch.setattr(
        bank,
        "execute",
        lambda to, data, n: b"" if data == abi.DECIMALS else told(to, data, n),
    )


def test_decimals_that_were_read_once_are_kept(ask, bank, alex, monkeypatch):
    whole = ask()
    silent_on_decimals(bank, monkeypatch)
    assert [str(r.asset) for r in ask().readings] == ["POL/18"] * 2

    assert ask(places(whole)) == whole
    added = [{"address": a, "role": "derived"} for a in (DERIVED, "0x" + "44" * 20)]
    other = Provider({**alex.credentials, "addresses": json.dumps(added)})
    seen = drive(other.observe(places(whole)), sender(other, bank))
    assert seen.complete  # they are the token's, whosever it is
    assert len(seen.readings) == 8


def test_token_that_is_called_otherwise_now_stays_what_it_was(ask, bank, alex):
    known = places(ask())
    tokens = [{"code": "DOLLAR", "address": USDC}]
    other = Provider({**alex.credentials, "tokens": json.dumps(tokens)})

    seen = drive(other.observe(known), sender(other, bank))

    assert {str(r.asset) for r in seen.readings} == {"USDC/6", "POL/18"}


def test_decimals_are_those_of_the_chain(bank, alex):
    bank.deploy_token("ODD", "0x" + "22" * 20, 18)
    bank.pay(f"{PROXY}:0x{'22' * 20}", 10**18 + 1)
    other = Provider(bank.customer("alex").credentials)

    seen = by_id(drive(other.observe(), sender(other, bank)))

    assert str(seen[f"{PROXY}:0x{'22' * 20}"].asset) == "ODD/18"
    assert seen[f"{PROXY}:0x{'22' * 20}"].total == 10**18 + 1


def test_undeployed_proxy_holds_tokens_and_a_deployed_one_the_same(ask, bank, node):
    assert node("eth_getCode", PROXY, "latest")["result"] == "0x"
    before = by_id(ask())[f"{PROXY}:{PUSD}"].total
    bank.deploy(PROXY)

    assert len(node("eth_getCode", PROXY, "latest")["result"]) == 2 + 2 * 45
    assert by_id(ask())[f"{PROXY}:{PUSD}"].total == before == 1_250_400_000


def test_block_that_is_no_more_is_told_to_be_superseded(ask, bank, alex):
    before = ask()
    bank.pay(alex.account.external_id, 5)
    after = ask(places(before))
    assert after.superseded == []

    bank.reorg(3)
    bank.clock.advance(30)
    again = ask([*places(before), *places(after)])

    assert again.superseded == [after.readings[0].block]
    assert by_id(again)[f"{DERIVED}:{USDC}"].total == 24_000_000


def test_height_never_goes_back(ask, bank):
    bank.mine(10)
    known = places(ask())
    bank.behave(lag=5)

    with pytest.raises(errors.Unavailable, match="behind"):
        ask(known)


@pytest.mark.parametrize("client", ["anvil", "hardhat", "ganache"])
def test_missing_multicall_has_a_name_whatever_code_it_has(
    ask, bank, client, monkeypatch
):
    bank.configure(extra={"client": client})
    monkeypatch.setattr("providers.polygon.sandbox.evm.MULTICALL", "0x" + "33" * 20)
    with pytest.raises(errors.UnexpectedResponse, match="no Multicall3"):
        ask()
    bank.deploy_token("X", "0xcA11bde05977b3631167028862bE2a173976CA11")
    with pytest.raises(errors.UnexpectedResponse, match="revert"):
        ask()
