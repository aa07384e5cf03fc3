"""The function that says what leaves an account, as migrations make it."""

from __future__ import annotations

# A statement that has waited for a lock sees the rows that it locks as they are by then,
# and all others as they were before. What a volatile function asks, it asks anew. It says
# what `TransferQuerySet.sum_leaving` says of all that is more than planned.
LEAVING = """
CREATE OR REPLACE FUNCTION automation_leaving(account uuid, seen timestamptz)
RETURNS numeric LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(t.amount), 0) FROM automation_transfer t
    WHERE t.source_id = account AND t.settled_at IS NULL AND t.status <> 'pending'
  ) + (
    SELECT coalesce(sum(t.amount), 0) FROM automation_transfer t
    WHERE t.source_id = account AND {late} AND t.status = 'done'
  );
END $$;
"""
FIRST = LEAVING.format(late="t.settled_at > seen")
# PostgreSQL expects a third of all rows beyond a moment that it does not know, and may look
# through all of them; between two moments it expects few.
SINCE = LEAVING.format(late="t.settled_at > seen AND t.settled_at < 'infinity'")
