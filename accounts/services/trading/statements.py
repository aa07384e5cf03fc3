"""The statements that write orders, trades and positions: a page is one round trip each."""

from __future__ import annotations

FIND_ORDERS = """
INSERT INTO accounts_order
  (id, connection_id, segment, market, base, quote, external_id, client_id, side, kind,
   status, quantity, filled, cost, price, created, updated, seen_at, doubt, recorded_at)
SELECT t.*, '', now()
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[],
            %s::numeric[], %s::numeric[], %s::numeric[], %s::timestamptz[],
            %s::timestamptz[], %s::timestamptz[]) AS t
ON CONFLICT (connection_id, segment, market, external_id) DO NOTHING
"""

CHANGE_ORDERS = """
UPDATE accounts_order o SET client_id = t.client_id, side = t.side, kind = t.kind,
  status = t.status, quantity = t.quantity, filled = t.filled, cost = t.cost,
  price = t.price, created = t.created, updated = t.updated, seen_at = t.seen_at,
  absent_at = NULL, doubt = ''
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[],
            %s::numeric[], %s::numeric[], %s::numeric[], %s::timestamptz[],
            %s::timestamptz[], %s::timestamptz[])
  AS t(id, client_id, side, kind, status, quantity, filled, cost, price, created,
       updated, seen_at)
WHERE o.id = t.id
"""

# An order that was told of as it is known exists, whatever was doubted before.
SEEN_ORDERS = """
UPDATE accounts_order o SET seen_at = t.seen_at, absent_at = NULL, doubt = ''
FROM unnest(%s::uuid[], %s::timestamptz[]) AS t(id, seen_at)
WHERE o.id = t.id AND o.seen_at < t.seen_at
"""

DOUBT_ORDERS = """
UPDATE accounts_order o SET doubt = t.doubt, absent_at = coalesce(t.absent_at, o.absent_at)
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS t(id, doubt, absent_at)
WHERE o.id = t.id
"""

ABSENT_ORDERS = """
UPDATE accounts_order SET status = 'absent', doubt = '', absent_at = coalesce(absent_at, now())
WHERE id = ANY(%s::uuid[])
"""

FIND_TRADES = """
INSERT INTO accounts_trade
  (id, connection_id, segment, market, base, quote, external_id, order_id, side,
   quantity, price, cost, fee, fee_asset, maker, pnl, pnl_asset, created, recorded_at)
SELECT t.*, now()
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[],
            %s::numeric[], %s::numeric[], %s::text[], %s::boolean[], %s::numeric[],
            %s::text[], %s::timestamptz[]) AS t
ON CONFLICT (connection_id, segment, market, external_id) DO NOTHING
"""

FIND_POSITIONS = """
INSERT INTO accounts_position
  (id, connection_id, segment, market, base, quote, external_id, side, quantity,
   entry_price, mark_price, pnl, pnl_asset, liquidation_price, updated, seen_at, derived,
   created, doubt, recorded_at)
SELECT t.*, now(), '', now()
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[],
            %s::numeric[], %s::text[], %s::numeric[], %s::timestamptz[],
            %s::timestamptz[], %s::boolean[]) AS t
ON CONFLICT (connection_id, segment, market, external_id) DO NOTHING
"""

CHANGE_POSITIONS = """
UPDATE accounts_position p SET side = t.side, quantity = t.quantity,
  entry_price = t.entry_price, mark_price = t.mark_price, pnl = t.pnl,
  pnl_asset = t.pnl_asset, liquidation_price = t.liquidation_price,
  updated = t.updated, seen_at = t.seen_at, derived = t.derived, closed_at = NULL,
  doubt = ''
FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[],
            %s::numeric[], %s::text[], %s::numeric[], %s::timestamptz[],
            %s::timestamptz[], %s::boolean[])
  AS t(id, side, quantity, entry_price, mark_price, pnl, pnl_asset, liquidation_price,
       updated, seen_at, derived)
WHERE p.id = t.id
"""

SEEN_POSITIONS = """
UPDATE accounts_position p SET seen_at = t.seen_at, doubt = ''
FROM unnest(%s::uuid[], %s::timestamptz[]) AS t(id, seen_at) WHERE p.id = t.id
"""

CLOSE_POSITIONS = """
UPDATE accounts_position SET closed_at = now(), doubt = ''
WHERE id = ANY(%s::uuid[]) AND closed_at IS NULL
"""

DOUBT_POSITIONS = """
UPDATE accounts_position p SET doubt = t.doubt
FROM unnest(%s::uuid[], %s::text[]) AS t(id, doubt) WHERE p.id = t.id
"""

CORRECTIONS = """
INSERT INTO accounts_correction
  (id, created, sync_id, subject_kind, subject_id, subject, field, old, new, difference,
   severity, reason)
SELECT gen_random_uuid(), now(), * FROM unnest(%s::uuid[], %s::text[], %s::uuid[],
  %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
"""

KEEP_GAINS = """
INSERT INTO accounts_gain AS g (trade_id, amount, asset)
SELECT * FROM unnest(%s::uuid[], %s::numeric[], %s::text[])
ON CONFLICT (trade_id) DO UPDATE SET amount = excluded.amount, asset = excluded.asset
"""

RELEASED = """
UPDATE accounts_quarantinedreading q SET status = 'released', last_seen_at = now()
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS t(connection_id, external_id, rule)
WHERE q.connection_id = t.connection_id AND q.external_id = t.external_id
AND q.rule = t.rule AND q.status = 'open'
"""
