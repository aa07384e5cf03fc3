"""A run that succeeded: its end and the cooldowns that begin with it, in one statement."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet
from django.db.models.sql import UpdateQuery

from automation.models import RuleRun

# A success without its cooldown would run again too soon.
SUCCEED = """
WITH ended AS ({ended} RETURNING rule_id, trigger_id), fired AS (
  UPDATE automation_trigger t SET last_fired_at = %s
  FROM ended WHERE t.id = ended.trigger_id
)
UPDATE automation_rule r SET last_success_at = %s FROM ended WHERE r.id = ended.rule_id
"""


def succeed(ours: QuerySet[RuleRun], run: RuleRun, fields: dict[str, Any]) -> int:
    """Write `fields` to the one run in `ours` and return how many runs that was.

    Cooldowns begin with success and with nothing else: rule and trigger learn of it.
    """
    ended = ours.query.chain(UpdateQuery)
    ended.add_update_values(fields)
    sql, values = ended.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    moment = fields["finished_at"]
    with connection.cursor() as cursor:
        cursor.execute(
            SUCCEED.format(ended=sql), [*values, run.happened_at or moment, moment]
        )
        return cursor.rowcount
