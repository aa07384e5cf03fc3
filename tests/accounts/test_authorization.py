from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils.timezone import now

import providers
from accounts import services
from accounts.models import (
    Account,
    AuthorizationRequest,
    Balance,
    Connection,
    Transaction,
)
from accounts.services import tokens
from providers.base import Tokens
from providers.errors import ProviderError

from .conftest import BANK

pytestmark = pytest.mark.django_db
BACK = "http://127.0.0.1:8000/oauth/callback"


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create(username="alice")


@pytest.fixture
def connection(workspace, bank) -> Connection:
    """A connection that nobody consented to yet."""
    given = {k: v for k, v in bank.credentials().items() if "token" not in k}
    return services.connect(workspace, BANK, given)


@pytest.fixture
def consent(bank, connection):
    """Go to the bank's page, agree, and come back with a state and a code."""

    def agree(user=None) -> tuple[str, str]:
        url = services.start_authorization(connection, user, redirect_uri=BACK)
        back = parse_qs(urlsplit(bank.consent(url)).query)
        return back["state"][0], back["code"][0]

    return agree


def test_connection_without_consent_is_not_due(connection):
    assert (connection.health, connection.next_sync_at) == ("new", None)


def test_consent_brings_tokens_accounts_and_all_history_at_once(consent, bank, alice):
    main = bank.demo_world().account.external_id
    long_ago = bank.clock.now() - timedelta(days=100)
    bank.pay(main, 5_00, description="Old", when=long_ago)

    connection = services.finish_authorization(*consent(alice), user=alice)

    assert (connection.health, connection.error) == ("ok", "")
    assert connection.token_expires_at > now() + timedelta(hours=5)
    assert connection.external_user
    assert connection.next_sync_at is not None
    assert Balance.objects.count() == Account.objects.count() > 1
    assert Transaction.objects.filter(description="Old").exists()


def test_end_of_a_consent_is_as_the_provider_tells_or_declares(
    consent, bank, connection, monkeypatch
):
    adapter = providers.load(BANK)
    monkeypatch.setattr(adapter, "consent_days", 90)
    services.finish_authorization(*consent())
    connection.refresh_from_db()
    assert connection.consent_days_left == 89

    monkeypatch.setattr(adapter, "consent_days", None)
    services.finish_authorization(*consent())
    connection.refresh_from_db()
    assert connection.consent_expires_at is None  # a new one: nobody knows its end

    ends = now() + timedelta(days=30)
    tokens.store(connection, Tokens({}, consent_ends=ends))
    tokens.store(connection, Tokens({}))  # the next token says nothing of it
    connection.refresh_from_db()
    assert connection.consent_expires_at == ends


def test_approval_that_is_pending_is_waited_for(consent, bank):
    bank.configure(approval_seconds=60)

    connection = services.finish_authorization(*consent())

    assert connection.health == "awaiting_approval"
    assert connection.error_code == "consent_needed"
    assert (connection.next_sync_at - now()).total_seconds() < 30
    assert not Balance.objects.exists()
    bank.clock.advance(61)
    services.sync([connection], "periodic")
    connection.refresh_from_db()
    assert connection.health == "ok"
    assert Transaction.objects.exists() or Balance.objects.exists()


def test_permission_taken_back_calls_for_a_person(consent, bank):
    connection = services.finish_authorization(*consent())
    bank.revoke(bank.demo_world().name)

    services.sync([connection], "periodic")

    connection.refresh_from_db()
    assert (connection.health, connection.error_code) == (
        "reconnect_needed",
        "consent_needed",
    )


def test_state_is_stored_as_a_digest_only(consent):
    state, _ = consent()

    assert state not in AuthorizationRequest.objects.get().state_digest


def test_state_works_once(consent, bank):
    state, code = consent()
    services.finish_authorization(state, code)

    with pytest.raises(services.AuthorizationFailed):
        services.finish_authorization(state, code)


def test_wrong_state_is_refused_before_the_bank_is_asked(consent, bank):
    _, code = consent()
    before = bank.requests

    with pytest.raises(services.AuthorizationFailed):
        services.finish_authorization("guessed", code)
    assert bank.requests == before


def test_state_is_forgotten_after_half_an_hour(consent):
    state, code = consent()
    AuthorizationRequest.objects.update(created=now() - timedelta(minutes=31))

    with pytest.raises(services.AuthorizationFailed):
        services.finish_authorization(state, code)


def test_somebody_elses_state_is_refused_and_stays_usable_for_them(
    consent, alice, django_user_model
):
    mallory = django_user_model.objects.create(username="mallory")
    state, code = consent(alice)

    for stranger in (mallory, None):
        with pytest.raises(services.AuthorizationFailed):
            services.finish_authorization(state, code, user=stranger)
    assert services.finish_authorization(state, code, user=alice).health == "ok"


def test_wrong_code_uses_the_state_up_and_stores_nothing(consent, connection):
    state, code = consent()
    before = connection.open_credentials()

    with pytest.raises(services.AuthorizationFailed):
        services.finish_authorization(state, "wrong")
    with pytest.raises(services.AuthorizationFailed):
        services.finish_authorization(state, code)
    connection.refresh_from_db()
    assert connection.open_credentials() == before


def test_bank_that_cannot_be_reached_is_told_as_such(consent, bank):
    state, code = consent()
    bank.fault("drop_before", path="*token", times=None)

    with pytest.raises(ProviderError):
        services.finish_authorization(state, code)


def test_archived_connection_takes_no_consent(consent, connection):
    state, code = consent()
    connection.archive()

    with pytest.raises(services.AuthorizationFailed):
        services.finish_authorization(state, code)


def test_new_consent_ends_the_need_to_reconnect(consent, connection):
    Connection.objects.update(health="reconnect_needed", failures=9)

    assert services.finish_authorization(*consent()).health == "ok"
    connection.refresh_from_db()
    assert connection.failures == 0
