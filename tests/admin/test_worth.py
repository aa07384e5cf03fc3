"""The first page: net worth, what it lacks, what waits for a person, snapshot now."""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse
from django.utils.timezone import now

from accounts.models import (
    BalanceSnapshot,
    Connection,
    ExchangeRate,
    Membership,
    SyncRun,
    Workspace,
)
from automation.models import RuleRun, Transfer

from .conftest import hold, person
from .pages import adding, page, text

DAY = timedelta(days=1)
SNAPSHOT = "/admin/snapshot/"


def test_net_worth_is_told_with_its_doubts_and_what_changed(owner, home, cash):
    hold(home.connection, "euros", 10_000, asset="EUR/2")
    hold(home.connection, "coins", 7, asset="DOGE/8")
    ExchangeRate.objects.create(
        workspace=home.workspace, base="EUR", quote="GBP", value="0.85"
    )
    BalanceSnapshot.objects.create(
        account=home.main, total=140_000, available=0, as_of=now() - 2 * DAY
    )

    answer = owner.get("/admin/", {"range": "7d"})
    shown = text(answer)

    # 1,423.87 + 612.50 + 80.00 + 85.00
    assert "Net worth Snapshot now £2,201.37 partial" in shown
    assert "▲ + £23.87 (+1.70 %) in 24 h" in shown
    assert "1 account without a rate, not counted: coins" in shown
    assert "1 account unknown, not counted: Home main › Home unread" in shown
    html = answer.content.decode()
    assert 2 <= html.count('class="bs-course__line"') <= 3  # then, and since all joined
    assert 'aria-current="true">7 d<' in html


def test_workspaces_are_never_mixed(superuser, home, foreign):
    Workspace.objects.filter(pk=foreign.workspace.pk).update(base_asset="USD/2")

    first = superuser.get("/admin/").context_data["worth"]
    url = f"/admin/?workspace={home.workspace.pk}"
    second = superuser.get(url).context_data["worth"]

    assert (str(first["workspace"]), first["code"]) == ("Elsewhere", "USD")
    assert first["found"].total is None
    assert (str(second["workspace"]), second["found"].total) == ("Home", 203_637)


def test_what_waits_for_a_person_is_one_list(owner, home):
    Transfer.objects.update(status="unknown", needs_person=True, settled_at=None)
    RuleRun.objects.update(status="awaiting_approval")
    Connection.objects.update(consent_expires_at=now() + 3 * DAY)
    Connection.objects.create(
        workspace=home.workspace,
        provider=home.connection.provider,
        label="joint",
        health="reconnect_needed",
        error="Consent has ended",
    )

    needs = owner.get("/admin/").content.decode().split("Needs you", 1)[1]
    shown = text(type("Answer", (), {"content": needs.split("</ul>")[0].encode()}))

    for said in (
        "1 transfer needs a person",
        "joint reconnect needed Consent has ended Reconnect",
        "Home top-up waits for approval",
        "1 discrepancy is open",
        "Home bank consent: 2 days left",
    ):
        assert said in shown, said


def test_snapshot_now_asks_everybody_who_can_be_asked_once(
    operator, viewer, home, cash, foreign, monkeypatch
):
    sent = []
    monkeypatch.setattr(
        "accounts.publishing.publish", lambda task, *args: sent.append(args)
    )
    Membership.objects.create(workspace=foreign.workspace, user=operator.user)

    assert viewer.post(SNAPSHOT).status_code == 403
    assert operator.get(SNAPSHOT).status_code == 405
    assert SNAPSHOT not in viewer.get("/admin/").content.decode()
    for _ in range(2):
        assert operator.post(SNAPSHOT).url == reverse("admin:index")

    run = SyncRun.objects.get(status=SyncRun.Status.REQUESTED)
    assert (run.connection, run.kind) == (home.connection, SyncRun.Kind.MANUAL)
    assert run.requested_by == operator.user


def test_rates_are_kept_by_admins_and_never_contradict_each_other(owner, home, foreign):
    def add(base, quote, value, workspace=home.workspace):
        told = {"base": base, "quote": quote, "value": value, "good_for_hours": 1}
        return owner.post(adding(ExchangeRate), told | {"workspace": workspace.pk})

    assert add("EUR", "GBP", "0.85").status_code == 302
    assert "There is a way between these two" in text(add("GBP", "EUR", "1.2"))
    assert add("BTC", "GBP", "-1").status_code == 200
    assert add("BTC", "GBP", "5", foreign.workspace).status_code == 200
    rate = ExchangeRate.objects.get()
    ExchangeRate.objects.update(as_of=now() - DAY)
    assert "This is stale" in text(owner.get(page(rate)))

    owner.post(page(rate), {"value": "0.86", "good_for_hours": ""})

    rate.refresh_from_db()
    assert str(rate) == "1 EUR = 0.86 GBP"
    assert now() - rate.as_of < DAY
    operator = person("helper", home, Membership.Role.OPERATOR)
    assert operator.get(adding(ExchangeRate)).status_code == 403
    assert operator.post(page(rate), {"value": "9"}).status_code == 403


def test_base_currency_is_a_setting_of_the_workspace(owner, home):
    def save(asset):
        rows = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
        told = {"name": "Home", "base_asset": asset}
        return owner.post(page(home.workspace), told | rows)

    assert "is not an asset" in text(save("pounds"))
    assert save("EUR/2").status_code == 302
    assert owner.get("/admin/").context_data["worth"]["code"] == "EUR"
