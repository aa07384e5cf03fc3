from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.admin import show
from accounts.models import Account, Balance, Connection
from automation.models import RuleRun, Transfer
from balsync_project.dashboard import Total
from providers.money import Asset, pretty

from .conftest import SECRET, hold, read, rows_of
from .pages import adding, listing, page, text


def figure(shown: str, code: str = "GBP") -> str:
    found = re.search(rf"Known total, {code} (\S+) ([^:]*(?:: \S+ › [^C]*)?)", shown)
    assert found, shown[:600]
    return found[1]


def test_the_total_adds_up_what_is_known(owner, home):
    shown = text(owner.get("/admin/"))

    assert figure(shown) == "£2,036.37"
    assert "3 accounts, 1 unknown: Home main › Home unread" in shown


def test_without_any_reading_the_total_is_unknown_and_not_zero(owner, home):
    Balance.objects.all().delete()

    shown = text(owner.get("/admin/"))

    assert figure(shown) == "unknown"
    assert "£0.00" not in shown


def test_a_true_zero_is_shown_as_zero(owner, home):
    for account in (home.main, home.bills, home.unread):
        read(account, 0)

    shown = text(owner.get("/admin/"))

    assert figure(shown) == "£0.00"
    assert "3 accounts, complete" in shown


def test_an_account_that_another_connection_automates_counts_once(owner, home):
    hold(home.connection, "twin", 999_999, automates=False)

    shown = text(owner.get("/admin/"))

    assert figure(shown) == "£2,036.37"
    assert "twin (counted elsewhere)" in shown


@pytest.mark.parametrize(
    "change", [{"active": False}, {"closed_at": "2026-01-01T00:00Z"}]
)
def test_accounts_out_of_use_are_not_counted(change, owner, home):
    Account.objects.filter(pk=home.bills.pk).update(**change)

    assert figure(text(owner.get("/admin/"))) == "£1,423.87"


def test_assets_are_never_added_together(owner, home):
    hold(home.connection, "euros", 5_000, asset="EUR/2")

    shown = text(owner.get("/admin/"))

    assert figure(shown) == "£2,036.37"
    assert figure(shown, "EUR") == "€50.00"


def test_a_stale_balance_is_counted_and_named(owner, home, long_ago):
    read(home.bills, 100, at=long_ago, error="no answer")

    shown = text(owner.get("/admin/"))

    assert "1 stale: Home main › Home bills" in shown
    assert "stale · 9 h ago" in shown


def test_a_pot_stands_under_its_account(owner, home):
    shown = text(owner.get("/admin/"))

    assert (
        shown.index("Home main")
        < shown.index("Home bills")
        < shown.index("Latest runs")
    )


def test_the_latest_runs_show_what_really_moved(owner, home):
    Transfer.objects.filter(pk=home.transfer.pk).update(status="refused")
    assert "£50.12" not in text(owner.get("/admin/"))

    Transfer.objects.filter(pk=home.transfer.pk).update(status="done")
    assert "£50.12" in text(owner.get("/admin/"))


def test_a_transfer_that_waits_for_a_person_is_at_the_top(owner, home):
    Transfer.objects.update(status="unknown", needs_person=True, settled_at=None)

    answer = owner.get("/admin/")

    assert "1 transfer needs a person" in text(answer)
    stuck = owner.get(answer.context_data["stuck_url"])
    assert "Home main → Home bills" in text(stuck)


def test_open_discrepancies_are_shown_with_both_figures(owner, home):
    shown = text(owner.get("/admin/"))

    assert "Parts add up: Home main £2,036.37 £2,031.37" in shown


def test_an_empty_installation_says_how_to_begin(superuser):
    shown = superuser.get("/admin/")

    assert "Nothing is connected yet" in text(shown)
    assert adding(Connection) in shown.content.decode()


def test_every_amount_on_a_page_is_the_row_s(superuser, home):
    shown = {
        home.main: [home.main.balance.total],
        home.snapshot: [home.snapshot.total],
        home.transaction: [home.transaction.amount],
        home.discrepancy: [home.discrepancy.expected, home.discrepancy.actual, -500],
        home.correction: [150_000, 142_387, -7_613],
        home.transfer: [home.transfer.amount],
        home.run: [home.transfer.amount, home.main.balance.total],
    }
    for row, amounts in shown.items():
        for where in (page(row), listing(type(row))):
            if isinstance(row, RuleRun) and where != page(row):
                amounts = amounts[:1]
            html = superuser.get(where).content.decode()
            for minor in amounts:
                exact = f'title="{minor} in minor units of GBP/2">'
                assert f"{exact}{pretty(minor, home.main.unit)}<" in html, (row, minor)


@given(
    st.lists(
        st.one_of(st.none(), st.integers(-(10**40), 10**40)), min_size=1, max_size=8
    )
)
def test_a_total_is_the_sum_of_what_is_known(amounts):
    total = Total(Asset("GBP", 2))
    for minor in amounts:
        account = Account(name="a", asset="GBP/2", connection=Connection())
        Account._meta.get_field("balance").set_cached_value(account, None)
        if minor is not None:
            moment = show.now()
            account.balance = Balance(
                account=account, total=minor, as_of=moment, fetched_at=moment
            )
        total.add(account)
    known = [minor for minor in amounts if minor is not None]

    assert total.known == sum(known)
    assert len(total.unknown) == len(amounts) - len(known)
    assert (total.value == show.UNKNOWN) == (not known)
    assert total.complete == (len(known) == len(amounts))


def test_no_secret_is_on_any_page(superuser, home):
    places = ["/admin/", f"{adding(Connection)}?provider={home.connection.provider}"]
    for row in rows_of(home):
        places += [
            page(row),
            listing(type(row)),
            page(row).replace("change", "history"),
        ]

    for where in places:
        assert SECRET not in superuser.get(where).content.decode(), where


def test_a_secret_that_was_typed_is_not_shown_back(owner, home):
    where = f"{adding(Connection)}?provider={home.connection.provider}"

    answer = owner.post(where, {"credential_client_secret": SECRET})

    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()
    assert 'type="password" name="credential_client_secret"' in answer.content.decode()
