"""A run that ends writes its event in the same transaction, whoever writes the end."""

from __future__ import annotations

from django.db import migrations

# Nothing is written where nobody who can be reached wants to hear of it.
TELL = """
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


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_events"),
        ("automation", "0008_trigger_problems"),
    ]

    operations = [migrations.RunSQL(TELL.replace("{told}", TOLD), SILENCE)]
