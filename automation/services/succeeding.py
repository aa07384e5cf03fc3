"""A run that succeeded: its end and the cooldowns that begin with it, in one statement."""

from __future__ import annotations

from typing import Any

from automation.models import RuleRun

from .compiled import Exchange
from .prepared import execute

# A success without its cooldown would run again too soon.
SUCCEED = """
WITH ended AS ({ended} RETURNING rule_id, trigger_id), fired AS (
  UPDATE automation_trigger t SET last_fired_at = greatest(t.last_fired_at, %s)
  FROM ended WHERE t.id = ended.trigger_id
)
UPDATE automation_rule r SET last_success_at = %s FROM ended WHERE r.id = ended.rule_id
"""


def succeed(exchange: Exchange, run: RuleRun, fields: dict[str, Any]) -> int:
    """Write `fields` to `run` by `exchange` and return how many runs that was.

    Cooldowns begin with success and with nothing else: rule and trigger learn of it.
    A run that succeeds late brings back no pay cycle that a newer one has ended.
    """
    sql, values = exchange.statement(run, fields)
    moment = fields["finished_at"]
    told = [*values, run.happened_at or moment, moment]
    return execute(SUCCEED.format(ended=sql), told).rowcount
