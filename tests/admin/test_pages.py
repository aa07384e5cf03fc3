from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.signals import pre_save
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from knox.models import AuthToken
from unfold.admin import ModelAdmin

import providers
from accounts.models import Account, Connection, Transaction, Workspace
from automation.models import Rule, RuleRun, Trigger
from providers.sandbox import registry
from providers.trading import ReportsTrading

from .conftest import hold, rows_of
from .pages import adding, listing, page, text, typed

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def names(model) -> str:
    return model._meta.label


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_every_list_opens_for_a_superuser(model, superuser, home):
    assert superuser.get(listing(model)).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_every_add_page_opens_where_adding_is_allowed(model, superuser, home):
    pages = admin.site.get_model_admin(model)
    allowed = pages.has_add_permission(superuser.get("/admin/").wsgi_request)

    assert superuser.get(adding(model)).status_code == (200 if allowed else 403)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_every_page_wears_the_same_dress(model):
    assert isinstance(admin.site.get_model_admin(model), ModelAdmin)


def test_every_row_has_a_page_for_a_superuser(superuser, home):
    for row in rows_of(home):
        assert superuser.get(page(row)).status_code == 200, row


@pytest.mark.parametrize("who", ["owner", "operator", "viewer"])
def test_every_row_has_a_page_for_each_member(who, request, home):
    browser = request.getfixturevalue(who)

    for row in rows_of(home):
        assert browser.get(page(row)).status_code == 200, row
        assert browser.get(listing(type(row))).status_code == 200, row


def test_pages_of_other_packages_show_their_rows(superuser, home):
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="tick", task="x.y", interval=every)
    token = AuthToken.objects.create(user=superuser.user)[0]

    for row in (every, task, token, superuser.user):
        assert superuser.get(page(row)).status_code == 200, row


def test_a_schedule_can_be_changed(superuser):
    every = IntervalSchedule.objects.create(every=5, period="seconds")

    answer = superuser.post(page(every), {"every": "9", "period": "minutes"})

    every.refresh_from_db()
    assert answer.status_code == 302
    assert (every.every, every.period) == (9, "minutes")


@pytest.mark.parametrize("model", [User, PeriodicTask, AuthToken], ids=names)
def test_the_house_is_kept_by_superusers_only(model, owner):
    assert owner.get(listing(model)).status_code == 403


def test_a_user_who_is_no_staff_sees_nothing(client, home):
    client.force_login(User.objects.create_user("guest"))

    answer = client.get(page(home.main))

    assert answer.status_code == 302
    assert "/login/" in answer.url


def test_a_list_asks_the_database_as_often_for_many_rows(superuser, home):
    def queries(model) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert superuser.get(listing(model)).status_code == 200
        return len(asked)

    for model in (Account, Connection, Transaction, Rule, RuleRun, Workspace):
        before = queries(model)
        for number in range(5):
            hold(home.connection, f"more {number}", 100, parent=home.main)
            Workspace.objects.create(name=f"{model.__name__} {number}")
        assert queries(model) <= before + 1, model


def test_the_dashboard_asks_as_often_for_many_accounts(superuser, home):
    with CaptureQueriesContext(connection) as before:
        superuser.get("/admin/")
    for number in range(8):
        hold(home.connection, f"more {number}", 100, parent=home.main)
    with CaptureQueriesContext(connection) as after:
        superuser.get("/admin/")

    assert len(after) <= len(before)


def test_a_trigger_that_waits_for_something_is_said_to_look_and_not_to_be_due(
    owner, home
):
    soon = now() + timedelta(minutes=9, seconds=30)
    home.rule.triggers.all().delete()
    for kind in ("payday", "weekly"):
        Trigger.objects.create(rule=home.rule, kind=kind, next_at=soon)

    said = text(owner.get(page(home.rule)))

    assert "Payday looks in 9 min" in said
    assert (said.count("in 9 min"), said.count("looks")) == (2, 1)


def test_lists_narrow_to_one_account(superuser, home, foreign):
    here = superuser.get(listing(Transaction), {"account__id__exact": home.main.pk})

    assert "Home grocer" in text(here)
    assert "Elsewhere grocer" not in text(here)


@pytest.mark.parametrize("name", ["sync_interval_seconds", "trading_interval_seconds"])
def test_form_refuses_the_intervals_that_the_api_refuses(owner, home, name):
    row, api = home.connection, f"/api/v1/connections/{home.connection.pk}/"
    row.provider = next(  # of whom both are asked
        slug
        for slug in registry.slugs()
        if issubclass(providers.load(slug), ReportsTrading)
    )
    row.save(update_fields=["provider"])
    form = typed(owner.get(page(row)), "connection_form")
    for seconds in (0, 29, 30, 7 * 86_400, 7 * 86_400 + 1, 2**31):
        patched = owner.patch(api, {name: seconds}, content_type="application/json")
        taken = owner.post(page(row), form | {name: str(seconds)})

        row.refresh_from_db()
        told = (patched.status_code, taken.status_code)
        assert told == ((200, 302) if 30 <= seconds <= 7 * 86_400 else (400, 200))
        assert 30 <= getattr(row, name) <= 7 * 86_400


def test_form_writes_what_was_changed_and_undoes_nothing_that_happened_since(
    owner, home
):
    row = home.connection
    later = now() + timedelta(days=7)
    Connection.objects.filter(pk=row.pk).update(next_sync_at=later)
    form = typed(owner.get(page(row)), "connection_form")

    def renewed(instance, **_):
        # As a worker does that has just been given a token which works once.
        sealed = row.seal_credentials({"access_token": "newest"})
        rows = Connection.objects.filter(pk=instance.pk)
        rows.update(credentials=sealed, token_version=7)

    pre_save.connect(renewed, sender=Connection)
    try:
        sent = form | {"label": "Ours", "sync_interval_seconds": "600"}
        answer = owner.post(page(row), sent)
    finally:
        pre_save.disconnect(renewed, sender=Connection)

    row.refresh_from_db()
    assert (answer.status_code, row.label, row.token_version) == (302, "Ours", 7)
    assert row.open_credentials() == {"access_token": "newest"}
    assert row.next_sync_at < later
