"""News from a provider starts the rules that its accounts feed, once per event."""

from __future__ import annotations

import pytest
from django.test import TestCase

from accounts.models import WebhookInbox
from accounts.signals import webhook_fetched
from automation import services, tasks
from automation.models import Rule, RuleRun
from tests.automation.test_concurrency import at_once

from .conftest import look_later

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule(alice, rule_with) -> Rule:
    alice.fill(alice.main, 100_00)
    return rule_with({"kind": "webhook"})


def hear(alice, event="event_1"):
    return services.wake_webhooks(alice.connection.pk, event)


def test_an_event_starts_one_run_however_often_it_is_told(alice, rule):
    (run,) = hear(alice)

    assert run.key == f"webhook:{alice.connection.pk}:event_1"
    assert hear(alice) == []
    assert len(hear(alice, "event_2")) == 1
    assert rule.runs.count() == 2


def test_beat_queues_what_the_news_started(alice, rule):
    webhook_fetched.send(
        sender=WebhookInbox, connection_id=alice.connection.pk, event_id="event_1"
    )
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.dispatch_due_rules()

    assert rule.runs.get().status == "succeeded"
    assert alice.holds(alice.pots[0]) == 10_00


@pytest.mark.django_db(transaction=True)
def test_the_same_event_told_five_times_at_once_is_one_run(alice, rule):
    started = at_once(lambda _: len(hear(alice)))

    assert sum(started) == RuleRun.objects.count() == 1


def test_another_connection_has_nothing_to_do_with_it(alice, rule, typed):
    assert services.wake_webhooks(typed.connection_id, "event_1") == []


@pytest.mark.parametrize("kind", ["daily", "api"])
def test_rules_without_this_trigger_are_left_alone(alice, rule_with, kind):
    rule_with({"kind": kind})

    assert hear(alice) == []


def test_a_rule_that_is_off_hears_nothing(alice, rule):
    Rule.objects.update(enabled=False)

    assert hear(alice) == []


def test_it_has_no_clock(rule):
    assert rule.next_due_at is None
    assert look_later() == []


def test_an_event_id_of_any_length_is_one_key(alice, rule):
    long = "e" * 500

    assert len(hear(alice, long)) == 1
    assert hear(alice, long) == []
