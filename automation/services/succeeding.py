"""A run that succeeded: its end and the cooldowns that begin with it, all at once."""

from __future__ import annotations

from typing import Any

from automation.models import RuleRun

from .compiled import Exchange
from .prepared import execute
from .waiting import WAITING

# A success without its cooldown would run again too soon. Who waits for an account that
# it left, or for money that it moved, is looked for on the way: none of that depends on
# how it ends.
SUCCEED = """
WITH ended AS ({ended} RETURNING rule_id, trigger_id), fired AS (
  UPDATE automation_trigger t SET last_fired_at = greatest(t.last_fired_at, %s)
  FROM ended WHERE t.id = ended.trigger_id
), cooling AS (
  UPDATE automation_rule r SET last_success_at = %s FROM ended
  WHERE r.id = ended.rule_id RETURNING r.id
)
SELECT w.* FROM cooling LEFT JOIN ({waiting}) AS w (waits, whose) ON true
"""


def succeed(exchange: Exchange, run: RuleRun, fields: dict[str, Any]) -> bool:
    """Write `fields` to `run` by `exchange`; False where somebody was faster.

    Cooldowns begin with success and with nothing else: rule and trigger learn of it.
    A run that succeeds late brings back no pay cycle that a newer one has ended. The
    run keeps who waited for it.
    """
    ended, values = exchange.statement(run, fields)
    moment = fields["finished_at"]
    _, waiting, given = WAITING.statement(run.pk, moment)
    sql = SUCCEED.format(ended=ended, waiting=waiting)
    told = [*values, run.happened_at or moment, moment, *given]
    found = execute(sql, told).fetchall()
    if found:
        run.waiting = [row for row in found if row[0] is not None]
    return bool(found)
