"""What is over is forgotten one day; what is open, or was decided, never is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import tasks
from accounts.models import AuditEvent, Discrepancy, QuarantinedReading
from tests import fixtures_api

world = fixtures_api.world


@pytest.mark.django_db
def test_only_what_is_long_over_is_forgotten(world, settings):
    settings.FINDING_DAYS = 30
    old, young = now() - timedelta(days=31), now() - timedelta(days=29)
    QuarantinedReading.objects.exclude(pk=world.mine.quarantined.pk).delete()
    Discrepancy.objects.exclude(pk=world.mine.discrepancy.pk).delete()
    for age, seen in (("old", old), ("young", young)):
        for state in QuarantinedReading.Status.values:
            copy(world.mine.quarantined, seen, state, external_id=f"{state} {age}")
        for state in Discrepancy.Status.values:
            copy(world.mine.discrepancy, seen, state, subject=f"{state} {age}")

    tasks.forget_old_events.delay()

    left = set(QuarantinedReading.objects.values_list("external_id", flat=True))
    assert left - {world.mine.pot.external_id} == {
        "open old",
        "open young",
        "accepted young",
        "released young",
    }
    left = set(Discrepancy.objects.values_list("subject", flat=True))
    assert left - {""} == {
        f"{state} {age}"
        for state in Discrepancy.Status.values
        for age in ("old", "young")
        if (state, age) != ("resolved", "old")
    }
    event = AuditEvent.objects.get(action="findings.forgotten")
    assert (event.actor, event.via) == ("accounts.tasks.forget_old_events", "job")
    assert event.new["rows"] == "3"


def copy(row, seen, status: str, **more: str) -> None:
    """Write the row once more, as it was when it was last seen."""
    told = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    told |= {"id": fixtures_api.absent(), "status": status, "last_seen_at": seen}
    type(row).objects.create(**told | more)
