"""What rules say and how transfers end is told to the audit; what was sent stays so."""

from __future__ import annotations

from django.db import migrations

from accounts.migrations._audit import follow

# Who writes a rule through its one writer tells of it as one change.
APART = "coalesce(current_setting('balsync.told', true), '') <> 'rule'"
LEDGER = ["run_id", "move", "step", "source_id", "target_id", "amount", "asset"]
FROZEN = ["id", *LEDGER]
ENDING = ["status", "settled_at", "reference"]
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
FACTS = ", ".join(f"'{name}', {name}::text" for name in [*LEDGER, *ENDING])
# What had ended before the audit began is taken over as it is.
TAKE_OVER = f"""
INSERT INTO accounts_auditevent
  (workspace_id, created, via, actor, action, object_kind, object_id, old, new, reason,
   request_id)
SELECT a.workspace_id, clock_timestamp(), 'command', 'migrate', 'transfer.taken_over',
  'transfer', t.id::text, '{{}}', to_jsonb(t.told), '', ''
FROM (SELECT id, source_id, json_build_object({FACTS}) AS told
      FROM automation_transfer WHERE settled_at IS NOT NULL) AS t
JOIN accounts_account a ON a.id = t.source_id
"""
NAMED = ", ".join(FROZEN)
GUARD = f"""
CREATE TRIGGER what_was_planned BEFORE UPDATE OF {NAMED} ON automation_transfer
  FOR EACH ROW WHEN (({", ".join(f"OLD.{n}" for n in FROZEN)})
    IS DISTINCT FROM ({", ".join(f"NEW.{n}" for n in FROZEN)}))
  EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER no_delete BEFORE DELETE ON automation_transfer
  FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON automation_transfer
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""
UNGUARD = """
DROP TRIGGER what_was_planned ON automation_transfer;
DROP TRIGGER no_delete ON automation_transfer;
DROP TRIGGER no_truncate ON automation_transfer;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_audit"),
        ("automation", "0010_figures"),
    ]

    operations = [
        migrations.RunSQL(TAKE_OVER, migrations.RunSQL.noop),
        *FOLLOWED,
        migrations.RunSQL(TELL, UNTELL),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
