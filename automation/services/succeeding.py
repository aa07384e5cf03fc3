"""A run that succeeded: its end and the cooldowns that begin with it, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from automation.models import RuleRun, Transfer

from .booking import ENTER, HOLD, announce, entries
from .compiled import Exchange
from .prepared import execute
from .waiting import WAITING

# A success without its cooldown would run again too soon. Who waits for an account that
# it left, or for money that it moved, is looked for on the way: none of that depends on
# how it ends.
END = """
ended AS ({ended} RETURNING rule_id, trigger_id), fired AS (
  UPDATE automation_trigger t SET last_fired_at = greatest(t.last_fired_at, %s)
  FROM ended WHERE t.id = ended.trigger_id
), cooling AS (
  UPDATE automation_rule r SET last_success_at = %s FROM ended
  WHERE r.id = ended.rule_id RETURNING r.id
)"""
SUCCEED = f"""
WITH {END}
SELECT w.* FROM cooling LEFT JOIN ({{waiting}}) AS w (waits, whose) ON true
"""
# Most runs end with a transfer, and that end is written along with theirs. The run is
# held before its transfer, as everywhere. If another worker has the run, the transfer
# has still come to its end.
FINISH = f"""
WITH {HOLD}, mine AS (
  SELECT id FROM automation_rulerun
  WHERE id = %s AND EXISTS (SELECT 1 FROM held) FOR NO KEY UPDATE
), {ENTER}, {END}, w (waits, whose) AS MATERIALIZED ({{waiting}})
SELECT e.*, c.id, w.* FROM settled LEFT JOIN entered e ON true
LEFT JOIN cooling c ON true LEFT JOIN w ON c.id IS NOT NULL
"""


def succeed(exchange: Exchange, run: RuleRun, fields: dict[str, Any]) -> bool:
    """Write `fields` to `run` by `exchange`; False where somebody was faster.

    Cooldowns begin with success and with nothing else: rule and trigger learn of it.
    A run that succeeds late brings back no pay cycle that a newer one has ended. The
    run keeps who waited for it.
    """
    ended, values = exchange.statement(run, fields)
    _, waiting, given = WAITING.statement(run.pk, fields["finished_at"])
    sql = SUCCEED.format(ended=ended, waiting=waiting)
    told = [*values, *moments(run, fields), *given]
    found = execute(sql, told).fetchall()
    if found:
        run.waiting = known(found)
    return bool(found)


def finish(
    last: tuple[Exchange, Transfer, Mapping[str, Any], Mapping[str, int]],
    ending: tuple[Exchange, RuleRun, Mapping[str, Any]],
) -> tuple[bool, bool]:
    """Write the end of a transfer, as `book` does, and the success that comes with it.

    Returns whether the one was written, and whether the other was: where somebody was
    faster with the transfer, neither is.
    """
    settling, row, fields, balances = last
    exchange, run, more = ending
    settled, values = settling.statement(row, fields)
    ended, theirs = exchange.statement(run, more)
    _, waiting, given = WAITING.statement(run.pk, more["finished_at"])
    sql = FINISH.format(
        settled=settled,
        holder="mine",
        ended=f"{ended} AND EXISTS (SELECT 1 FROM settled)",
        waiting=waiting,
    )
    told = [row.source.connection_id, run.pk, *values, *entries(row, balances)]
    told += [*theirs, *moments(run, more), *given]
    found = execute(sql, told).fetchall()
    announce(row, {each[0]: each[:4] for each in found}.values())
    succeeded = any(each[4] is not None for each in found)
    if succeeded:
        run.waiting = known(dict.fromkeys(each[5:] for each in found))
    return bool(found), succeeded


def moments(run: RuleRun, fields: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return when its trigger fired last, and when its rule succeeded."""
    return run.happened_at or fields["finished_at"], fields["finished_at"]


def known(rows: Iterable[Sequence[UUID | None]]) -> list[Sequence[UUID | None]]:
    """Return those who wait: where nobody does, a row says so."""
    return [row for row in rows if row[0] is not None]
