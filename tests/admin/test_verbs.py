from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.timezone import now

import providers
from accounts import publishing, services
from accounts.models import Account, AuthorizationRequest, Connection, SyncRun
from accounts.services import TestResult as Verdict
from automation.models import Rule, RuleRun
from providers.base import Authorizes
from providers.errors import Unavailable
from providers.sandbox import registry
from providers.trading import ReportsTrading

from .conftest import BANK, SECRET, TYPED
from .pages import adding, listing, nonce, page, text, verb


@pytest.fixture
def published(monkeypatch) -> list:
    """What would have been put on the queue."""
    sent = []
    monkeypatch.setattr(
        publishing, "publish", lambda task, *args: sent.append((task.name, *args))
    )
    return sent


VERBS = [
    ("connection", "sync-now"),
    ("connection", "test"),
    ("connection", "archive"),
    ("connection", "connect-in-browser"),
    ("connection", "replace-credentials"),
    ("main", "sync-now"),
    ("discrepancy", "accept"),
    ("discrepancy", "ignore"),
    ("rule", "preview"),
    ("rule", "run-now"),
    ("rule", "disable"),
    ("rule", "archive"),
]


@pytest.mark.parametrize(("noun", "name"), VERBS)
def test_a_verb_is_only_ever_posted(noun, name, superuser, home):
    row = getattr(home, noun)

    assert superuser.get(verb(row, name)).status_code == 405
    assert not RuleRun.objects.exclude(pk=home.run.pk).exists()
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize(("noun", "name"), VERBS)
def test_a_verb_from_another_site_is_refused(noun, name, superuser, home):
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = superuser.cookies

    assert browser.post(verb(getattr(home, noun), name)).status_code == 403


def test_an_unknown_verb_does_not_exist(superuser, home):
    for name in ("delete", "get-urls", "has-change-permission", "save-model"):
        assert superuser.post(verb(home.rule, name)).status_code == 404


def test_sync_now_asks_for_one_sync(operator, home, published):
    operator.post(verb(home.connection, "sync-now"))

    run = SyncRun.objects.latest("created")
    assert published == [("accounts.tasks.run_sync", str(run.pk))]
    assert (run.connection, run.kind) == (home.connection, "manual")
    assert run.requested_by == operator.user


def test_sync_now_of_an_account_syncs_its_connection(operator, home, published):
    answer = operator.post(verb(home.bills, "sync-now"), follow=True)

    assert SyncRun.objects.latest("created").connection == home.connection
    assert "1 sync was asked for" in text(answer)


def test_many_accounts_of_one_connection_are_synced_once(operator, home, published):
    chosen = [home.main.pk, home.bills.pk, home.unread.pk]

    operator.post(
        listing(Account), {"action": "sync_chosen", "_selected_action": chosen}
    )

    assert len(published) == 1


def test_without_a_queue_a_sync_is_still_asked_for(
    operator, home, no_broker, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.post(verb(home.connection, "sync-now"))

    assert answer.status_code == 302
    assert SyncRun.objects.latest("created").status == SyncRun.Status.REQUESTED


def test_without_a_queue_a_run_is_still_started(
    operator, home, no_broker, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.post(verb(home.rule, "run-now"), {"nonce": str(uuid4())})

    run = RuleRun.objects.exclude(pk=home.run.pk).get()
    assert answer.url == page(run)
    assert run.status == RuleRun.Status.DUE


def test_a_double_click_runs_once(operator, home, published):
    button = {"nonce": nonce(operator.get(page(home.rule)))}

    first = operator.post(verb(home.rule, "run-now"), button)
    second = operator.post(verb(home.rule, "run-now"), button)

    run = RuleRun.objects.exclude(pk=home.run.pk).get()
    assert first.url == second.url == page(run)
    assert run.trigger_kind == "manual"
    assert run.requested_by == operator.user
    assert published == [("automation.tasks.execute_run", str(run.pk))]


def test_each_visit_of_the_page_may_run_once_more(operator, home, published):
    for _ in range(2):
        button = {"nonce": nonce(operator.get(page(home.rule)))}
        operator.post(verb(home.rule, "run-now"), button)

    assert RuleRun.objects.exclude(pk=home.run.pk).count() == 2


def test_two_people_never_share_a_run(operator, owner, home, published):
    button = {"nonce": str(uuid4())}
    for browser in (operator, owner):
        browser.post(verb(home.rule, "run-now"), button)

    assert RuleRun.objects.exclude(pk=home.run.pk).count() == 2


@pytest.mark.parametrize("nonce_sent", ["", "1", "k" * 300])
def test_a_run_without_the_page_s_one_time_id_is_refused(nonce_sent, operator, home):
    answer = operator.post(verb(home.rule, "run-now"), {"nonce": nonce_sent})

    assert answer.status_code == 400
    assert RuleRun.objects.count() == 1


def test_a_preview_explains_and_moves_nothing(operator, home, published):
    shown = text(operator.post(verb(home.rule, "preview")))

    assert "£50.12" in shown  # what would move
    assert "£1,423.87" in shown  # what was read
    assert "1 move, £50.12 in all" in shown
    assert "Home main › Home bills" in shown
    assert RuleRun.objects.count() == 1
    assert published == []


def test_a_preview_offers_to_run(operator, home, published):
    shown = operator.post(verb(home.rule, "preview"))

    operator.post(verb(home.rule, "run-now"), {"nonce": nonce(shown)})

    assert RuleRun.objects.exclude(pk=home.run.pk).count() == 1


@pytest.mark.parametrize(
    ("name", "status"), [("accept", "accepted"), ("ignore", "ignored")]
)
def test_a_discrepancy_is_closed_by_a_person(name, status, operator, home):
    operator.post(verb(home.discrepancy, name))

    home.discrepancy.refresh_from_db()
    assert home.discrepancy.status == status


def test_a_closed_discrepancy_stays_as_it_was_closed(operator, home):
    operator.post(verb(home.discrepancy, "accept"))
    operator.post(verb(home.discrepancy, "ignore"))

    home.discrepancy.refresh_from_db()
    assert home.discrepancy.status == "accepted"


def test_discrepancies_are_closed_together(operator, home):
    chosen = {"action": "ignore_chosen", "_selected_action": [home.discrepancy.pk]}

    operator.post(listing(type(home.discrepancy)), chosen)

    home.discrepancy.refresh_from_db()
    assert home.discrepancy.status == "ignored"


def test_a_rule_is_switched_off_and_on(owner, home):
    owner.post(verb(home.rule, "disable"))
    home.rule.refresh_from_db()
    assert not home.rule.enabled

    owner.post(verb(home.rule, "enable"))
    home.rule.refresh_from_db()
    assert home.rule.enabled
    assert home.rule.next_due_at is not None


def test_a_rule_says_which_of_its_triggers_cannot_fire_and_why(owner, home):
    home.rule.triggers.update(problem="There are no holidays XX")

    shown = owner.get(page(home.rule)).content.decode()

    assert "trigger cannot fire: There are no holidays XX" in shown


def test_an_archived_rule_keeps_its_runs_and_never_comes_back(owner, home):
    owner.post(verb(home.rule, "archive"))

    home.rule.refresh_from_db()
    assert home.rule.archived_at is not None
    assert home.rule.next_due_at is None
    shown = owner.get(page(home.rule)).content.decode()
    assert "/do/" not in shown
    assert owner.post(page(home.rule), {"name": "back"}).status_code == 403
    owner.post(verb(home.rule, "enable"))
    home.rule.refresh_from_db()
    assert not home.rule.enabled


def test_a_connection_says_how_many_events_could_not_be_read_about(owner, home):
    home.connection.webhook_events.create(event_id="lost", next_try_at=None)
    home.connection.webhook_events.create(event_id="waits", next_try_at=now())

    shown = owner.get(page(home.connection)).content.decode()

    assert "What 1 event of the last 30 days hinted at could not be read" in shown


def test_an_archived_connection_forgets_its_secrets(owner, home):
    owner.post(verb(home.connection, "archive"))

    home.connection.refresh_from_db()
    assert home.connection.archived_at is not None
    assert home.connection.open_credentials() == {}
    assert "/do/" not in owner.get(page(home.connection)).content.decode()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            Verdict(True, 3, ["read", "move"]),
            "It works: 3 accounts seen; may read, move",
        ),
        (Verdict(False, error="The key is not known"), "The key is not known"),
    ],
)
def test_testing_says_what_came_of_it(found, told, operator, home, monkeypatch):
    monkeypatch.setattr(services, "test_connection", lambda row: found)

    assert told in text(operator.post(verb(home.connection, "test"), follow=True))


def test_consent_begins_at_the_provider(owner, home):
    answer = owner.post(verb(home.connection, "connect-in-browser"))

    request = AuthorizationRequest.objects.get()
    assert answer.status_code == 302
    assert urlsplit(answer.url).netloc != "testserver"
    assert (request.connection, request.user) == (home.connection, owner.user)


def test_a_connection_that_waits_for_a_person_says_so_everywhere(owner, home):
    Connection.objects.update(health="reconnect_needed", error="Consent has ended")
    here = verb(home.connection, "connect-in-browser")

    for where in ("/admin/", listing(Connection), page(home.connection)):
        shown = owner.get(where)
        assert "Consent has ended" in text(shown), where
        assert here in shown.content.decode(), where


def test_a_connection_without_consent_in_the_browser_is_reconnected_on_its_page(
    owner, home
):
    dead = {"health": "reconnect_needed", "error": "The key is dead"}
    Connection.objects.update(provider=keyed(), **dead)

    for where in ("/admin/", listing(Connection)):
        shown = owner.get(where).content.decode()
        assert f'href="{page(home.connection)}">Reconnect</a>' in shown, where


def keyed() -> str:
    """Return a provider that is connected by typing in a key."""
    return next(
        s
        for s in providers.slugs()
        if (adapter := providers.load(s)).fields and not issubclass(adapter, Authorizes)
    )


ADDRESS = "https://here.example/webhooks/bank/THE-SECRET/"


def test_an_address_for_webhooks_is_shown_once(owner, home, monkeypatch):
    opened = services.Opened(ADDRESS, "In its dashboard, under Webhooks")
    monkeypatch.setattr(services, "listen", lambda row: opened)

    answer = owner.post(verb(home.connection, "open-webhooks"))

    assert "THE-SECRET" in text(answer)
    assert "In its dashboard" in text(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert "THE-SECRET" not in text(owner.get(page(home.connection)))


def test_an_address_that_the_provider_was_told_is_shown_to_nobody(
    owner, home, monkeypatch
):
    monkeypatch.setattr(services, "listen", lambda row: services.Opened(ADDRESS, ""))

    answer = owner.post(verb(home.connection, "open-webhooks"), follow=True)

    assert "calls a new secret address" in text(answer)
    assert "THE-SECRET" not in text(answer)


def test_webhooks_are_listed_and_stopped_or_it_is_said_why_not(
    owner, home, monkeypatch
):
    Connection.objects.filter(pk=home.connection.pk).update(webhook_digest="d" * 64)
    monkeypatch.setattr(services, "hooks", lambda row: ["https://old.example/x"])
    listed = owner.post(verb(home.connection, "show-webhooks"), follow=True)
    assert "https://old.example/x" in text(listed)

    def away(row):
        raise Unavailable("It is away")

    monkeypatch.setattr(services, "hooks", away)
    monkeypatch.setattr(services, "stop_listening", away)
    for name in ("show-webhooks", "close-webhooks"):
        answer = owner.post(verb(home.connection, name), follow=True)
        assert "It is away" in text(answer)


def test_an_operator_opens_no_address(operator, home):
    assert operator.post(verb(home.connection, "open-webhooks")).status_code == 403


def test_the_inbox_shows_what_was_said_and_never_as_a_page(owner, home):
    event = home.connection.webhook_events.create(
        event_id="e1", body=b"<script>alert(1)</script>\xff", deliveries=5
    )

    shown = owner.get(page(event)).content.decode()

    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "e1" in text(owner.get(page(home.connection)))
    assert "e1" in text(owner.get(listing(type(event))))


def test_the_list_of_connections_posts_its_buttons(owner, home, published):
    shown = owner.get(listing(Connection)).content.decode()

    assert f'formaction="{verb(home.connection, "sync-now")}"' in shown
    assert (
        owner.post(verb(home.connection, "sync-now"), {"action": ""}).status_code == 302
    )


def test_connecting_begins_with_a_choice_of_providers(owner):
    shown = owner.get(adding(Connection)).content.decode()

    assert f"?provider={BANK}" in shown
    assert f"?provider={TYPED}" in shown


def connecting(home, **more) -> dict[str, str]:
    return {
        "workspace": str(home.workspace.pk),
        "label": "Second",
        "credential_client_id": "ours",
        "credential_client_secret": SECRET,
        **more,
    }


def test_a_connection_is_made_from_what_its_provider_asks_for(owner, home):
    answer = owner.post(f"{adding(Connection)}?provider={BANK}", connecting(home))

    made = Connection.objects.get(label="Second")
    assert answer.url == page(made)
    assert made.open_credentials() == {"client_id": "ours", "client_secret": SECRET}


def test_a_connection_may_go_on_in_the_browser_at_once(owner, home):
    where = f"{adding(Connection)}?provider={BANK}"

    answer = owner.post(where, connecting(home, _authorize="1"))

    made = Connection.objects.get(label="Second")
    assert urlsplit(answer.url).netloc != "testserver"
    assert AuthorizationRequest.objects.get().connection == made


def test_nobody_connects_into_a_foreign_workspace(owner, home, foreign):
    told = connecting(home, workspace=str(foreign.workspace.pk))

    answer = owner.post(f"{adding(Connection)}?provider={BANK}", told)

    assert answer.status_code == 200
    assert not Connection.objects.filter(label="Second").exists()


def test_a_missing_credential_is_asked_for(owner, home):
    told = connecting(home, credential_client_secret="")

    answer = owner.post(f"{adding(Connection)}?provider={BANK}", told)

    assert "This field is required" in text(answer)
    assert not Connection.objects.filter(label="Second").exists()


def test_new_credentials_replace_only_what_was_typed(owner, home):
    before = home.connection.open_credentials()

    owner.post(
        verb(home.connection, "replace-credentials"),
        {"credential_client_secret": "another", "credential_client_id": ""},
    )

    home.connection.refresh_from_db()
    now = home.connection.open_credentials()
    assert now == before | {"client_secret": "another"}


@pytest.mark.parametrize("trades", [True, False])
def test_pace_of_orders_is_asked_for_where_there_are_orders(owner, home, trades):
    slugs = [
        slug
        for slug in registry.slugs()
        if issubclass(providers.load(slug), ReportsTrading) is trades
    ]
    row = home.connection.workspace.connections.create(provider=slugs[0], label="Other")

    shown = owner.get(page(row)).content.decode()

    assert ('name="trading_interval_seconds"' in shown) is trades


def test_a_counted_balance_is_recorded_to_the_penny(operator, cash):
    operator.post(verb(cash, "record-balance"), {"total": "£1,234.56"})

    cash.balance.refresh_from_db()
    assert cash.balance.total == 123_456
    assert "£1,234.56" in text(operator.get(page(cash)))


@pytest.mark.parametrize("typed", ["", "12.345", "1e5", "NaN", "12,34", "£"])
def test_a_counted_balance_that_is_not_exact_changes_nothing(typed, operator, cash):
    operator.post(verb(cash, "record-balance"), {"total": typed})

    cash.balance.refresh_from_db()
    assert cash.balance.total == 8_000


def test_a_balance_that_a_bank_reports_cannot_be_typed(owner, home):
    assert "/do/record-balance/" not in owner.get(page(home.main)).content.decode()


def test_a_purse_is_added_to_a_typed_connection(owner, cash):
    owner.post(
        verb(cash.connection, "add-account"), {"name": "Euros", "asset": "EUR/2"}
    )

    assert Account.objects.get(name="Euros").asset == "EUR/2"


def test_rules_are_switched_together(owner, home):
    chosen = {"action": "disable_chosen", "_selected_action": [home.rule.pk]}

    owner.post(listing(Rule), chosen)

    home.rule.refresh_from_db()
    assert not home.rule.enabled
