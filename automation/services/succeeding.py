"""A run that succeeded: its end and the cooldowns that begin with it, all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from automation.models import RuleRun, Transfer

from .booking import ENTER, HOLD, Told, announce, entries
from .compiled import Exchange
from .prepared import execute
from .waiting import WAITING

# A success without its cooldown would run again too soon. Who waits for an account that
# it left, or for money that it moved, is looked for on the way: none of that depends on
# how it ends.
# An UPDATE takes rows in any order, so rules and then triggers are locked first.
END = """
ended AS ({ended} RETURNING t.id, t.rule_id, t.trigger_id, t.finished_at), rules AS (
  SELECT id FROM automation_rule WHERE id IN (SELECT rule_id FROM ended)
  ORDER BY id FOR NO KEY UPDATE
), triggers AS (
  SELECT id FROM automation_trigger WHERE id IN (SELECT trigger_id FROM ended)
  AND (SELECT count(*) FROM rules) > 0 ORDER BY id FOR NO KEY UPDATE
), fired AS (
  UPDATE automation_trigger f SET last_fired_at = greatest(f.last_fired_at, v.moment)
  FROM ended JOIN (VALUES {fired}) AS v(run_id, moment) ON v.run_id = ended.id
  WHERE f.id = ended.trigger_id AND (SELECT count(*) FROM triggers) > 0
), cooling AS (
  UPDATE automation_rule r SET last_success_at = ended.finished_at FROM ended
  WHERE r.id = ended.rule_id AND (SELECT count(*) FROM rules) > 0 RETURNING ended.id
), waiting AS MATERIALIZED ({waiting})"""
FIRED = "(%s::uuid, %s::timestamptz)"
NOBODY = "SELECT NULL::uuid, NULL::uuid WHERE false"
# What came of it, as rows of one kind: who has succeeded, and who waits for it.
SUCCEED = f"""
WITH {END}
SELECT 'ended', id, NULL::uuid FROM cooling
UNION ALL SELECT 'waits', w.* FROM waiting w
"""
# Most runs end with a transfer, and that end is written along with theirs. The run is
# held before its transfer, as everywhere. If another worker has the run, the transfer
# has still come to its end.
FINISH = f"""
WITH {HOLD}, mine AS (
  SELECT id FROM automation_rulerun
  WHERE id = ANY(%s) AND (SELECT count(*) FROM held) > 0
  ORDER BY id FOR NO KEY UPDATE
), lasts AS (
  SELECT id FROM automation_transfer
  WHERE id = ANY(%s) AND (SELECT count(*) FROM mine) > 0
  ORDER BY id FOR NO KEY UPDATE
), {ENTER}, {END}
SELECT 'ended', id, NULL::uuid, NULL::numeric, NULL::numeric, NULL::numeric FROM cooling
UNION ALL SELECT 'waits', w.*, NULL, NULL, NULL FROM waiting w
UNION ALL SELECT 'settled', id, NULL, NULL, NULL, NULL FROM settled
UNION ALL SELECT 'entered', account_id, NULL, total, available, moved FROM entered
"""


@dataclass(slots=True)
class Ending:
    """A run that succeeds as its last transfer ends: what is written of both."""

    row: Transfer
    fields: Mapping[str, Any]
    told: Told
    run: RuleRun
    more: Mapping[str, Any]


def succeed(exchange: Exchange, run: RuleRun, fields: Mapping[str, Any]) -> bool:
    """Write `fields` to `run` by `exchange`; False where somebody was faster.

    Cooldowns begin with success and with nothing else: rule and trigger learn of it.
    A run that succeeds late brings back no pay cycle that a newer one has ended. The
    run keeps who waited for it.
    """
    ended, values = exchange.statement([(run, fields)])
    fired, moments = firing([(run, fields)])
    _, waiting, asked = WAITING.statement((run.pk,), fields["finished_at"])
    sql = SUCCEED.format(ended=ended, fired=fired, waiting=waiting)
    found = sorted_out(execute(sql, [*values, *moments, *asked]).fetchall())
    if found["ended"]:
        run.waiting = found["waits"]
    return bool(found["ended"])


def finish(
    settling: Exchange, exchange: Exchange, endings: Sequence[Ending]
) -> tuple[set[UUID], set[UUID]]:
    """Write the ends of transfers, as `book` does, and the successes that come with them.

    No two of them share a connection, and each exchange makes its changes alike. Returns
    the transfers that were written, and the runs: where somebody was faster with the
    transfer, neither is. A run by itself keeps who waited for it. Of several nobody is
    looked for: the statement waits for many connections, and knows only who sat down
    before.
    """
    lasts = [(end.row, end.fields) for end in endings]
    overs = [(end.run, end.more) for end in endings]
    settled, values = settling.statement(lasts)
    ended, theirs = exchange.statement(overs)
    entered, amounts = entries([(end.row, end.told) for end in endings])
    fired, moments = firing(overs)
    waiting, asked = NOBODY, list[Any]()
    if len(endings) == 1:
        run, more = overs[0]
        _, waiting, asked = WAITING.statement((run.pk,), more["finished_at"])
    sql = FINISH.format(
        settled=settled,
        holder="lasts",
        entries=entered,
        ended=f"{ended} AND t.id IN (SELECT run_id FROM settled)",
        fired=fired,
        waiting=waiting,
    )
    told = [
        [row.source.connection_id for row, _ in lasts],
        [run.pk for run, _ in overs],
        [row.pk for row, _ in lasts],
        *(*values, *amounts, *theirs, *moments, *asked),
    ]
    found = sorted_out(execute(sql, told, anew=len(endings) > 1).fetchall())
    announce([row for row, _ in lasts], [(a, *m) for a, _, *m in found["entered"]])
    succeeded = {pk for pk, *_ in found["ended"]}
    if len(endings) == 1 and succeeded:
        overs[0][0].waiting = [(pk, whose) for pk, whose, *_ in found["waits"]]
    return {pk for pk, *_ in found["settled"]}, succeeded


def firing(
    overs: Iterable[tuple[RuleRun, Mapping[str, Any]]],
) -> tuple[str, list[Any]]:
    """Return the places of when the triggers of runs have fired, and that."""
    told: list[Any] = []
    for run, fields in overs:
        told += [run.pk, run.happened_at or fields["finished_at"]]
    return ", ".join([FIRED] * (len(told) // 2)), told


def sorted_out(rows: Iterable[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    """Return what came of a statement by its kind."""
    found = defaultdict[str, list[Sequence[Any]]](list)
    for kind, *row in rows:
        found[kind].append(row)
    return found
