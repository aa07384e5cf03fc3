"""Ends of runs are events; what rules say and how transfers end is told to the audit.

Both are written in the transaction of what they tell of, whoever writes that.
"""

from __future__ import annotations

from django.db import migrations

from accounts.migrations._audit import follow

# Nothing is written where nobody who can be reached wants to hear of it.
TELL_RUN = """
CREATE FUNCTION automation_tell_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  told text := CASE
    WHEN NEW.status = 'nothing_to_do' OR NEW.status LIKE 'skipped%' THEN 'run_skipped'
    ELSE 'run_' || NEW.status END;
BEGIN
  INSERT INTO accounts_event
    (id, created, workspace_id, kind, phase, severity, subject_kind, subject_id, key,
     text, data)
  SELECT gen_random_uuid(), clock_timestamp(), r.workspace_id, told, 'once',
    CASE told WHEN 'run_failed' THEN 'error'
      WHEN 'run_partial' THEN 'warning' WHEN 'run_missed' THEN 'warning'
      ELSE 'info' END,
    'run', NEW.id, told || ':' || NEW.rule_id,
    r.name || ': ' || replace(NEW.status, '_', ' ')
      || CASE WHEN NEW.reason = '' THEN '' ELSE ' – ' || NEW.reason END,
    jsonb_build_object('run', NEW.id, 'rule', NEW.rule_id, 'name', r.name,
      'status', NEW.status, 'reason', NEW.reason, 'key', NEW.key, 'dry', NEW.dry)
  FROM automation_rule r
  WHERE r.id = NEW.rule_id AND EXISTS (
    SELECT 1 FROM accounts_preference p JOIN accounts_channel c
      ON c.preference_id = p.id AND c.enabled
    WHERE p.workspace_id = r.workspace_id AND p.kinds @> to_jsonb(told));
  RETURN NULL;
END $$;

CREATE TRIGGER tell_new_run AFTER INSERT ON automation_rulerun FOR EACH ROW
  WHEN ({told}) EXECUTE FUNCTION automation_tell_run();
CREATE TRIGGER tell_run AFTER UPDATE OF status ON automation_rulerun FOR EACH ROW
  WHEN (NEW.status IS DISTINCT FROM OLD.status AND ({told}))
  EXECUTE FUNCTION automation_tell_run();
"""
TOLD = """
  NEW.status IN ('succeeded', 'partial', 'failed', 'cancelled', 'missed', 'notified',
                 'nothing_to_do')
  OR NEW.status LIKE 'skipped%'
"""
SILENCE = """
DROP TRIGGER tell_new_run ON automation_rulerun;
DROP TRIGGER tell_run ON automation_rulerun;
DROP FUNCTION automation_tell_run();
"""

# Who writes a rule through its one writer tells of it as one change.
APART = "coalesce(current_setting('balsync.told', true), '') <> 'rule'"
FOLLOWED = [
    follow(
        "automation_rule",
        "rule",
        [
            *("name", "kind", "asset", "enabled", "priority", "timezone", "rest"),
            *("on_stale", "on_short", "max_staleness_seconds", "max_lateness_seconds"),
            *("cooldown_seconds", "plan_ttl_seconds", "notice_seconds", "approval"),
            *("tolerance", "conditions", "pay_cycle", "round_to", "min_move"),
            *("per_move", "per_run", "per_day", "per_rule", "archived_at"),
        ],
        switches={"archived_at": ["archived", "restored"]},
        when=APART,
        often=True,
    ),
    follow(
        "automation_ruleleg",
        "ruleleg",
        [
            *("rule_id", "account_id", "accounts", "role", "order", "strategy"),
            *("amount", "share", "keep", "keep_share", "floor", "target", "cap"),
            *("max_share", "min_move", "low", "high", "due", "unit", "multiplier"),
        ],
        way="rule_id",
        parent="automation_rule",
        when=APART,
    ),
    follow(
        "automation_trigger",
        "trigger",
        [
            *("rule_id", "kind", "expression", "day", "weekday", "nth", "hour"),
            *("minute", "minutes", "anchor", "business_day", "calendar", "min_amount"),
            *("max_amount", "pattern", "merchant", "category", "look_back_days"),
            *("cooldown_days", "start_day", "end_day", "account_id", "above", "below"),
            *("rearm", "upstream_id", "min_moved"),
        ],
        way="rule_id",
        parent="automation_rule",
        when=APART,
        often=True,
    ),
]
# How each transfer ended, with all that the ledger says of it: so it is in the chain. A
# function of its own, because it is called for every transfer.
TELL = """
CREATE FUNCTION automation_audit_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  who CONSTANT jsonb := nullif(current_setting('balsync.actor', true), '')::jsonb;
  part CONSTANT text := nullif(current_setting('balsync.part', true), '');
BEGIN
  INSERT INTO accounts_auditevent
    (workspace_id, created, via, user_id, actor, key_id, action, object_kind, object_id,
     old, new, reason, request_id)
  SELECT a.workspace_id, clock_timestamp(),
    coalesce(who ->> 'via', CASE WHEN part IS NULL THEN 'database'
                                 WHEN part LIKE 'manage.py%' THEN 'command'
                                 ELSE 'job' END),
    (who ->> 'user')::bigint,
    left(coalesce(who ->> 'name', part, session_user), 200),
    nullif(who ->> 'key', '')::uuid,
    'transfer.' || NEW.status, 'transfer', NEW.id::text,
    CASE WHEN TG_OP = 'UPDATE' THEN jsonb_build_object('status', OLD.status)
         ELSE '{}' END,
    jsonb_build_object('run_id', NEW.run_id, 'move', NEW.move::text,
      'step', NEW.step::text, 'source_id', NEW.source_id, 'target_id', NEW.target_id,
      'amount', NEW.amount::text, 'asset', NEW.asset, 'status', NEW.status,
      'settled_at', NEW.settled_at, 'reference', NEW.reference),
    coalesce(who ->> 'reason', ''), coalesce(who ->> 'request', '')
  FROM accounts_account a WHERE a.id = NEW.source_id;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_insert AFTER INSERT ON automation_transfer
  FOR EACH ROW WHEN (NEW.settled_at IS NOT NULL)
  EXECUTE FUNCTION automation_audit_transfer();
CREATE TRIGGER audit_update AFTER UPDATE OF status, settled_at, reference
  ON automation_transfer FOR EACH ROW
  WHEN (NEW.settled_at IS NOT NULL
        AND (OLD.status, OLD.settled_at, OLD.reference)
            IS DISTINCT FROM (NEW.status, NEW.settled_at, NEW.reference))
  EXECUTE FUNCTION automation_audit_transfer();
"""
UNTELL = """
DROP TRIGGER audit_insert ON automation_transfer;
DROP TRIGGER audit_update ON automation_transfer;
DROP FUNCTION automation_audit_transfer();
"""


class Migration(migrations.Migration):
    # Installations that ran these have what this makes.
    replaces = [
        ("automation", "0009_run_events"),
        ("automation", "0011_audit"),
    ]
    dependencies = [
        ("accounts", "0004_audit"),
        ("automation", "0002_what_stays"),
    ]

    operations = [
        migrations.RunSQL(TELL_RUN.replace("{told}", TOLD), SILENCE),
        *FOLLOWED,
        migrations.RunSQL(TELL, UNTELL),
    ]
