"""Bytes as contracts write them: known answers, and every way to bend them refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.polygon import abi
from providers.polygon.keccak import keccak256
from providers.polygon.wallet import checksummed

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
datas = st.binary(max_size=100)


@pytest.mark.parametrize(
    ("text", "digest"),
    [  # published with Keccak's submission, and used all over Ethereum
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            b"Transfer(address,address,uint256)",
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        ),
        (
            b"Approval(address,address,uint256)",
            "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
        ),
    ],
)
def test_published_hashes_come_out(text, digest):
    assert keccak256(text).hex() == digest


@pytest.mark.parametrize(
    ("signature", "selector"),
    [
        ("balanceOf(address)", abi.BALANCE_OF),
        ("allowance(address,address)", abi.ALLOWANCE),
        ("decimals()", abi.DECIMALS),
        ("aggregate3((address,bool,bytes)[])", abi.AGGREGATE),
        ("getBlockNumber()", abi.BLOCK_NUMBER),
        ("getEthBalance(address)", abi.NATIVE_BALANCE),
    ],
)
def test_selectors_are_the_hashes_of_the_signatures(signature, selector):
    assert keccak256(signature.encode())[:4] == selector


@pytest.mark.parametrize(
    "address",
    [  # EIP-55's own test cases
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_official_checksums_come_out(address):
    assert checksummed(address.lower()) == address


@pytest.mark.parametrize(
    ("digits", "number"),
    [("16e3600", 24_000_000), ("14da51d6", 349_852_118), ("f" * 64, 2**256 - 1)],
)
def test_numbers_are_read_exactly(digits, number):
    assert abi.uint(bytes.fromhex(digits.rjust(64, "0"))) == number


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_number_of_another_length_is_none(size):
    with pytest.raises(abi.AbiError):
        abi.uint(bytes(size))


@given(calls=st.lists(st.tuples(addresses, datas), max_size=5))
def test_calls_come_back_as_they_were_written(calls):
    read = abi.decode_calls(abi.encode_calls(calls))

    assert read == [(target, True, data) for target, data in calls]


@given(results=st.lists(st.tuples(st.booleans(), datas), max_size=5), about=st.data())
def test_bent_results_are_refused_or_are_others_written_right(results, about):
    """No two writings mean the same, so nothing is read that was not meant."""
    right = abi.encode_results(results)
    assert abi.decode_results(right) == results
    place = about.draw(st.integers(0, len(right) - 1))
    bent = bytearray(right)
    bent[place] ^= about.draw(st.integers(1, 255))
    for wrong in (bytes(bent), right[:place], right + bytes(place + 1)):
        try:
            read = abi.decode_results(wrong)
        except abi.AbiError:
            continue
        assert abi.encode_results(read) == wrong
        assert read != results


def test_array_that_claims_to_be_endless_is_refused_at_once():
    with pytest.raises(abi.AbiError):
        abi.decode_results(abi.word(32) + abi.word(2**255))
