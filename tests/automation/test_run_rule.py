from __future__ import annotations

import json
import logging
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation import services
from automation.models import RuleRun, Transfer

pytestmark = pytest.mark.django_db


def run_rule(*arguments) -> str:
    out = StringIO()
    call_command("run_rule", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_preview_prints_the_plan_and_moves_nothing(alice, topup):
    told = json.loads(run_rule(topup.pk, "--preview", "--json"))

    assert told["outcome"] == "planned"
    assert told["moves"][0]["money"]["minor"] == "30000"
    assert not RuleRun.objects.exists()


def test_wait_carries_it_out_and_tells_every_transfer(alice, topup):
    told = json.loads(run_rule(topup.pk, "--wait", "--json"))

    assert told["status"] == "succeeded"
    assert told["transfers"][0]["verified"]
    assert alice.holds(alice.pots[0]) == 300_00


def test_for_people_it_prints_what_moved_and_why(alice, topup):
    told = run_rule(topup.pk, "--wait")

    assert "succeeded" in told
    assert "300.00" in told


def test_one_key_is_one_run(alice, topup):
    run_rule(topup.pk, "--wait", "--key", "a")
    run_rule(topup.pk, "--wait", "--key", "a")

    assert Transfer.objects.count() == 1


def test_a_rule_that_is_not_there_is_said_so(db):
    with pytest.raises(CommandError, match="no rule"):
        run_rule(uuid4())


def test_every_balance_a_decision_rests_on_is_logged(alice, topup, run, caplog):
    with caplog.at_level(logging.INFO):
        run(topup)

    lines = [str(record.msg) for record in caplog.records]
    wanted = f"[TOPUP] live balance {alice.main.external_id} 100000 (£1,000.00)"
    assert any(wanted in line for line in lines)


def test_a_run_of_one_transfer_costs_few_statements(alice, topup, monkeypatch):
    """Besides those of the sync."""
    alice.sync()
    monkeypatch.setattr(services.planning, "sync", lambda *_, **__: None)
    run, _ = services.start_run(topup, "one", trigger_kind="manual")

    with CaptureQueriesContext(
        connection,
    ) as asked:
        services.execute_run(run.pk)

    said = [q["sql"] for q in asked if "SAVEPOINT" not in q["sql"]]
    assert RuleRun.objects.get().status == "succeeded"
    assert len(said) <= 18, "\n".join(q[:150] for q in said)
