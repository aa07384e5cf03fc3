"""Several real processes at one run."""

from __future__ import annotations

import pytest

from automation import services
from automation.models import RuleRun
from tests.automation.conftest import gbp, leg

pytestmark = pytest.mark.django_db(transaction=True)


def test_five_processes_carry_out_one_run_once(worker, alice, moved, let_time_pass):
    alice.fill(alice.main, 1000_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source", keep=gbp(100_00)),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(300_00)),
        leg(alice.pots[1], "investment", order=1, strategy="share", share="0.7"),
        leg(alice.pots[2], "investment", order=2, strategy="equal"),
    )
    run, _ = services.start_run(rule, "payday:1", trigger_kind="payday")

    assert worker(str(run.pk), "5").wait(300) == 0

    for _ in range(3):  # on a busy machine a reading may have been too old to move by
        let_time_pass()
        services.execute_run(run.pk)
    assert RuleRun.objects.get().status == "succeeded"
    assert sorted(moved().values()) == [1, 1, 1]
    assert [alice.holds(pot) for pot in alice.pots] == [300_00, 420_00, 180_00]
