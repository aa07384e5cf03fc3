"""History from a file is history: no trigger crosses a threshold because of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Source
from automation.models import Trigger
from automation.services.sights import readings_for
from automation.services.terms import largest_drops
from tests.fixtures_api import snapshot, world

__all__ = ["world"]


@pytest.mark.parametrize(
    ("source", "seen"), [(Source.IMPORT, False), (Source.STREAM, True)]
)
def test_only_what_was_heard_counts_for_rules(world, source, seen):
    main, moment = world.mine.main, now()
    trigger = Trigger.objects.create(
        rule=world.mine.rule, kind="balance", account=main, below=10
    )
    Trigger.objects.filter(pk=trigger.pk).update(created=moment - timedelta(hours=5))
    trigger.refresh_from_db()
    for hours, amount in ((3, 900), (2, 5)):
        past = snapshot(world.mine.pot, amount, moment - timedelta(hours=hours))
        past.pk, past.account, past.source = None, main, source
        past.save(force_insert=True)

    amounts = [reading.available for reading in readings_for([trigger])[main.pk]]

    assert (5 in amounts) is seen
    assert largest_drops([main], moment).get(main.pk, 0) == (895 if seen else 0)
