"""Rules that run no more: switched off, or archived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import transaction
from django.utils.timezone import now

from automation.models import Rule

from .document import READ_ONLY
from .telling import rule_data

log = structlog.get_logger("automation.rules")


def only_off(rule: Rule, data: Any) -> bool:
    """Say whether `data` is `rule` as it stands, but switched off."""
    if not isinstance(data, Mapping) or data.get("enabled") is not False:
        return False
    told = {k: v for k, v in rule_data(rule).items() if k not in READ_ONLY}
    wanted = {k: v for k, v in data.items() if k not in READ_ONLY}
    return told != wanted and told | {"enabled": False} == wanted


@transaction.atomic
def switch_off(rule: Rule) -> Rule:
    """Disable `rule`, also where today's accounts would refuse what it says.

    Waits for a plan that is just being committed; none is committed afterwards.
    """
    kept = Rule.objects.select_for_update().get(pk=rule.pk)
    kept.enabled = False
    kept.save(update_fields=["enabled", "updated"])
    return Rule.objects.prefetch_related("legs", "triggers").get(pk=rule.pk)


@transaction.atomic
def archive_rule(rule: Rule, *, user) -> None:
    """Let `rule` never run again; its history stays. Doing it twice is doing it once.

    Waits for a plan that is just being committed; none is committed afterwards.
    """
    kept = Rule.objects.select_for_update().get(pk=rule.pk)
    if kept.archived_at is None:
        kept.archived_at, kept.enabled, kept.next_due_at = now(), False, None
        kept.save(update_fields=["archived_at", "enabled", "next_due_at", "updated"])
        log.info("rule_archived", rule=str(rule.pk), by=str(user.pk))
