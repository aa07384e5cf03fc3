"""An announcement is told each time that it is made, and none for another."""

from __future__ import annotations

from django.db import migrations

# What tells alike is held back from people for a while: each announcement is alike to
# nothing, because until it is over a person may cancel what it tells of.
TELL_RUN = """
CREATE OR REPLACE FUNCTION automation_tell_run() RETURNS trigger LANGUAGE plpgsql AS $$
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
    'run', NEW.id, told || ':' || NEW.rule_id{own},
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

DROP TRIGGER tell_run ON automation_rulerun;
CREATE TRIGGER tell_run AFTER UPDATE OF {columns} ON automation_rulerun FOR EACH ROW
  WHEN (({changed}) AND (
    NEW.status IN ('succeeded', 'partial', 'failed', 'cancelled', 'missed', 'notified',
                   'nothing_to_do')
    OR NEW.status LIKE 'skipped%'))
  EXECUTE FUNCTION automation_tell_run();
"""
BECOMES = "NEW.status IS DISTINCT FROM OLD.status"
ANEW = "NEW.status = 'notified' AND NEW.notice_until > OLD.notice_until"
OWN = """
      || CASE WHEN NEW.status = 'notified'
           THEN coalesce(':' || extract(epoch FROM NEW.notice_until), '') ELSE '' END"""


def telling(columns: str, changed: str, own: str) -> str:
    return TELL_RUN.format(columns=columns, changed=changed, own=own)


class Migration(migrations.Migration):
    dependencies = [("automation", "0007_quick_to_find")]

    operations = [
        migrations.RunSQL(
            telling("status, notice_until", f"{BECOMES} OR {ANEW}", OWN),
            telling("status", BECOMES, ""),
        )
    ]
