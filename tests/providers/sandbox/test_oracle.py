"""An oracle is believed only as far as the books of the institution agree."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

import providers
from balsync_project.management.commands import oracle
from balsync_project.management.commands.oracle import (
    FOLDER,
    differences,
    install_node,
    oracles,
)
from providers import sandbox
from providers.base import MovesMoney

SLUG = next(s for s in sandbox.slugs() if issubclass(providers.load(s), MovesMoney))


@pytest.fixture
def bank():
    return sandbox.create(SLUG)


@pytest.fixture
def said(bank):
    """What an honest client says after one transfer."""
    customer = bank.demo_world()
    ends = customer.account.external_id, customer.pots[0].external_id
    entry = bank.move(*ends, 100)
    bank.moved = lambda dedupe_id: [entry] if dedupe_id == "one" else []
    wanted = [h.external_id for h in customer.holdings if not h.closed]
    told = {"dedupe_id": "one", "source": ends[0], "target": ends[1], "amount": "100"}
    balances = {id: str(bank.balance(id)) for id in wanted}
    return {"balances": balances, "transfers": [told]}


def test_honest_client_is_believed(bank, said):
    assert differences(bank, said) == []


def test_other_balance_is_a_difference(bank, said):
    said["balances"][bank.demo_world().account.external_id] = "1"

    assert "holds" in differences(bank, said)[0]


def test_account_that_was_not_seen_is_a_difference(bank, said):
    del said["balances"][bank.demo_world().account.external_id]

    assert "not seen" in differences(bank, said)[0]


@pytest.mark.parametrize("change", [{"amount": "99"}, {"dedupe_id": "two"}])
def test_transfer_that_was_not_made_is_a_difference(bank, said, change):
    said["transfers"][0] |= change

    assert "in the books" in differences(bank, said)[0]


def test_every_oracle_has_its_requirements_pinned_by_hash():
    for slug in oracles():
        lines = (FOLDER / slug / "oracle.txt").read_text().splitlines()
        pinned = [line for line in lines if "==" in line]
        assert pinned
        assert lines[-1].strip().startswith("--hash=sha256:")


def test_what_npm_installs_is_pinned_by_hash_and_from_no_certain_host():
    locks = [FOLDER / slug / "oracle_npm" / "package-lock.json" for slug in oracles()]
    packages = [
        about
        for lock in locks
        if lock.exists()
        for name, about in json.loads(lock.read_text())["packages"].items()
        if name
    ]

    assert packages
    assert all(about["integrity"].startswith("sha512-") for about in packages)
    assert not any("resolved" in about for about in packages)


def test_missing_npm_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match="needs npm"):
        install_node("one", tmp_path, tmp_path / "npm")


@pytest.fixture
def judged(monkeypatch):
    """Note whom the command judges, and judge nobody."""
    names = []
    monkeypatch.setattr(oracle, "environment", lambda slug: slug)
    monkeypatch.setattr(oracle, "judge", lambda slug, _: names.append(slug) or slug)
    return names


def test_genuine_nodes_and_the_other_clients_are_judged_apart(judged):
    call_command("oracle", "--npm")
    nodes = judged.copy()
    call_command("oracle", "--no-npm")
    others = judged[len(nodes) :]

    assert nodes
    assert all((FOLDER / slug / "oracle_npm").exists() for slug in nodes)
    assert others
    assert not any((FOLDER / slug / "oracle_npm").exists() for slug in others)
    judged.clear()
    call_command("oracle", "--all")
    assert sorted(judged) == sorted(nodes + others)


@pytest.mark.parametrize(
    "wish", [[], ["--all", "--npm"], [SLUG, "--no-npm"], [SLUG, "--all"]]
)
def test_it_must_be_said_once_who_is_judged(judged, wish):
    with pytest.raises(CommandError, match="Name one provider"):
        call_command("oracle", *wish)

    assert judged == []
