from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from accounts.models import Account, Connection, Membership
from automation.models import Rule

from .conftest import rows_of
from .pages import adding, listing, page, text, verb


@pytest.mark.parametrize("who", ["owner", "operator", "viewer"])
def test_foreign_rows_do_not_exist(who, request, home, foreign):
    browser = request.getfixturevalue(who)

    for row in rows_of(foreign):
        answer = browser.get(page(row))
        assert answer.status_code in (302, 404), row
        assert "Elsewhere" not in answer.content.decode()
        assert "Elsewhere" not in browser.get(listing(type(row))).content.decode()


def test_a_superuser_sees_every_household(superuser, home, foreign):
    shown = text(superuser.get(listing(Account)))

    assert "Home main" in shown
    assert "Elsewhere main" in shown


def test_the_dashboard_shows_ones_own_rows_only(owner, home, foreign):
    shown = text(owner.get("/admin/"))

    assert "Home main" in shown
    assert "Elsewhere" not in shown


def test_staff_without_a_household_sees_nothing(client, home):
    client.force_login(User.objects.create_user("temp", is_staff=True))

    assert client.get("/admin/").status_code == 200
    assert "Home" not in text(client.get("/admin/"))
    assert client.get(listing(Account)).status_code == 403


@pytest.mark.parametrize("name", ["sync-now", "archive", "test", "connect-in-browser"])
def test_verbs_of_foreign_rows_do_not_exist(name, owner, foreign):
    answer = owner.post(verb(foreign.connection, name))

    assert answer.status_code == 404
    foreign.connection.refresh_from_db()
    assert foreign.connection.archived_at is None


def test_a_viewer_may_look_and_do_nothing(viewer, home):
    for row, name in (
        (home.connection, "sync-now"),
        (home.connection, "archive"),
        (home.rule, "run-now"),
        (home.rule, "preview"),
        (home.discrepancy, "accept"),
        (home.main, "sync-now"),
    ):
        assert viewer.post(verb(row, name)).status_code == 403, name
    assert viewer.post(page(home.main), {"name": "mine now"}).status_code == 403
    assert viewer.get(adding(Rule)).status_code == 403
    assert viewer.get(adding(Connection)).status_code == 403


def test_a_viewer_is_offered_no_button(viewer, home):
    for row in (home.connection, home.rule, home.main, home.discrepancy):
        assert "/do/" not in viewer.get(page(row)).content.decode(), row


def test_an_operator_syncs_but_keeps_no_credentials(operator, home):
    shown = operator.get(page(home.connection)).content.decode()

    assert "/do/sync-now/" in shown
    assert "/do/archive/" not in shown
    assert operator.post(verb(home.connection, "archive")).status_code == 403
    assert operator.get(adding(Connection)).status_code == 403


def test_bulk_actions_leave_foreign_rows_alone(owner, home, foreign):
    owner.post(
        listing(Rule),
        {"action": "disable_chosen", "_selected_action": [foreign.rule.pk]},
    )

    foreign.rule.refresh_from_db()
    assert foreign.rule.enabled


def test_bulk_actions_need_the_role_in_that_workspace(owner, foreign):
    # Admin at home, only a viewer there: home's role does not count there.
    Membership.objects.create(workspace=foreign.workspace, user=owner.user)

    owner.post(
        listing(Rule),
        {"action": "disable_chosen", "_selected_action": [foreign.rule.pk]},
    )

    foreign.rule.refresh_from_db()
    assert foreign.rule.enabled


def test_a_workspace_admin_is_not_shown_everybody(owner, home):
    User.objects.create_user("stranger-of-all")

    assert "stranger-of-all" not in owner.get(page(home.workspace)).content.decode()
