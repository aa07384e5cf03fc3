"""Cache, rows, history and provider are compared: what differs is named, by how much."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from accounts.agreement import AGREES, APART, DIFFERS, UNKNOWN, Figures, Said, compare
from accounts.instant.entry import pack
from accounts.models import (
    Account,
    AuditEvent,
    Balance,
    BalanceSnapshot,
    Connection,
    SyncRun,
)
from accounts.services.instant import cache
from accounts.services.instant.rows import entry_of
from tests import fixtures_bank
from tests.automation import conftest as engine

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace, alice = fixtures_bank.workspace, engine.alice
HUNDRED = Figures(100, 90, 10)


@pytest.mark.parametrize(
    ("row", "said", "state", "off"),
    [
        (HUNDRED, Said(HUNDRED), AGREES, {}),
        (HUNDRED, Said(Figures(99, 90, 9)), DIFFERS, {"total": -1, "held": -1}),
        (None, Said(HUNDRED), UNKNOWN, {}),
        (HUNDRED, Said(why="the bank is away", lost=True), UNKNOWN, {}),
        (HUNDRED, Said(why="not kept"), APART, {}),
        # Nothing known is not the same as nothing there.
        (None, Said(Figures(0, 0, 0)), UNKNOWN, {}),
    ],
)
def test_a_place_is_compared_with_the_row(row, said, state, off):
    found = compare(row, said)

    assert (found.state, found.off) == (state, off)


def verify(**options) -> tuple[dict[str, dict], int]:
    """Return what the command prints, by account, and its exit code."""
    out, code = StringIO(), 0
    try:
        call_command("verify_balances", json=True, stdout=out, **options)
    except CommandError as error:
        code = error.returncode
    return {a["account"]: a for a in json.loads(out.getvalue())["accounts"]}, code


def keep(account: Account, off: int = 0) -> None:
    """Let the cache say what the row says, or something else."""
    fresh = Account.objects.select_related("balance", "connection").get(pk=account.pk)
    entry = entry_of(fresh)
    cache.write(
        {
            account.pk: pack(
                entry._replace(total=entry.total + off, as_of=entry.as_of + off)
            )
        }
    )


def everything() -> list:
    models = (Balance, BalanceSnapshot, Connection, SyncRun, AuditEvent)
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.django_db
def test_planted_differences_are_named_each_in_its_place(alice, bank, valkey):
    alice.fill(alice.main, 1_000_00)
    alice.sync()
    for account in (alice.main, *alice.pots):
        keep(account)
    told, code = verify()
    assert (code, {one["state"] for one in told.values()}) == (0, {AGREES})

    in_cache, in_row, in_history = alice.pots
    keep(in_cache, off=500)
    Balance.objects.filter(account=in_row).update(total=7, available=7)
    heard = {"total": 9, "available": 9, "as_of": now() + timedelta(minutes=1)}
    BalanceSnapshot.objects.create(account=in_history, **heard)
    bank.pay(alice.main.external_id, 2_50)
    before = everything()

    told, code = verify()

    assert code == 1
    assert everything() == before
    off = {
        account.pk: {
            place: {name: by["minor"] for name, by in one[place]["off"].items()}
            for place in ("cache", "snapshot", "provider")
            if one[place]["state"] == DIFFERS
        }
        for account in (alice.main, *alice.pots)
        if (one := told[str(account.pk)])
    }
    missing = {"total": "-7", "available": "-7"}
    assert off == {
        alice.main.pk: {"provider": {"total": "250", "available": "250"}},
        in_cache.pk: {"cache": {"total": "500"}},
        in_row.pk: {"snapshot": missing, "provider": missing},
        in_history.pk: {"snapshot": {"total": "9", "available": "9"}},
    }
    told, code = verify(offline=True, workspace=alice.workspace.name)
    assert (code, told[str(alice.main.pk)]["state"]) == (1, AGREES)


@pytest.mark.django_db
def test_a_bank_that_is_away_leaves_its_word_unknown(alice, settings, valkey):
    settings.PROVIDER_URLS = {alice.connection.provider: "http://127.0.0.1:9"}

    told, code = verify()

    assert code == 1
    assert {one["state"] for one in told.values()} == {UNKNOWN}
    assert {one["provider"]["total"] for one in told.values()} == {None}
    assert verify(offline=True)[1] == 0


@pytest.mark.django_db
def test_a_token_that_has_run_out_is_not_renewed(alice, valkey):
    Connection.objects.update(token_expires_at=now())
    before = everything()

    told, code = verify()

    assert (code, everything()) == (1, before)
    why = told[str(alice.main.pk)]["provider"]["why"]
    assert why == "its token has run out: sync it first"


@pytest.mark.django_db
def test_people_read_a_table(alice, valkey):
    Balance.objects.filter(account=alice.main).update(total=1_00)
    out = StringIO()

    with pytest.raises(CommandError, match="Of 4 accounts 1 differ, 0 are not known"):
        call_command("verify_balances", stdout=out)

    assert "differs: total -1.00" in out.getvalue()
    with pytest.raises(CommandError, match="no workspace nowhere"):
        call_command("verify_balances", workspace="nowhere")
