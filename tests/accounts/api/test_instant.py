"""Instant answers cost nothing, and never outlive a right or a refresh."""

from __future__ import annotations

import gc
import json

import pytest
from django.test import RequestFactory
from django.utils.timezone import now

from accounts import services, signals, tasks
from accounts.api import callers, throttling
from accounts.api.balances import AccountBalance
from accounts.models import Balance, ChainState, Membership, SyncRun
from accounts.services import instant
from accounts.services.instant import cache
from tests.fixtures_api import ASSET, V1, absent, account, expect_problem, hold
from tests.fixtures_signing import pen_for


def path(account, query=""):
    return f"{V1}/accounts/{getattr(account, 'pk', account)}/balance/{query}"


@pytest.fixture(autouse=True)
def nobody_remembered(valkey):
    callers.tokens, callers.keys = callers.Memory(), callers.Memory()
    throttling.leases.clear()
    for one in (throttling.store, throttling.shared, throttling.alone):
        one.cache_clear()


@pytest.fixture
def fresh(world, published):
    moment = now()
    Balance.objects.update(as_of=moment, fetched_at=moment)
    return world.mine.main


@pytest.fixture
def pen(world):
    return pen_for(world.mine.workspace, world.viewer.user, ["read"])


@pytest.fixture
def events():
    heard = []

    def listen(kind, **_):
        heard.append(kind)

    signals.cache_event.connect(listen)
    yield heard
    signals.cache_event.disconnect(listen)


def test_known_caller_s_answer_takes_no_query_and_no_message(
    world, fresh, pen, published, events, django_assert_num_queries
):
    for ask in (world.viewer.get, lambda url: pen.ask("GET", url)):
        assert ask(path(fresh)).status_code == 200
        with django_assert_num_queries(0):
            answer = ask(path(fresh))
        told = answer.json()
        assert (told["total"]["minor"], told["found_in"]) == ("100000", "cache")
        assert answer.headers["Content-Type"] == "application/json"

    assert published == []
    assert events == ["miss", "filled", "hit", "hit", "hit"]


def test_answers_to_somebody_known_leave_nothing_to_collect(world, fresh):
    """A collection makes all wait who ask meanwhile."""
    token = world.viewer.get(path(fresh)).wsgi_request.META["HTTP_AUTHORIZATION"]
    view, asked = AccountBalance.as_view(), RequestFactory(HTTP_AUTHORIZATION=token)

    def ask():
        assert view(asked.get(path(fresh)), pk=fresh.pk).status_code == 200

    ask()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            ask()
        assert gc.collect() < 20
    finally:
        gc.enable()


def test_head_is_answered_as_get_is(world, fresh):
    told, body = world.viewer.head(path(fresh)), world.viewer.get(path(fresh))

    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["ETag"] == body.headers["ETag"]


def test_short_way_says_what_the_long_way_says(world, fresh):
    world.viewer.get(path(fresh))
    short = world.viewer.get(path(fresh))
    long = world.viewer.get(path(fresh), headers={"Accept": "application/json;q=0.9"})

    same = {"ETag", "Cache-Control", "Content-Type"}
    assert [{k: a.headers[k] for k in same} for a in (short, long)] == [
        {k: short.headers[k] for k in same}
    ] * 2
    young = [json.loads(a.content) | {"age_seconds": 0} for a in (short, long)]
    assert young[0] == young[1]


def test_foreign_and_absent_are_alike_though_the_one_is_kept(world, fresh, pen):
    theirs = world.theirs.main
    assert world.stranger.get(path(theirs)).status_code == 200
    for ask in (world.viewer.get, lambda url: pen.ask("GET", url)):
        ask(path(fresh))  # now the caller is remembered

        foreign, nowhere = ask(path(theirs)), ask(path(absent()))

        assert (foreign.status_code, nowhere.status_code) == (404, 404)
        assert foreign.content == nowhere.content
        assert foreign.headers.keys() == nowhere.headers.keys()


@pytest.mark.parametrize(
    "revoke",
    [
        lambda world: world.viewer.user.auth_token_set.all().delete(),
        lambda world: world.viewer.user.memberships.all().delete(),
        lambda world: deactivate(world.viewer.user),
        lambda world: world.viewer.user.delete(),
    ],
    ids=["token deleted", "no member any more", "inactive", "user deleted"],
)
def test_right_that_ended_is_remembered_nowhere(world, fresh, revoke):
    world.viewer.get(path(fresh))
    elsewhere = callers.tokens._kept.copy()  # as another process has it

    revoke(world)
    callers.tokens._kept = elsewhere

    assert world.viewer.get(path(fresh)).status_code in (401, 404)


def test_key_that_was_revoked_is_remembered_nowhere(world, fresh, pen):
    assert pen.ask("GET", path(fresh)).status_code == 200
    elsewhere = callers.keys._kept.copy()

    pen.key.revoke()
    callers.keys._kept = elsewhere

    expect_problem(pen.ask("GET", path(fresh)), 401, "signature_refused")


def test_remembered_key_opens_nothing_to_another_signature(world, fresh, pen):
    good = pen.ask("GET", path(fresh))
    signed = pen.headers("GET", f"http://testserver{path(fresh)}")
    turned = signed["Signature"].swapcase()

    for odd in (
        signed | {"Signature": turned},
        signed | {"Content-Digest": "sha-256=:AAAA:"},
        pen.headers("GET", f"http://testserver{path(world.mine.pot)}"),
        pen.headers("HEAD", f"http://testserver{path(fresh)}"),
        pen.headers("GET", f"http://testserver{path(fresh)}", created=1),
    ):
        refused = world.clients["anonymous"].get(path(fresh), headers=odd)
        expect_problem(refused, 401, "signature_refused")
    assert good.status_code == 200


def test_key_without_the_scope_reads_nothing_though_remembered(world, fresh, pen):
    pen.ask("GET", path(fresh))
    look = instant.peek(fresh.pk)
    caller = callers.keys.get(pen.id, look)
    caller.auth.scopes = ["sync"]

    pen.key.scopes = ["sync"]
    pen.key.save()

    expect_problem(pen.ask("GET", path(fresh)), 403, "scope_needed")


def test_new_member_sees_what_is_theirs_at_once(world, fresh):
    assert world.stranger.get(path(fresh)).status_code == 404
    world.stranger.get(path(world.theirs.main))

    Membership.objects.create(
        workspace=world.mine.workspace, user=world.stranger.user, role="viewer"
    )

    assert world.stranger.get(path(fresh)).status_code == 200


def test_expired_token_is_not_let_in_though_remembered(world, fresh):
    world.viewer.get(path(fresh))
    token = world.viewer.user.auth_token_set.get()
    [(name, (_, _, caller))] = callers.tokens._kept.items()
    assert name == token.digest
    assert not caller.has_expired
    type(token).objects.filter(pk=token.pk).update(expiry=now())
    object.__setattr__(caller, "until", now())

    assert world.viewer.get(path(fresh)).status_code == 401


def test_refresh_that_died_is_not_said_to_be_under_way(world, published, valkey):
    main = world.mine.main
    assert world.viewer.get(path(main)).json()["updating"] is True
    assert world.viewer.get(path(main)).json()["updating"] is True
    assert len(published) == 1

    # The worker died: nobody ends the lease but its time.
    lease = f"{cache.PREFIX}refresh:{main.connection_id}"
    assert 0 < valkey.ttl(lease) <= cache.ASKED
    valkey.delete(lease)

    assert instant.glance(main.pk).updating is False
    world.viewer.get(path(main))
    assert len(published) == 2  # and the next who asks starts another


def test_hint_makes_what_was_read_before_stale(world, fresh):
    assert world.viewer.get(path(fresh)).json()["stale"] is False

    instant.hint(fresh.connection_id)

    told = world.viewer.get(path(fresh)).json()
    assert (told["stale"], told["source"], told["updating"]) == (True, "cache", True)


def test_cache_that_is_away_leaves_the_row_which_is_said(world, fresh, settings):
    settings.CACHE_URL = "unix:///nowhere/valkey.sock"
    cache.store.cache_clear()
    cache._script.cache_clear()
    try:
        told = world.viewer.get(path(fresh)).json()
        Balance.objects.update(as_of=now().replace(year=2020))
        old = world.viewer.get(path(fresh)).json()
        again = world.viewer.get(path(fresh)).json()
    finally:
        cache.store.cache_clear()
        cache._script.cache_clear()

    assert (told["total"]["minor"], told["found_in"]) == ("100000", "database")
    assert (old["stale"], old["updating"], again["updating"]) == (True, True, True)
    assert SyncRun.objects.filter(connection=fresh.connection_id).count() == 2


def test_last_rung_is_the_last_snapshot(world, published):
    main = world.mine.main
    main.snapshots.create(total=7, available=7, as_of=now())
    Balance.objects.filter(pk=main.pk).delete()

    told = world.viewer.get(path(main)).json()

    assert (told["source"], told["stale"], told["total"]["minor"]) == (
        "snapshot",
        True,
        "7",
    )


def test_low_hit_rate_is_warned_of(caplog):
    tally = instant.tally.__class__()
    for hit in [True] * 40 + [False] * 60:
        tally.count(hit)
    tally.close_window()
    assert "balance_cache_misses" in caplog.text
    assert tally.rate == 0.4

    caplog.clear()
    for hit in [True] * 60 + [False] * 40:
        tally.count(hit)
    tally.close_window()
    assert caplog.text == ""


def test_caller_gets_no_more_than_the_limit(world, fresh, monkeypatch):
    limit = throttling.parse("120/minute")
    monkeypatch.setattr(throttling.CallerRate, "limit", limit)

    codes = [world.viewer.get(path(fresh)).status_code for _ in range(122)]

    assert codes.count(200) == 120
    assert set(codes[120:]) == {429}


def deactivate(user) -> None:
    user.is_active = False
    user.save()


def test_task_of_a_refresh_leaves_alone_what_was_just_read(world, fresh):
    owner = world.mine.connection
    owner.last_sync_at = now()
    owner.save()
    instant.begin_refresh(owner.pk)

    assert services.request_refresh(owner.pk) is None
    assert instant.glance(fresh.pk).updating is False
    assert tasks.refresh(str(absent())) is None


def test_wallets_of_older_systems(world, published):
    main = world.mine.main
    for slash in ("", "/"):
        told = world.viewer.get(f"{V1}/wallets/{main.pk}/balance{slash}").json()
        assert (told["wallet_id"], told["balance"], told["currency"]) == (
            str(main.pk),
            "1000.00",
            "GBP",
        )
        assert told["external_balance_id"] is None


def test_wallet_is_synced_once_per_key_wherever_the_key_stands(world, monkeypatch):
    main, taken = world.mine.main, []

    def take(account, key):
        taken.append(account.pk)
        return account.snapshots.create(total=len(taken), available=0, as_of=now())

    monkeypatch.setattr(services, "take_snapshot", take)
    url = f"{V1}/wallets/{main.pk}/sync-balance"
    body = {"idempotency_key": "one"}
    first, again = (world.operator.post(url, body) for _ in range(2))
    other = world.operator.post(url, headers={"Idempotency-Key": "two"})
    both = world.operator.post(url, body, headers={"Idempotency-Key": "two"})

    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (first.json()["balance"], other.json()["balance"]) == ("0.01", "0.02")
    assert len(taken) == 2
    expect_problem(both, 400, "idempotency_key_invalid")
    odd = world.operator.post(url, {"idempotency_key": 5})
    expect_problem(odd, 400, "idempotency_key_invalid")


def test_chain_wallets_are_told_together_and_never_in_part(world, published):
    url = "/api/balance"
    expect_problem(world.viewer.get(url), 404)
    owner = world.mine.connection
    derived = account(owner, "D", 2400, role="derived")
    assert world.stranger.get(url).status_code == 404
    alone = world.viewer.get(url).json()
    assert (alone["balance"], alone["proxy_balance"]) == ("24.00", None)

    proxy = account(owner, "P", None, role="proxy")
    cold = world.viewer.get(url)
    assert cold.status_code == 202
    assert (cold.json()["balance"], cold.json()["derived_balance"]) == (None, "24.00")
    assert (cold.json()["complete"], cold.json()["success"]) == (False, False)

    hold(proxy, 34985, derived.balance.as_of)
    told = world.viewer.get(url).json()
    assert (told["balance"], told["proxy_balance"]) == ("373.85", "349.85")
    assert (told["complete"], told["success"], told["updating"]) == (True, True, True)
    assert told["proxy_allowance"] is None
    assert derived.asset == ASSET

    account(owner, "E", 1, role="derived").__class__.objects.filter(name="E").update(
        asset="EUR/2"
    )
    assert fields_needed(world.viewer.get(url)) == "currency"
    assert world.viewer.get(url, {"currency": "EUR"}).json()["balance"] == "0.01"


def test_chain_wallets_tell_what_others_may_take_and_what_is_not_final(
    world, published, settings
):
    owner = world.mine.connection
    proxy = account(owner, "P", 2400, role="proxy")
    ChainState.objects.create(
        account=proxy, number=7, hash="0x7", read_at=now(), unconfirmed=2500
    )
    spender = {"account": proxy, "read_at": now()}
    most = 2**256 - 1
    proxy.allowances.create(spender="0xe", amount=most, unlimited=True, **spender)

    told = world.viewer.get("/api/balance").json()
    assert (told["balance"], told["unconfirmed_balance"]) == ("24.00", "25.00")
    assert told["proxy_allowance"] == "unlimited"

    proxy.allowances.create(spender="0xf", amount=150, **spender)
    assert world.viewer.get("/api/balance").json()["proxy_allowance"] == "1.50"

    shown = world.viewer.get(f"{V1}/accounts/{proxy.pk}/").json()["chain"]
    assert (shown["block"], shown["block_hash"]) == (7, "0x7")
    assert shown["unconfirmed"]["minor"] == "2500"
    assert [a["amount"]["minor"] for a in shown["allowances"]] == [str(most), "150"]

    account(owner, "E", 1, role="derived").__class__.objects.filter(name="E").update(
        asset="EUR/2"
    )
    settings.CHAIN_CURRENCY = "EUR"
    assert world.viewer.get("/api/balance").json()["balance"] == "0.01"


def fields_needed(answer) -> str:
    return expect_problem(answer, 400)["errors"][0]["field"]
