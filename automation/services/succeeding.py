"""A run that succeeded: its end and the cooldowns that begin with it, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from automation.models import RuleRun, Transfer
from automation.rules.identity import RETRY

from .booking import ENTER, HOLD, SENT, TOLD, Told, announce, entries, sorted_out
from .compiled import Exchange
from .prepared import execute
from .waiting import WAITERS

# A success without its cooldown would run again too soon. Whether anybody waits is looked
# for on the way: that does not depend on how it ends.
# What tries a part again has succeeded with an occurrence that began them before.
END = f"""
ended AS (
  {{ended}} RETURNING t.id, t.rule_id, t.trigger_id, t.finished_at, t.key
), {{locks}}
cooling AS (
  UPDATE automation_rule r SET last_success_at = CASE
    WHEN starts_with(ended.key, '{RETRY}') THEN r.last_success_at
    ELSE ended.finished_at END
  FROM ended WHERE r.id = ended.rule_id {{rules}} RETURNING ended.id
), {{fired}} waiting AS MATERIALIZED ({{waiting}})"""
FIRED = """fired AS (
  UPDATE automation_trigger f SET last_fired_at = greatest(f.last_fired_at, v.moment)
  FROM ended JOIN (VALUES {fired}) AS v(run_id, moment) ON v.run_id = ended.id
  WHERE f.id = ended.trigger_id AND (SELECT count(*) FROM {triggers}) > 0
),"""
# An UPDATE takes rows in any order, so several rules and triggers are locked first.
IN_ORDER = """
rules AS (
  SELECT id FROM automation_rule WHERE id IN (SELECT rule_id FROM ended)
  ORDER BY id FOR NO KEY UPDATE
), triggers AS (
  SELECT id FROM automation_trigger WHERE id IN (SELECT trigger_id FROM ended)
  AND (SELECT count(*) FROM rules) > 0 ORDER BY id FOR NO KEY UPDATE
),"""
FIRING = "(%s::uuid, %s::timestamptz)"
NOBODY = "SELECT NULL::uuid WHERE false"
# What came of it, as rows of one kind: who has succeeded, and whether somebody waits.
SUCCEED = f"""
WITH {END}
SELECT 'ended', id FROM cooling UNION ALL SELECT 'waits', id FROM waiting AS w(id)
"""
# Most runs end with a transfer, and that end is written along with theirs. The run is
# held before its transfer, as everywhere. If another worker has the run, the transfer
# has still come to its end.
FINISH = f"""
WITH {HOLD}, mine AS (
  SELECT id FROM automation_rulerun
  WHERE id = ANY(%s) AND (SELECT count(*) FROM held) > 0
  ORDER BY id FOR NO KEY UPDATE
), {{sent}} {ENTER}, {END}
{TOLD} UNION ALL SELECT 'ended', id, NULL, NULL, NULL FROM cooling
UNION ALL SELECT 'waits', id, NULL, NULL, NULL FROM waiting AS w(id)
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
    run knows if nobody waited.
    """
    ended, values = exchange.statement([(run, fields)])
    end, told = parts([(run, fields)], ended)
    found = sorted_out(execute(SUCCEED.format(**end), [*values, *told]).fetchall())
    if not found["ended"]:
        return False
    run.moved = True  # perhaps by another worker: who waits for that money is asked
    if not found["waits"]:
        run.waiting = []
    return True


def finish(
    settling: Exchange, exchange: Exchange, endings: Sequence[Ending]
) -> tuple[set[UUID], set[UUID]]:
    """Write the ends of transfers, as `book` does, and the successes that come with them.

    No two of them share a connection, and each exchange makes its changes alike. Returns
    the transfers that were written, and the runs: where somebody was faster with the
    transfer, neither is. A run by itself knows if nobody waited.
    """
    lasts = [(end.row, end.fields) for end in endings]
    overs = [(end.run, end.more) for end in endings]
    settled, values = settling.statement(lasts)
    ended, theirs = exchange.statement(overs)
    entered, amounts = entries([(end.row, end.told) for end in endings])
    end, told = parts(overs, f"{ended} AND t.id IN (SELECT run_id FROM settled)")
    several = len(endings) > 1
    sql = FINISH.format(
        settled=settled,
        sent=f"{SENT.format(after='mine')}," if several else "",
        holder="sent" if several else "mine",
        entries=entered,
        **end,
    )
    given = [
        [row.source.connection_id for row, _ in lasts],
        [run.pk for run, _ in overs],
        *([[row.pk for row, _ in lasts]] if several else ()),
        *(*values, *amounts, *theirs, *told),
    ]
    found = sorted_out(execute(sql, given, joined=len(endings)).fetchall())
    announce([row for row, _ in lasts], found["entered"])
    succeeded = {pk for pk, *_ in found["ended"]}
    if not several and succeeded and not found["waits"]:
        overs[0][0].waiting = []
    return {pk for pk, *_ in found["settled"]}, succeeded


def parts(
    overs: Sequence[tuple[RuleRun, Mapping[str, Any]]], ended: str
) -> tuple[dict[str, str], list[Any]]:
    """Return the parts of END for runs that `ended` writes, and what those are given.

    Of several nobody is looked for who waits: the statement waits for many connections,
    and knows only who sat down before.
    """
    several = len(overs) > 1
    made = {"ended": ended, "locks": "", "rules": "", "fired": "", "waiting": NOBODY}
    if several:
        made["locks"] = IN_ORDER
        made["rules"] = "AND (SELECT count(*) FROM rules) > 0"
    told: list[Any] = []
    for run, fields in overs:
        if run.trigger_id is not None:
            told += [run.pk, run.happened_at or fields["finished_at"]]
    if told:
        places = ", ".join([FIRING] * (len(told) // 2))
        after = "triggers" if several else "cooling"
        made["fired"] = FIRED.format(fired=places, triggers=after)
    if not several:
        run, fields = overs[0]
        where = run.rule.workspace_id, fields["finished_at"]
        _, made["waiting"], asked = WAITERS.statement(*where)
        told += asked
    return made, told
