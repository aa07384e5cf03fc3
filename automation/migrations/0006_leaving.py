"""What leaves an account, as it is at this moment and not when the statement began."""

from __future__ import annotations

from django.db import migrations

# A statement that has waited for a lock sees the rows that it locks as they are by then,
# and all others as they were before. What a volatile function asks, it asks anew. It says
# what `TransferQuerySet.sum_leaving` says of all that is more than planned.
LEAVING = """
CREATE FUNCTION automation_leaving(account uuid, seen timestamptz)
RETURNS numeric LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(t.amount), 0) FROM automation_transfer t
    WHERE t.source_id = account AND t.settled_at IS NULL AND t.status <> 'pending'
  ) + (
    SELECT coalesce(sum(t.amount), 0) FROM automation_transfer t
    WHERE t.source_id = account AND t.settled_at > seen AND t.status = 'done'
  );
END $$;
"""
GONE = "DROP FUNCTION automation_leaving(uuid, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [("automation", "0005_fewer_indexes")]

    operations = [migrations.RunSQL(LEAVING, GONE)]
