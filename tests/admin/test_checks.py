"""Checks, limits and quarantine on their pages: who may read, change and believe what."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils.timezone import now

from accounts.models import CheckSetting, DriftSetting, QuarantinedReading

from .pages import adding, listing, page, text, verb

MOON = 4 * 10**14


@pytest.fixture
def kept(home) -> QuarantinedReading:
    return QuarantinedReading.objects.create(
        connection=home.connection,
        account=home.main,
        sync=home.sync,
        external_id=home.main.external_id,
        rule="unrealistic",
        severity="error",
        text="More than anybody has: it says",
        total=MOON,
        available=MOON,
        held=0,
        as_of=now(),
        fetched_at=now(),
        source="live",
        raw={"total": str(MOON)},
        last_seen_at=now(),
    )


def test_admin_sets_a_rule_once_for_each_kind_and_asset(owner, operator, home):
    told = {
        "workspace": str(home.workspace.pk),
        "rule": "unrealistic",
        "kind": "spot",
        "asset": "BTC",
        "enabled": "on",
        "severity": "warning",
        "threshold": "0.00000001",
    }
    assert operator.post(adding(CheckSetting), told).status_code == 403
    assert owner.post(adding(CheckSetting), told).status_code == 302
    again = owner.post(adding(CheckSetting), told | {"threshold": "2"})
    assert again.status_code == 200
    assert "already exists" in text(again)
    [made] = CheckSetting.objects.all()
    assert (made.threshold, made.row.severity) == (Decimal("0.00000001"), "warning")
    owner.post(adding(CheckSetting), told | {"asset": "ETH"})
    other = CheckSetting.objects.get(asset="ETH")
    assert "already exists" in text(owner.post(page(other), told))
    refused = owner.post(adding(CheckSetting), told | {"kind": "", "threshold": "-1"})
    assert refused.status_code == 200

    owner.post(verb(made, "remove"))

    assert not CheckSetting.objects.filter(pk=made.pk).exists()


def test_limits_are_of_the_workspace_s_own_accounts(owner, superuser, home, foreign):
    told = {
        "workspace": str(home.workspace.pk),
        "account": str(home.main.pk),
        "asset": "",
        "least": "10.5",
        "percent": "1",
        "high": "2",
        "critical": "3",
        "correction": "ask",
        "changes": "on",
        "clean_syncs": "2",
    }
    theirs = told | {"account": str(foreign.main.pk)}
    assert owner.post(adding(DriftSetting), theirs).status_code == 200
    # Who may see both may not mix them either.
    assert "another workspace" in text(superuser.post(adding(DriftSetting), theirs))
    assert owner.post(adding(DriftSetting), told | {"asset": "GBP"}).status_code == 200
    assert not DriftSetting.objects.exists()

    assert owner.post(adding(DriftSetting), told).status_code == 302

    [made] = DriftSetting.objects.all()
    assert (made.least, made.correction, made.protect) == (
        Decimal("10.5"),
        "ask",
        False,
    )
    assert owner.get(page(made)).status_code == 200


def test_person_believes_a_reading_on_its_page_and_says_why(
    operator, viewer, home, foreign, kept
):
    assert "Not believed" in text(operator.get("/admin/"))
    shown = text(operator.get(page(home.main)))
    assert "Quarantine" in shown
    assert "Proof of balance" in shown
    assert "£4,000,000,000,000.00" in text(viewer.get(page(kept)))
    assert viewer.post(verb(kept, "accept"), {"reason": "so"}).status_code == 403
    operator.post(verb(kept, "accept"), {"reason": ""})
    assert QuarantinedReading.objects.waiting().exists()

    operator.post(verb(kept, "accept"), {"reason": "A lottery"})

    kept.refresh_from_db()
    home.main.balance.refresh_from_db()
    assert (kept.status, kept.decided_by, kept.reason) == (
        "accepted",
        operator.user,
        "A lottery",
    )
    assert home.main.balance.total == MOON
    assert operator.get(listing(QuarantinedReading)).status_code == 200
