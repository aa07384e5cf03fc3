"""Consent ends in tokens that work, and old ones die."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from providers import errors
from providers.base import Authorizes
from providers.sandbox.inside import sender
from providers.wire import drive

from .parties import able


def renewed(adapter, tokens):
    credentials = {**adapter.credentials, **tokens.credentials}
    return type(adapter)(credentials, adapter.urls)


@able(Authorizes)
def test_consent_ends_in_tokens_that_work(bank, adapter, run):
    back = "http://127.0.0.1:1/oauth/callback"
    url = bank.do("consent", url=adapter.authorization_url(back, "a state & more"))
    found = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(back)
    assert found["state"] == "a state & more"

    tokens = run(adapter.exchange(found["code"], back))

    assert tokens.expires_in > 0
    assert tokens.user
    new = renewed(adapter, tokens)
    assert drive(new.observe(), sender(new, bank)).complete
    with pytest.raises(errors.AuthenticationFailed):
        run(adapter.exchange(found["code"], back))


@able(Authorizes)
def test_consent_page_has_a_button_and_escapes_what_it_shows(adapter):
    url = adapter.authorization_url("http://127.0.0.1:1/", '"><script>')
    page = requests.get(url, timeout=5)

    assert page.status_code == 200
    assert "<button" in page.text
    assert "<script>" not in page.text
    place, _, asked = url.partition("?")
    wish = dict(parse_qsl(asked))
    for spoiled in ({"client_id": "x"}, {"redirect_uri": "javascript:1"}):
        assert spoiled.keys() <= wish.keys()
        again = requests.get(place, params={**wish, **spoiled}, timeout=5)
        assert again.status_code >= 400


@able(Authorizes)
def test_refreshed_tokens_work_once_and_the_old_ones_no_more(bank, adapter, run):
    new = renewed(adapter, run(adapter.refresh()))

    assert drive(new.observe(), sender(new, bank)).complete
    with pytest.raises(errors.AuthenticationFailed):
        run(adapter.observe())
    with pytest.raises(errors.AuthenticationFailed):
        run(adapter.refresh())


@able(Authorizes)
def test_expired_token_is_refreshed_without_being_shown(bank, adapter, ask):
    bank.do("expire", name=bank.demo_world().name)
    with pytest.raises(errors.AuthenticationFailed):
        ask(adapter.observe())

    new = renewed(adapter, ask(adapter.refresh()))

    assert drive(new.observe(), sender(new, bank)).complete


@able(Authorizes)
def test_consent_waits_for_approval(bank, box, adapter, ask):
    bank.configure(approval_seconds=20.0)
    back = "http://127.0.0.1:1/"
    url = bank.do("consent", url=adapter.authorization_url(back, "s"))
    code = parse_qs(urlsplit(url).query)["code"][0]
    new = renewed(adapter, ask(adapter.exchange(code, back)))

    with pytest.raises(errors.ConsentNeeded):
        drive(new.observe(), sender(new, bank))

    box.clock.advance(21)
    assert drive(new.observe(), sender(new, bank)).complete


@able(Authorizes)
def test_no_secret_is_in_what_a_failure_says(bank, adapter, run):
    for code in ("authentication_failed", "consent_needed", "refused"):
        bank.fault("refuse", code=code)
        with pytest.raises(errors.ProviderError) as raised:
            run(adapter.observe())
        secret = [adapter.credentials[f.name] for f in adapter.fields if f.secret]
        assert any(secret)
        assert not any(known in str(raised.value) for known in secret if known)
