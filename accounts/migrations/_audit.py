"""The triggers of the audit, as migrations make them: what a row said, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from django.db import migrations

# The database itself writes what changed, so that no bulk update, no command and no
# statement typed by hand goes unnoticed. Who asked for it stands in a setting that the
# process sets for its transaction; without one, the part that connected is named.
WRITE = """
CREATE FUNCTION accounts_audit_value(value jsonb, hidden boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN value IS NULL OR jsonb_typeof(value) = 'null' THEN 'null'::jsonb
    WHEN hidden THEN '"(secret)"'::jsonb
    WHEN jsonb_typeof(value) = 'number' THEN to_jsonb(value #>> '{}')
    ELSE value END
$$;

CREATE FUNCTION accounts_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  about CONSTANT jsonb := TG_ARGV[0]::jsonb;
  before CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  after CONSTANT jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  here CONSTANT jsonb := coalesce(after, before);
  who CONSTANT jsonb := nullif(current_setting('balsync.actor', true), '')::jsonb;
  part CONSTANT text := nullif(current_setting('balsync.part', true), '');
  was jsonb;
  now_is jsonb;
  verb text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'DELETE' THEN 'removed'
               ELSE 'changed' END;
  switch record;
  place uuid;
BEGIN
  SELECT coalesce(jsonb_object_agg(c, accounts_audit_value(before -> c, h))
                    FILTER (WHERE TG_OP <> 'INSERT'), '{}'),
         coalesce(jsonb_object_agg(c, accounts_audit_value(after -> c, h))
                    FILTER (WHERE TG_OP <> 'DELETE'), '{}')
  INTO was, now_is
  FROM jsonb_each(about -> 'columns') AS t(c, hidden), LATERAL (SELECT hidden::boolean)
    AS s(h)
  WHERE coalesce(before -> c, 'null') IS DISTINCT FROM coalesce(after -> c, 'null');

  IF TG_OP = 'UPDATE' THEN
    IF was = now_is AND was = '{}' THEN
      RETURN NULL;
    END IF;
    FOR switch IN SELECT key, value FROM jsonb_each(about -> 'switches') LOOP
      IF before ->> switch.key IS NULL AND after ->> switch.key IS NOT NULL THEN
        verb := switch.value ->> 0;
      ELSIF before ->> switch.key IS NOT NULL AND after ->> switch.key IS NULL THEN
        verb := switch.value ->> 1;
      END IF;
    END LOOP;
  END IF;

  IF about ? 'parent' THEN
    EXECUTE format('SELECT workspace_id FROM %I WHERE id = $1', about ->> 'parent')
      INTO place USING (here ->> (about ->> 'way'))::uuid;
  ELSIF about ->> 'way' <> '' THEN
    place := here ->> (about ->> 'way');
  END IF;

  INSERT INTO accounts_auditevent
    (workspace_id, created, via, user_id, actor, key_id, action, object_kind, object_id,
     old, new, reason, request_id)
  VALUES (
    place, clock_timestamp(),
    coalesce(who ->> 'via', CASE WHEN part IS NULL THEN 'database'
                                 WHEN part LIKE 'manage.py%' THEN 'command'
                                 ELSE 'job' END),
    (who ->> 'user')::bigint,
    left(coalesce(who ->> 'name', part, session_user), 200),
    nullif(who ->> 'key', '')::uuid,
    (about ->> 'kind') || '.' || verb, about ->> 'kind', here ->> 'id', was, now_is,
    coalesce(who ->> 'reason', ''), coalesce(who ->> 'request', ''));
  RETURN NULL;
END $$;
"""
UNWRITE = """
DROP FUNCTION accounts_audit_row();
DROP FUNCTION accounts_audit_value(jsonb, boolean);
"""


def follow(
    table: str,
    kind: str,
    columns: Iterable[str],
    *,
    way: str = "workspace_id",
    parent: str = "",
    secret: Iterable[str] = (),
    switches: Mapping[str, list[str]] | None = None,
    on: Iterable[str] = ("INSERT", "UPDATE", "DELETE"),
    when: str = "",
    often: bool = False,
) -> migrations.RunSQL:
    """Return what writes an event of `kind` whenever `columns` of a row of `table` change.

    Of `secret` ones only that they changed is told. `way` is the column that names the
    workspace, or the row of the table `parent` that does. `switches` names columns that
    give the action its word: when filled, and when emptied.
    `when` is a further condition; `ROW` in it is the row. A table that is written
    `often` calls the function only where one of `columns` differs; PostgreSQL refuses
    to alter the type of a column that a trigger names so, until that is made anew.
    """
    told = {name: False for name in columns} | {name: True for name in secret}
    about = {"kind": kind, "columns": told, "way": way, "switches": switches or {}}
    argument = json.dumps(about | ({"parent": parent} if parent else {}))
    before = ", ".join(f"OLD.{name}" for name in told)
    after = ", ".join(f"NEW.{name}" for name in told)
    changed = f"({before}) IS DISTINCT FROM ({after})"
    made, gone = [], []
    for event in on:
        named = often and event == "UPDATE"
        condition = " AND ".join(filter(None, [named and changed, when]))
        row = "OLD" if event == "DELETE" else "NEW"
        clause = f"WHEN ({condition.replace('ROW', row)})" if condition else ""
        which = f"UPDATE OF {', '.join(told)}" if named else event
        name = f"audit_{event.lower()}"
        made.append(
            f"CREATE TRIGGER {name} AFTER {which} ON {table} FOR EACH ROW {clause} "
            f"EXECUTE FUNCTION accounts_audit_row('{argument}');"
        )
        gone.append(f"DROP TRIGGER {name} ON {table};")
    return migrations.RunSQL("\n".join(made), "\n".join(gone))
