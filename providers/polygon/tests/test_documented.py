"""The sandbox answers in the form of the official exchanges, key by key and by type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import providers.polygon
from providers.polygon import blocks
from providers.polygon.holdings import MULTICALL
from providers.polygon.rpc import meaning
from providers.polygon.sandbox.methods import TRANSFER
from providers.polygon.sandbox.world import USDC, address_for

from .conftest import told

FOLDER = Path(providers.polygon.__file__).parent / "samples" / "documented"
OFFICIAL = {path.stem: json.loads(path.read_text()) for path in FOLDER.iterdir()}
FIXED = {42, 66, 514, 18}  # characters of addresses, hashes, blooms and nonces
DERIVED = address_for("alex", "derived")


def unlike(found, sample, where="answer"):
    """Yield where an answer has other keys, types or lengths than the official one."""
    if type(found) is not type(sample):
        yield f"{where} is {found!r}, not like {sample!r}"
    elif isinstance(sample, dict):
        for key in found.keys() ^ sample.keys():
            yield f"{where}.{key}"
        for key in found.keys() & sample.keys():
            yield from unlike(found[key], sample[key], f"{where}.{key}")
    elif isinstance(sample, list):
        for one in found:
            yield from unlike(one, sample[0], f"{where}[]")
    elif isinstance(sample, str):
        yield from unlike_text(found, sample, where)


def unlike_text(found, sample, where):
    if sample.startswith("0x") and not found.startswith("0x"):
        yield f"{where} is {found!r}"
    if len(sample) in FIXED and len(found) != len(sample):
        yield f"{where} has {len(found)} characters"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("block", ["latest", False]),
        ("block_not_found", ["0xfffffffff", True]),
        ("chain_id", []),
        ("call", [{"from": DERIVED, "input": "0x42cbb15c", "to": MULTICALL}, "latest"]),
        ("call_reverted", [{"input": "0x82ad56cb01", "to": MULTICALL}, "latest"]),
        ("balance", [DERIVED, "latest"]),
        ("code_of_nobody", [DERIVED, "latest"]),
        ("logs", [{"address": None, "topics": [[TRANSFER]]}]),
    ],
)
def test_answers_have_the_form_of_the_official_ones(bank, alex, name, params):
    bank.pay(f"{DERIVED}:{USDC}", 1)
    sample = OFFICIAL[name]

    answer = told(bank, {**sample["asked"], "params": params})

    assert list(unlike(answer, sample["answer"])) == []
    assert answer.get("result") != []  # an empty list has every form


def test_every_official_answer_is_compared():
    (mark,) = test_answers_have_the_form_of_the_official_ones.pytestmark

    assert {row[0] for row in mark.args[1]} == set(OFFICIAL)


def test_official_block_is_read():
    found = blocks.head(OFFICIAL["block"]["answer"]["result"])

    assert found.block.number == 0x1B
    assert found.block.hash.startswith("0x56473d5d")
    assert found.moment.timestamp() == 0x10E


def test_official_revert_is_understood():
    error = meaning(OFFICIAL["call_reverted"]["answer"]["error"])

    assert error.code == "unexpected_response"
    assert "user error" in str(error)
