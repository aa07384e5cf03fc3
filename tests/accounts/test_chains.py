"""Balances of blocks: heights never go back, replaced blocks are named, history is true."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import (
    Account,
    Allowance,
    Balance,
    ChainState,
    Connection,
    SnapshotKey,
    SyncRun,
)
from accounts.reconciliation import reconcile
from accounts.services import knowledge
from accounts.services.entries import Entry
from accounts.services.recording import record
from accounts.verdicts import Heard, Known
from providers.base import Allowance as Allowed
from providers.base import Block, Observation, Place, Reading
from providers.money import Asset

ASSET = Asset("USDC", 6)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LARGEST = 2**256 - 1


@pytest.fixture
def wallet(workspace) -> Account:
    owner = Connection.objects.create(workspace=workspace, provider="chain")
    tell(owner, 24_000_000, Block(100, "0xa"), role="proxy")
    return Account.objects.get()


def reading(total: int | None, block: Block | None, **more) -> Reading:
    about = {"block": block, "balance_id": f"{block.number}:{block.hash}"}
    about["as_of"] = NOW + timedelta(seconds=2 * block.number)
    about |= {"available": total}
    return Reading("0x1:0x2", ASSET, total, **about | more)


def tell(owner: Connection, total: int, block: Block, *, superseded=(), **more):
    """Record what a chain says of the wallet."""
    heard_at = NOW + timedelta(hours=1, seconds=block.number)
    told = Observation([reading(total, block, **more)], superseded=superseded)
    run = SyncRun.objects.create(connection=owner, kind="manual")
    record([Entry(run, heard=Heard(told, heard_at, heard_at), settled=None)])
    return SyncRun.objects.get(pk=run.pk)


def known(owner: Connection) -> Known:
    return knowledge.read([owner.pk])[1][owner.pk].accounts["0x1:0x2"]


@pytest.mark.django_db
def test_block_is_stored_with_the_figures_and_given_back_to_the_provider(wallet):
    state = ChainState.objects.get(account=wallet)
    assert (state.number, state.hash) == (100, "0xa")
    assert wallet.role == "proxy"
    assert SnapshotKey.objects.get().key == "100:0xa"

    told = knowledge.read([wallet.connection_id])[1][wallet.connection_id].before()
    place = told["0x1:0x2"].place
    assert place == Place("0x1:0x2", "current", asset=ASSET, block=Block(100, "0xa"))


@pytest.mark.django_db
def test_height_never_goes_back(wallet):
    run = tell(wallet.connection, 99, Block(99, "0x9"))

    assert run.results[0]["status"] == "older"
    assert Balance.objects.get().total == 24_000_000
    assert ChainState.objects.get().number == 100


@pytest.mark.django_db
def test_higher_block_counts_even_within_the_moment_of_a_replaced_one(wallet):
    tell(wallet.connection, 5, Block(100, "0xb"), superseded=[Block(100, "0xa")])
    moment = Balance.objects.get().as_of

    tell(wallet.connection, 6, Block(101, "0xc"), as_of=moment - timedelta(seconds=1))

    balance = Balance.objects.get()
    assert (balance.total, balance.as_of) == (6, moment)
    assert [s.total for s in wallet.snapshots.order_by("as_of")] == [24_000_000, 5, 6]


@pytest.mark.django_db
def test_same_block_again_makes_no_snapshot_and_a_later_one_moves_the_height(wallet):
    tell(wallet.connection, 24_000_000, Block(100, "0xa"))
    tell(wallet.connection, 24_000_000, Block(101, "0xb"))

    assert wallet.snapshots.count() == 1
    assert ChainState.objects.get().number == 101


@pytest.mark.django_db
def test_replaced_block_is_named_and_the_chain_is_believed_again(wallet):
    old = Block(100, "0xa")
    run = tell(wallet.connection, 25_000_000, Block(98, "0x8"), superseded=[old])

    assert run.results[0]["status"] == "changed"
    balance = Balance.objects.get()
    assert balance.total == 25_000_000
    first, second = wallet.snapshots.order_by("as_of")
    assert (first.total, second.total) == (24_000_000, 25_000_000)
    keys = {k.key: k.superseded_at for k in SnapshotKey.objects.all()}
    assert keys["100:0xa"] is not None
    assert keys["98:0x8"] is None
    fields = {c.field: c.reason for c in wallet.corrections.all()}
    assert "another block" in fields["block"]


@pytest.mark.django_db
def test_snapshots_before_the_newest_block_are_superseded_with_it(wallet):
    tell(wallet.connection, 25_000_000, Block(102, "0xc"))
    tell(wallet.connection, 25_000_000, Block(103, "0xd"))
    asked = known(wallet.connection)
    assert asked.block == Block(103, "0xd")
    assert set(asked.earlier) == {Block(100, "0xa"), Block(102, "0xc")}

    gone = [Block(102, "0xc"), Block(103, "0xd")]
    tell(wallet.connection, 24_500_000, Block(103, "0xe"), superseded=gone)

    keys = {k.key: k.superseded_at is not None for k in SnapshotKey.objects.all()}
    assert keys == {"100:0xa": False, "102:0xc": True, "103:0xe": False}


@pytest.mark.django_db
def test_chain_that_comes_back_to_a_block_it_had_left_is_believed(wallet):
    a, b = Block(100, "0xa"), Block(100, "0xb")
    tell(wallet.connection, 5, b, superseded=[a])
    assert Balance.objects.get().total == 5

    tell(wallet.connection, 24_000_000, a, superseded=[b])

    assert Balance.objects.get().total == 24_000_000
    gone = {k.key for k in SnapshotKey.objects.exclude(superseded_at=None)}
    assert gone == {"100:0xb"}


@pytest.mark.django_db
def test_two_hashes_at_one_height_replace_each_other_even_unannounced(wallet):
    tell(wallet.connection, 7, Block(100, "0xc"))

    assert Balance.objects.get().total == 7
    assert SnapshotKey.objects.get(key="100:0xa").superseded_at is not None


@pytest.mark.django_db
def test_other_figures_of_the_same_block_are_not_believed(wallet):
    run = tell(wallet.connection, 7, Block(100, "0xa"))

    assert run.error_code == "id_reused"
    assert Balance.objects.get().total == 24_000_000


@pytest.mark.django_db
def test_what_is_not_final_may_change_while_the_final_block_stays(wallet):
    block = Block(100, "0xa")
    held = {"available": 20_000_000, "held": 4_000_000, "unconfirmed": 20_000_000}

    tell(wallet.connection, 24_000_000, block, balance_id="", **held)

    balance = Balance.objects.get()
    assert (balance.total, balance.available) == (24_000_000, 20_000_000)
    tell(wallet.connection, 20_000_000, Block(101, "0xb"))
    assert Balance.objects.get().total == 20_000_000
    assert [s.available for s in wallet.snapshots.order_by("as_of")] == [
        24_000_000,
        20_000_000,
        20_000_000,
    ]


@pytest.mark.django_db
def test_what_was_leaving_may_stay_after_all_while_the_final_block_stays(wallet):
    block = Block(100, "0xa")
    leaving = {"available": 20_000_000, "held": 4_000_000, "unconfirmed": 20_000_000}
    tell(wallet.connection, 24_000_000, block, balance_id="100:0xa:20000000", **leaving)

    run = tell(wallet.connection, 24_000_000, block)

    assert run.results[0]["status"] == "changed"
    assert Balance.objects.get().available == 24_000_000
    assert [k.key for k in SnapshotKey.objects.order_by("pk")] == [
        "100:0xa",
        "100:0xa:20000000",
    ]


@pytest.mark.django_db
def test_snapshot_from_which_money_was_leaving_is_superseded_with_its_block(wallet):
    leaving = {"available": 20_000_000, "held": 4_000_000, "unconfirmed": 20_000_000}
    block, named = Block(101, "0xb"), {"balance_id": "101:0xb:20000000"}
    tell(wallet.connection, 24_000_000, block, **leaving, **named)
    tell(wallet.connection, 24_000_000, Block(102, "0xc"), **leaving, balance_id="x")
    assert set(known(wallet.connection).earlier) == {Block(100, "0xa"), block}

    gone = [block, Block(102, "0xc")]
    tell(wallet.connection, 9, Block(102, "0xd"), superseded=gone)

    keys = {k.key: k.superseded_at is not None for k in SnapshotKey.objects.all()}
    assert keys == {"100:0xa": False, "101:0xb:20000000": True, "102:0xd": False}
    tell(wallet.connection, 24_000_000, block, superseded=[Block(102, "0xd")])
    assert SnapshotKey.objects.get(key=named["balance_id"]).superseded_at is None


@pytest.mark.django_db
def test_allowances_are_exact_and_end_when_they_are_told_no_more(wallet):
    both = [Allowed("0xe", 5, name="Exchange"), Allowed("0xf", LARGEST, unlimited=True)]
    tell(wallet.connection, 1, Block(101, "0xb"), allowances=both, unconfirmed=3)
    assert ChainState.objects.get().unconfirmed == 3
    kept = dict(Allowance.objects.values_list("spender", "amount"))
    assert kept == {"0xe": 5, "0xf": LARGEST}

    tell(wallet.connection, 1, Block(102, "0xc"))  # nobody told of them
    assert Allowance.objects.count() == 2

    tell(wallet.connection, 1, Block(103, "0xd"), allowances=both[1:])
    assert [row.spender for row in Allowance.objects.all()] == ["0xf"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"block": Block(-1, "0xa")}, "no_block"),
        ({"block": Block(2**63, "0xa")}, "no_block"),
        ({"block": Block(1, "")}, "no_block"),
        ({"allowances": [Allowed("0xe", -1)]}, "not_money"),
        ({"allowances": [Allowed("0xe", 1), Allowed("0xe", 2)]}, "no_block"),
        ({"allowances": [Allowed("", 1)]}, "no_block"),
        ({"unconfirmed": 0.5}, "not_money"),
    ],
)
def test_nonsense_of_a_chain_discredits_the_answer(more, code):
    told = Observation([replace(reading(1, Block(1, "0xa")), **more)])

    assert reconcile({}, Heard(told, NOW, NOW)).error_code == code


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50), st.booleans())))
def test_known_height_only_sinks_where_the_chain_took_its_block_back(steps):
    state = Known(UUID(int=1), str(ASSET), name="")
    for number, total, fork in steps:
        block = Block(number, f"0x{number}{'f' if fork else ''}")
        gone = [state.block] if fork and state.block else []
        told = Observation([reading(total, block, balance_id="")], superseded=gone)
        at = NOW + timedelta(days=1)
        before = state.block
        verdict = reconcile({"0x1:0x2": state}, Heard(told, at, at))
        for _, believed in verdict.chained:
            if before and believed.block.number < before.number:
                assert before in [block for _, block in verdict.superseded]
            new = verdict.accepted[-1]
            assert state.as_of is None or new.as_of >= state.as_of
            state.block, state.total, state.available = believed.block, total, total
            state.as_of, state.fetched_at = new.as_of, at
