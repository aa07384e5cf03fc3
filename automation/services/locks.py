"""Who locks which rows, in which order: so nobody waits in a circle.

Whoever locks rows of several kinds in one transaction takes the kinds in this order, and
several rows of one kind in the order of their primary keys. An UPDATE of many rows takes
them in any order, so they are locked first: `in_order`.

1. Connections: who syncs, plans, books a move, protects an account, or resumes a run that
   moves their money, each alone. Who leaves money in doubt to a person does it alone as
   well: others may take money out of the account from then on, and nobody must have read
   just before what leaves it.
2. Workspaces: shared by who plans or sends; alone by who pauses or writes a rule.
3. Accounts: weakly (FOR KEY SHARE) by who sends, FOR UPDATE by who protects one: a
   person, or a sync that finds it drifting.
4. Runs: by who carries them out, decides about them, wakes them or writes their rule.
5. Transfers: by who takes them further, wakes them, or cancels or resumes their run.
6. Rules: alone by who writes, freezes or archives one; by a success or a due trigger.
   Who plans or sends, and so shares the workspace, holds the rule weakly before its
   run and transfers.
7. Triggers: by who writes their rule, wakes them, or lets them fire.

A plan that is written along with what was read, in the sync's transaction, takes the
workspace after balances, and after what a sync writes besides. Nobody who holds a workspace
or a rule alone wants any of that; where a sync holds an account alone, no plan goes along.

Who fires triggers takes rule and trigger together, and skips what others hold. So does who
ends a transfer and begins the next, with the switches: it holds both transfers by then, and
waits for nothing more but a place in the index on unsettled outflows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Connection


def hold(connections: Collection[UUID] | QuerySet) -> None:
    """Keep syncs, planners and bookings away from `connections`, ids or a query of them.

    To be called in a transaction, before it locks anything else.
    """
    in_order(Connection.objects.filter(pk__in=connections))


def in_order(rows: QuerySet) -> list[Any]:
    """Lock `rows` in the order of their primary keys, and return those keys.

    To be called in a transaction. A row that changed while it was waited for is left
    out where it fits the query no more.
    """
    held = rows.select_for_update(no_key=True, of=("self",)).order_by("pk")
    return list(held.values_list("pk", flat=True))


@transaction.atomic
def update_in_order(rows: QuerySet, **values: Any) -> list[Any]:
    """Write `values` to `rows`, locked in order, and return their primary keys."""
    ids = in_order(rows)
    if ids:
        rows.model._default_manager.filter(pk__in=ids).update(**values)
    return ids
