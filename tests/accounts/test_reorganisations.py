"""Chains are reorganised under load: balances and history stay what the chain says."""

from __future__ import annotations

import random
import threading

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Account,
    Balance,
    ChainState,
    Correction,
    SnapshotKey,
    Workspace,
)
from providers.drivers import gates
from providers.sandbox import registry, serve

CHAINS = [s for s in registry.slugs() if "reorg" in registry.load(s).happenings]
PEOPLE, ROUNDS, DEPTH = 6, 12, 5


def disturb(bank, over: threading.Event, seed: int) -> None:
    """Let money move, not final at first, blocks come, and some of them go again."""
    chance = random.Random(seed)
    names = [bank.customer(name).account.external_id for name in bank.customers()]
    while not over.wait(0.05):
        bank.pay(chance.choice(names), chance.randint(1, 10**6), pending=True)
        if chance.random() < 0.2:
            bank.do("reorg", depth=DEPTH)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("slug", CHAINS)
def test_history_is_true_after_reorganisations_under_load(slug, settings):
    gates.configure(None)
    with serve(slug) as box:
        settings.PROVIDER_URLS = box.urls()
        bank, home = box[slug], Workspace.objects.create(name="home")
        people = bank.add_customers([f"p{number}" for number in range(PEOPLE)])
        rows = [services.connect(home, slug, p.credentials) for p in people]
        over = threading.Event()
        storm = threading.Thread(target=disturb, args=(bank, over, 7))
        storm.start()
        try:
            for number in range(ROUNDS):
                services.sync(rows, "periodic")
                if number % 3 == 0:
                    replace_what_was_stored(bank)
        finally:
            over.set()
            storm.join()
        bank.do("mine", blocks=DEPTH)
        for person in people:  # that every wallet has something to tell in the end
            bank.pay(person.account.external_id, 1)
        bank.do("finalise")
        runs = services.sync(rows, "manual")

        assert {run.status for run in runs} == {"ok"}
        for row in Account.objects.select_related("balance", "chain"):
            final = row.chain
            assert bank.chain.hash(final.number) == final.hash
            assert row.balance.total == bank.held_at(row.external_id, final.number)
        check_names(bank)


def replace_what_was_stored(bank) -> None:
    """Put other blocks in the place of those whose figures were just stored."""
    known = ChainState.objects.order_by("number").values_list("number", flat=True)
    with bank.lock:
        top = bank.chain.top(bank.now)
        bank.do("reorg", depth=max(DEPTH, top - known.last() + 1))


def check_names(bank) -> None:
    """Look whether each name of a snapshot is of the chain, or said to be of it no more."""
    kept = 0
    for key in SnapshotKey.objects.select_related("account"):
        number, hash, *_ = key.key.split(":")
        alive = bank.chain.hash(int(number)) == hash
        assert (key.superseded_at is None) == alive, key.key
        if alive:
            kept += 1
            snapshot = key.account.snapshots.get(as_of=key.as_of)
            held = bank.held_at(key.account.external_id, int(number))
            assert snapshot.total == held, key.key
    assert kept
    replaced = Correction.objects.filter(field="block")
    assert replaced.exists(), "no block that was stored was ever replaced"
    assert Balance.objects.filter(as_of__gt=now()).count() == 0
    assert ChainState.objects.exists()
