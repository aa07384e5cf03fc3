"""History out and in again: the same bytes, all or nothing, and only history."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from itertools import islice

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from accounts.history.files import HEADER, read_csv
from accounts.models import Account, Balance, BalanceSnapshot, Source
from accounts.services import importing
from tests.fixtures_api import ASSET, NOON, V1, expect_problem, snapshot

HUGE = 123_456_789_012_345_678_901_234_567_890
FORMS = pytest.mark.parametrize("form", ["csv", "json"])
TYPES = {"csv": "text/csv", "json": "application/json"}


def exported(world, account: Account, form: str = "csv") -> bytes:
    answer = world.viewer.get(f"{V1}/accounts/{account.pk}/snapshots.{form}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == f"{TYPES[form]}; charset=utf-8"
    assert f'.{form}"' in answer.headers["Content-Disposition"]
    return answer.getvalue()


def send(world, account: Account, body: bytes, form: str = "csv", **headers):
    return world.admin.generic(
        "POST",
        f"{V1}/accounts/{account.pk}/snapshots/import/",
        body,
        content_type=TYPES[form],
        headers=headers,
    )


def totals(account: Account) -> list[int]:
    return list(account.snapshots.order_by("as_of").values_list("total", flat=True))


@pytest.fixture
def full(world) -> Account:
    """An account with 2,500 snapshots, of more than one source and any size."""
    account = world.mine.main
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(
            account=account,
            total=n - 9 if n else -HUGE,
            available=n - 10,
            held=1,
            as_of=NOON - timedelta(hours=n, microseconds=n),
            source=[Source.LIVE, Source.STREAM, Source.MANUAL][n % 3],
        )
        for n in range(2_500)
    )
    return account


@FORMS
def test_export_and_import_and_export_give_equal_bytes(world, full, form):
    first = exported(world, full, form)
    empty = world.mine.pot
    answer = send(world, empty, first, form)

    assert answer.status_code == 200, answer.content
    assert answer.json() == {"written": 2_500, "known": 0}
    assert exported(world, empty, form) == first
    assert len(first.splitlines()) > 2_500


def test_both_forms_say_the_same(world, full):
    rows = csv.DictReader(io.StringIO(exported(world, full).decode()))
    objects = json.loads(exported(world, full, "json"))

    for cells, told in zip(rows, objects, strict=True):
        assert cells["as_of"] == told["as_of"]
        assert cells["source"] == told["source"]
        for name in ("total", "available", "held"):
            assert told[name] == {
                "asset": cells["asset"],
                "minor": cells[f"{name}_minor"],
                "amount": cells[name],
            }
    assert objects[0]["total"]["minor"] == str(-HUGE)


def test_what_came_from_a_file_says_so_and_names_what_the_file_says(world, full):
    send(world, world.mine.pot, exported(world, full))
    path = f"{V1}/accounts/{world.mine.pot.pk}/snapshots/"

    told = world.viewer.get(path).json()["results"]

    assert {row["source"] for row in told} == {"import"}
    assert {row["origin"] for row in told} == {"live", "stream", "manual"}
    mine = world.viewer.get(f"{V1}/accounts/{full.pk}/snapshots/").json()["results"]
    assert {row["origin"] for row in mine} == {None}


@FORMS
def test_second_import_changes_nothing(world, full, form):
    body = exported(world, full, form)
    send(world, world.mine.pot, body, form)
    before = list(world.mine.pot.snapshots.order_by("pk").values_list())

    assert send(world, world.mine.pot, body, form).json() == {
        "written": 0,
        "known": 2_500,
    }
    assert send(world, full, body, form).json()["known"] == 2_500  # its own
    assert list(world.mine.pot.snapshots.order_by("pk").values_list()) == before


def line(held: int, hours: float, **cells: str) -> str:
    major = f"{held // 100}.{held % 100:02}"
    told = {
        "as_of": (NOON + timedelta(hours=hours)).isoformat(),
        "asset": ASSET,
        "total_minor": str(held),
        "total": major,
        "available_minor": str(held),
        "available": major,
        "held_minor": "0",
        "held": "0.00",
        "source": "live",
    }
    return ",".join({**told, **cells}.values())


def body(*lines: str) -> bytes:
    return "".join(f"{text}\r\n" for text in (HEADER, *lines)).encode()


def test_key_makes_an_import_happen_once(world):
    pot = world.mine.pot
    first = send(world, pot, body(line(5, 1)), **{"Idempotency-Key": "k"})
    again = send(world, pot, body(line(5, 1)), **{"Idempotency-Key": "k"})

    assert first.json() == again.json() == {"written": 1, "known": 0}
    assert again.headers["Idempotent-Replayed"] == "true"
    other = send(world, pot, body(line(6, 2)), **{"Idempotency-Key": "k"})
    expect_problem(other, 422)


def test_every_bad_line_is_named_and_nothing_is_written(world):
    pot = world.mine.pot
    snapshot(pot, 700, NOON)
    tomorrow = (now() - NOON) / timedelta(hours=1) + 24
    lines = [
        line(1, 1),
        line(2, 2, total="0.03"),  # 3
        line(701, 0),  # 4: 700 is known of that moment
        line(700, 0),
        line(4, tomorrow),  # 5 + 1
        line(5, 5),
        line(6, 5),  # 8: the file contradicts itself
        line(7, 7, asset="EUR/2"),  # 9
    ]

    problem = expect_problem(send(world, pot, body(*lines)), 400, "import_refused")

    assert [e["field"] for e in problem["errors"]] == [
        "line.3",
        "line.4",
        "line.6",
        "line.8",
        "line.9",
    ]
    assert totals(pot) == [700]


def test_only_so_many_mistakes_are_told(world):
    problem = expect_problem(send(world, world.mine.pot, body(*["x"] * 5_000)), 400)

    assert len(problem["errors"]) == importing.MOST_MISTAKES


@pytest.mark.parametrize(
    ("sent", "form"),
    [(b"", "csv"), (b"", "json"), (b"{}", "json"), (b"[]", "json"), (b"a,b", "csv")],
)
def test_what_is_no_history_is_400(world, sent, form):
    answer = send(world, world.mine.pot, sent, form)

    assert expect_problem(answer, 400)["errors"][0]["field"] == "line.1"


def test_what_is_no_text_or_too_long_is_refused(world):
    expect_problem(send(world, world.mine.pot, b"\xff\xfe"), 400)
    expect_problem(send(world, world.mine.pot, b"x" * 1_000_001), 413)
    answer = world.admin.post(
        f"{V1}/accounts/{world.mine.pot.pk}/snapshots/import/", {}, format="multipart"
    )
    expect_problem(answer, 415)


@FORMS
def test_nothing_at_all_may_be_imported(world, form):
    nothing = exported(world, world.mine.pot, form)

    assert send(world, world.mine.pot, nothing, form).json() == {
        "written": 0,
        "known": 0,
    }


def test_balance_is_what_was_heard_even_if_a_file_is_newer(world):
    main, pot = world.mine.main, Account.objects.get(pk=world.mine.pot.pk)
    Balance.objects.filter(account=pot).delete()
    before = Balance.objects.filter(account=main).values().get()

    for account in (main, pot):
        assert send(world, account, body(line(999_999_00, 50))).status_code == 200

    assert Balance.objects.filter(account=main).values().get() == before
    assert not Balance.objects.filter(account=pot).exists()
    unknown = world.viewer.get(f"{V1}/accounts/{pot.pk}/balance/").json()
    assert (unknown["status"], unknown["total"]) == ("unknown", None)


def test_archived_history_stays_as_it_is(world):
    connection = world.mine.connection
    connection.archived_at = now()
    connection.save(update_fields=["archived_at"])

    expect_problem(send(world, world.mine.main, body(line(1, 1))), 409, "archived")


def test_operator_may_not_import(world):
    path = f"{V1}/accounts/{world.mine.pot.pk}/snapshots/import/"
    for client in (world.viewer, world.operator):
        answer = client.generic("POST", path, body(line(1, 1)), content_type="text/csv")
        expect_problem(answer, 403, "role_needed")
    assert totals(world.mine.pot) == []


def test_filters_of_the_list_hold_for_files_too(world, full):
    query = {"since": (NOON - timedelta(hours=6.5)).isoformat(), "min_change": "2"}
    path = f"{V1}/accounts/{full.pk}/snapshots"

    told = json.loads(world.viewer.get(f"{path}.json", query).getvalue())
    rows = world.viewer.get(f"{path}.csv", query).getvalue().decode().splitlines()

    # The oldest first: -3, -4, -5, -6, -7, -8 and the huge debt, after -2 before them.
    assert [row["total"]["minor"] for row in told] == [str(-HUGE), "-8", "-6", "-4"]
    assert [row.split(",")[2] for row in rows[1:]] == [str(-HUGE), "-8", "-6", "-4"]


def test_export_reads_a_few_rows_at_a_time(world, full, monkeypatch):
    """The first lines are there before the last rows were asked for."""
    answer = world.viewer.get(f"{V1}/accounts/{full.pk}/snapshots.csv")

    assert len(list(islice(answer.streaming_content, 10))) == 10
    answer.close()


def test_import_reads_a_few_lines_at_a_time(world):
    """What is read is not kept: so many lines at most lie in memory."""
    taken = 0

    def endless():
        nonlocal taken
        for number in range(2, 10**9):
            taken = number
            text = io.StringIO(f"{HEADER}\n{line(1, -number, source='?')}\n")
            yield from list(read_csv(text, world.mine.pot.unit, frozenset({"live"})))

    with pytest.raises(importing.BadHistory) as refused:
        importing.import_snapshots(world.mine.pot, endless())

    assert len(refused.value.mistakes) == importing.MOST_MISTAKES
    assert taken <= importing.AT_ONCE + 1


@FORMS
def test_command_imports_a_file(world, full, tmp_path, form):
    path = tmp_path / f"history.{form}"
    path.write_bytes(exported(world, full, form))
    out = io.StringIO()

    call_command("import_snapshots", str(world.mine.pot.pk), str(path), stdout=out)

    assert out.getvalue() == "2500 written, 0 known already\n"
    assert exported(world, world.mine.pot, form) == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", body(line(1, 1), "x"), "line 3: There are 1 cells"),
        ("a.csv", b"\xff", "utf-8"),
        ("a.json", b"[\n", "line 2: The file ends"),
        ("a.txt", b"", "--format"),
    ],
)
def test_command_says_why_nothing_was_imported(world, tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(CommandError, match=said):
        call_command("import_snapshots", str(world.mine.pot.pk), str(path))
    assert totals(world.mine.pot) == []


def test_command_knows_no_such_account_and_no_such_file(world, tmp_path):
    with pytest.raises(CommandError, match="no account"):
        call_command("import_snapshots", "7", "x.csv")
    with pytest.raises(CommandError, match="No such file"):
        call_command(
            "import_snapshots", str(world.mine.pot.pk), str(tmp_path / "x.csv")
        )
