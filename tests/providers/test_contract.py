"""Every provider folder must pass these; a new one is picked up by being there."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import providers
from providers import errors, sandbox
from providers.base import Authorizes, ListsMovements, MovesMoney, Place
from providers.drivers import Blocking, configure, fleet
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.wire import Response, drive

FOLDER = Path(providers.__file__).parent
SAMPLES = sorted(FOLDER.glob("*/samples/*.json"))
# Those with an institution on the other side; the rest has nobody to speak with.
EVERYBODY = [slug for slug in providers.slugs() if providers.load(slug).hosts]
ALONE = [slug for slug in providers.slugs() if slug not in EVERYBODY]


def able(*abilities):
    """Parametrise over the providers that can do all of this."""
    found = [s for s in EVERYBODY if issubclass(providers.load(s), abilities)]
    return pytest.mark.parametrize("slug", found)


@pytest.fixture(scope="module")
def box():
    with sandbox.serve() as box:
        yield box


@pytest.fixture
def bank(box, slug):
    box.clock.reset()
    box[slug].reset()
    configure(None)  # what one test broke must not keep the next one out
    return box[slug]


@pytest.fixture
def adapter(bank, box, slug):
    return providers.load(slug)(bank.credentials(), box.hosts(slug))


@pytest.fixture(params=["inside", "blocking", "fleet"])
def run(request, adapter, bank):
    """Run a call in each way there is: without a socket, and with both drivers."""

    def in_fleet(call):
        (answer,) = fleet().run_all([(adapter, call)], seconds=10)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    blocking = Blocking()
    yield {
        "inside": lambda call: drive(call, sender(adapter, bank)),
        "blocking": lambda call: blocking.run(adapter, call),
        "fleet": in_fleet,
    }[request.param]
    blocking.close()


@pytest.fixture
def ask(adapter, bank):
    """Run a call without a socket, where the way it is run cannot matter."""
    return lambda call: drive(call, sender(adapter, bank))


@pytest.fixture
def ends(bank):
    """The main account, and a pot money may come out of."""
    customer = bank.demo_world()
    return place(customer.account), place(customer.pots[0])


def place(holding):
    asset = Asset.parse(holding.asset)
    return Place(holding.external_id, holding.kind, holding.parent, asset)


def everything(adapter, ask, account, *, now, since, cursor=""):
    """Return all movements after `cursor`, page after page, and the last cursor."""
    found, more = [], True
    while more:
        history = ask(adapter.movements(account, cursor, now=now, since=since))
        known = {m.external_id for m in found}
        found += [m for m in history.movements if m.external_id not in known]
        cursor, more = history.cursor, history.more
    return found, cursor


# -- the folder


@pytest.mark.parametrize("slug", EVERYBODY)
def test_folder_is_complete(slug):
    adapter = providers.load(slug)

    assert (FOLDER / slug / "client.py").exists()
    assert [*(FOLDER / slug).glob("tests.py"), *(FOLDER / slug).glob("tests/test_*.py")]
    assert slug in sandbox.slugs()
    assert any(path.parts[-3] == slug for path in SAMPLES)
    assert adapter.name
    assert set(sandbox.load(slug).mounts) == set(adapter.hosts)
    assert all(url.startswith(("https://", "wss://")) for url in adapter.hosts.values())


@pytest.mark.parametrize("slug", ALONE)
def test_provider_without_an_institution_asks_nobody(slug):
    def refuse(request):
        raise AssertionError(request)

    assert not drive(providers.load(slug)({}).observe(), refuse).complete


@pytest.mark.parametrize("slug", EVERYBODY)
def test_credentials_of_the_sandbox_are_the_fields_a_person_fills_in(slug, bank):
    fields = {field.name for field in providers.load(slug).fields}

    assert set(bank.credentials()) == fields


# -- recorded exchanges


def revive(arguments):
    """Return the arguments of a sample as what the ports take."""
    found = {}
    for name, value in arguments.items():
        if isinstance(value, dict):
            value = Place(**value)
        elif name in ("now", "since"):
            value = datetime.fromisoformat(value)
        found[name] = value
    return found


def plain(value):
    """Return a result of the ports in JSON's words."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        if set(value) == {"code", "decimals"}:
            return f"{value['code']}/{value['decimals']}"
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def body_of(exchange):
    if "raw" in exchange:
        return exchange["raw"].encode()
    return json.dumps(exchange["body"]).encode()


def asked_for(request):
    sent = {k: v[0] for k, v in parse_qs(request.body.decode()).items()}
    found = {
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "params": dict(request.params),
        "sent": sent,
        "authorized": "Authorization" in request.headers,
    }
    return {k: v for k, v in found.items() if v or k == "authorized"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_sample_is_asked_and_understood_as_recorded(path):
    sample = json.loads(path.read_text())
    exchanges = iter(sample["exchanges"])

    def answer(request):
        exchange = next(exchanges)
        assert asked_for(request) == exchange["asked"]
        return Response(exchange["status"], {}, body_of(exchange))

    provider = providers.load(path.parts[-3])(sample["credentials"])
    call = getattr(provider, sample["call"])(**revive(sample.get("arguments", {})))
    try:
        found = plain(asdict(drive(call, answer)))
    except errors.ProviderError as error:
        found = {"error": error.code}

    assert found == sample["expected"]
    assert next(exchanges, None) is None


# -- reading


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"{}", errors.AuthenticationFailed),
        (429, b"{}", errors.RateLimited),
        (418, b"{}", errors.ProviderError),
        (400, b"{}", errors.Refused),
        (500, b"{}", errors.Unavailable),
        (503, b"<html>", errors.Unavailable),
        (504, b"", errors.Unavailable),
        (302, b"{}", errors.UnexpectedResponse),
        (200, b"", errors.UnexpectedResponse),
        (200, b"{}", errors.UnexpectedResponse),
        (200, b"[]", errors.UnexpectedResponse),
        (200, b"null", errors.UnexpectedResponse),
        (200, b"<html>", errors.UnexpectedResponse),
        (200, b'{"error": "sorry"}', errors.UnexpectedResponse),
        (200, b'{"data": NaN}', errors.UnexpectedResponse),
        (200, b'{"a": 1, "a": 2}', errors.UnexpectedResponse),
        (200, b"\xff\xfe", errors.UnexpectedResponse),
        (200, b"[" * 100_000, errors.UnexpectedResponse),
    ],
)
def test_failures_of_a_read_have_names(slug, bank, status, body, error):
    call = providers.load(slug)(bank.credentials()).observe()

    with pytest.raises(error):
        drive(call, lambda request: Response(status, {}, body))


@pytest.mark.parametrize("slug", EVERYBODY)
def test_adapter_reads_what_its_sandbox_holds(bank, adapter, run):
    customer = bank.demo_world()
    bank.pay(customer.account.external_id, 2**53 + 1)  # no float holds this

    seen = run(adapter.observe())

    wanted = {h.external_id: h for h in customer.holdings if not h.closed}
    found = {r.external_id: r for r in seen.readings if not r.closed}
    assert seen.complete
    assert {id: r.total for id, r in found.items()} == {
        id: bank.balance(id) for id in wanted
    }
    assert {id: str(r.asset) for id, r in found.items()} == {
        id: h.asset for id, h in wanted.items()
    }
    assert {id: r.parent for id, r in found.items()} == {
        id: h.parent for id, h in wanted.items()
    }
    assert {id: r.goal for id, r in found.items()} == {
        id: h.goal for id, h in wanted.items()
    }


@pytest.mark.parametrize("slug", EVERYBODY)
def test_figures_that_must_agree_do(bank, adapter, ask):
    bank.demo_world()

    assert all(i.expected == i.actual for i in ask(adapter.observe()).invariants)


@able(MovesMoney)
def test_locked_and_closed_accounts_are_told_apart(bank, adapter, ask):
    seen = {r.external_id: r for r in ask(adapter.observe()).readings}

    for holding in bank.demo_world().holdings:
        if holding.external_id in seen:
            reading = seen[holding.external_id]
            assert reading.closed == holding.closed
            assert reading.can_send == (not holding.locked and not holding.closed)


@pytest.mark.parametrize("slug", EVERYBODY)
def test_lost_answer_to_a_read_means_ask_again(bank, adapter, run):
    bank.fault("act_then_drop", times=None)

    with pytest.raises(errors.Unavailable):
        run(adapter.observe())


@pytest.mark.parametrize("slug", EVERYBODY)
def test_read_that_fails_once_is_asked_again_by_itself(bank, adapter):
    bank.fault("5xx", status=503)

    assert Blocking().run(adapter, adapter.observe()).complete


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize("action", ["garbage", "truncated", "duplicate_keys", "nan"])
def test_nonsense_never_becomes_a_balance(bank, adapter, run, action):
    bank.fault(action, times=None)

    with pytest.raises(errors.UnexpectedResponse):
        run(adapter.observe())


@pytest.mark.parametrize("slug", EVERYBODY)
def test_stale_read_shows_the_past_and_not_the_future(bank, adapter, ask):
    account = bank.demo_world().account.external_id
    before = bank.balance(account)
    bank.pay(account, 77)
    bank.fault("read_lag", seconds=30, times=None)

    (reading,) = (
        r for r in ask(adapter.observe()).readings if r.external_id == account
    )

    assert (reading.total, bank.balance(account)) == (before, before + 77)


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize(
    "code", ["authentication_failed", "consent_needed", "rate_limited", "unavailable"]
)
def test_what_the_institution_says_gets_its_name(bank, adapter, run, code):
    bank.fault("refuse", code=code, times=None)

    with pytest.raises(errors.ProviderError) as raised:
        run(adapter.observe())

    assert raised.value.code == code


# -- moving


@able(MovesMoney)
def test_transfer_moves_once_however_often_it_is_sent(bank, adapter, run, ends):
    account, pot = ends
    held = bank.balance(account.external_id), bank.balance(pot.external_id)

    receipts = [
        run(adapter.transfer(account, pot, 1234, dedupe_id="one")) for _ in range(3)
    ]

    (entry,) = bank.moved("one")
    assert (entry.source, entry.target) == (account.external_id, pot.external_id)
    assert entry.amount == 1234
    assert bank.balance(account.external_id) == held[0] - 1234
    assert bank.balance(pot.external_id) == held[1] + 1234
    for receipt in receipts:
        assert receipt.balances.get(pot.external_id, held[1] + 1234) == held[1] + 1234
        assert receipt.reference


@able(MovesMoney)
def test_transfer_moves_back_as_well(bank, adapter, run, ends):
    account, pot = ends
    run(adapter.transfer(account, pot, 500, dedupe_id="in"))
    run(adapter.transfer(pot, account, 200, dedupe_id="out"))

    (entry,) = bank.moved("out")
    assert (entry.source, entry.amount) == (pot.external_id, 200)


@able(MovesMoney)
def test_two_dedupe_ids_are_two_transfers(bank, adapter, ask, ends):
    for dedupe_id in ("one", "two"):
        ask(adapter.transfer(*ends, 100, dedupe_id=dedupe_id))

    assert len(bank.moved("one") + bank.moved("two")) == 2


@able(MovesMoney)
@pytest.mark.parametrize(
    "action",
    [
        "act_then_drop",
        "act_then_500",
        "cut",
        "truncated",
        "garbage",
        "nan",
        "duplicate_keys",
        "negative",
        "wrong_currency",
    ],
)
def test_answer_lost_after_the_money_moved_is_unknown_and_not_paid_again(
    bank, adapter, run, ends, action
):
    bank.fault(action)

    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1

    run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1


@able(MovesMoney)
def test_request_that_never_arrived_is_unknown_and_can_be_repeated(
    bank, adapter, run, ends
):
    bank.fault("drop_before")

    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert bank.moved("one") == []

    run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1


@able(MovesMoney)
def test_request_that_arrives_late_moves_once(box, bank, adapter, run, ends):
    bank.fault("late_apply", seconds=60)
    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert bank.moved("one") == []

    box.clock.advance(61)
    assert len(bank.moved("one")) == 1

    run(adapter.transfer(*ends, 100, dedupe_id="one"))
    assert len(bank.moved("one")) == 1


@able(MovesMoney)
def test_too_little_money_has_a_name_and_moves_nothing(bank, adapter, run, ends):
    before = bank.balances()
    too_much = bank.balance(ends[0].external_id) + 1

    with pytest.raises(errors.InsufficientFunds):
        run(adapter.transfer(*ends, too_much, dedupe_id="one"))

    assert bank.balances() == before


@able(MovesMoney)
def test_locked_source_and_closed_target_have_a_name(bank, adapter, ask):
    customer = bank.demo_world()
    account = place(customer.account)
    locked = next(place(h) for h in customer.holdings if h.locked)
    closed = next(place(h) for h in customer.holdings if h.closed and h.parent)
    before = bank.balances()

    for source, target in ((locked, account), (account, closed), (closed, account)):
        with pytest.raises(errors.AccountUnusable):
            ask(adapter.transfer(source, target, 100, dedupe_id="one"))

    assert bank.balances() == before


@able(MovesMoney)
@pytest.mark.parametrize(
    "code",
    [
        "insufficient_funds",
        "account_unusable",
        "refused",
        "authentication_failed",
        "consent_needed",
        "rate_limited",
    ],
)
def test_refusal_of_a_transfer_has_its_name_and_moved_nothing(
    bank, adapter, run, ends, code
):
    bank.fault("refuse", code=code)

    with pytest.raises(errors.ProviderError) as raised:
        run(adapter.transfer(*ends, 100, dedupe_id="one"))

    assert raised.value.code == code
    assert bank.moved("one") == []


@able(MovesMoney)
def test_rate_limit_says_when_to_come_back(bank, adapter, ask, ends):
    bank.fault("429", seconds=7)

    with pytest.raises(errors.RateLimited) as raised:
        ask(adapter.transfer(*ends, 100, dedupe_id="one"))

    assert raised.value.retry_after == 7


@able(MovesMoney)
def test_places_that_are_not_joined_are_refused_without_asking(bank, adapter, ends):
    account, pot = ends
    other = place(bank.demo_world().pots[1])
    assert adapter.moves(account, pot)
    assert adapter.moves(pot, account)

    for source, target in ((account, account), (pot, pot), (pot, other)):
        if adapter.moves(source, target):
            continue
        with pytest.raises(errors.Refused):
            next(adapter.transfer(source, target, 1, dedupe_id="one"))


@able(MovesMoney)
def test_only_the_request_that_moves_money_may_move_money(bank, adapter, ends):
    send, kinds = sender(adapter, bank), []

    def watch(request):
        kinds.append(request.may_move_money)
        return send(request)

    drive(adapter.observe(), watch)
    assert not any(kinds)
    drive(adapter.transfer(*ends, 100, dedupe_id="one"), watch)
    assert kinds.count(True) == 1


@able(MovesMoney)
def test_bank_that_forgets_its_dedupe_ids_can_be_played(box, bank, adapter, ask, ends):
    bank.configure(dedupe_horizon=3600.0)
    for pause in (0, 3599, 3602):
        box.clock.advance(pause)
        ask(adapter.transfer(*ends, 100, dedupe_id="one"))

    assert len(bank.moved("one")) == 2  # the reason why horizons are never passed


@able(MovesMoney)
def test_earlier_transfer_is_found_by_its_dedupe_id(bank, adapter, run, ends):
    since = bank.clock.now() - timedelta(minutes=1)
    ask = {"dedupe_id": "one", "since": since}
    assert run(adapter.find_transfer(*ends, 100, **ask)) is None

    bank.fault("act_then_drop", method="PUT")
    bank.fault("act_then_drop", method="POST")
    with pytest.raises(errors.OutcomeUnknown):
        run(adapter.transfer(*ends, 100, dedupe_id="one"))
    run(adapter.transfer(*ends, 100, dedupe_id="another"))
    bank.calm()

    receipt = run(adapter.find_transfer(*ends, 100, **ask))
    assert receipt.reference == bank.moved("one")[0].id
    assert receipt.amount == 100


@able(MovesMoney)
def test_transfer_the_bank_does_not_name_is_not_found(bank, adapter, ask, ends):
    since = bank.clock.now() - timedelta(minutes=1)
    bank.configure(shows_dedupe=False)
    ask(adapter.transfer(*ends, 100, dedupe_id="one"))

    found = ask(adapter.find_transfer(*ends, 100, dedupe_id="one", since=since))

    assert found is None


@able(MovesMoney)
@pytest.mark.parametrize("code", ["refused", "account_unusable", "insufficient_funds"])
def test_refusal_to_look_back_is_no_refusal_of_the_transfer(
    bank, adapter, ask, ends, code
):
    bank.fault("refuse", code=code)

    with pytest.raises(errors.ProviderError) as raised:
        ask(adapter.find_transfer(*ends, 100, dedupe_id="one", since=bank.clock.now()))

    assert not isinstance(raised.value, errors.Refused)


# -- history


@able(ListsMovements)
def test_history_is_complete_where_moments_are_equal(bank, adapter, ask):
    account = place(bank.demo_world().account)
    bank.clock.freeze()
    paid = [
        bank.pay(account.external_id, n + 1, description=f"{n}").id for n in range(250)
    ]
    now = bank.clock.now()

    found, _ = everything(
        adapter, ask, account, now=now, since=now - timedelta(days=30)
    )

    assert [m.external_id for m in found] == paid
    assert [m.amount for m in found] == list(range(1, 251))


@able(ListsMovements)
def test_history_goes_on_where_it_ended(bank, adapter, ask):
    account = place(bank.demo_world().account)
    bank.pay(account.external_id, 100)
    wish = {"now": bank.clock.now(), "since": bank.clock.now() - timedelta(days=30)}
    _, cursor = everything(adapter, ask, account, **wish)

    assert everything(adapter, ask, account, cursor=cursor, **wish)[0] == []
    later = bank.spend(account.external_id, 30, merchant="Café", category="eating_out")

    (found,) = everything(adapter, ask, account, cursor=cursor, **wish)[0]
    assert (found.external_id, found.amount) == (later.id, -30)
    assert (found.merchant, found.category) == ("Café", "eating_out")


@able(ListsMovements)
def test_pending_payment_is_read_again_until_it_is_settled(bank, adapter, ask):
    account = place(bank.demo_world().account)
    pending = bank.spend(account.external_id, 30, pending=True)
    after = bank.pay(account.external_id, 5)
    wish = {"now": bank.clock.now(), "since": bank.clock.now() - timedelta(days=30)}

    first, cursor = everything(adapter, ask, account, **wish)
    assert [m.settled is None for m in first] == [True, False]

    bank.settle(pending.id, amount=28)
    again, cursor = everything(adapter, ask, account, cursor=cursor, **wish)
    assert [(m.external_id, m.amount) for m in again] == [
        (pending.id, -28),
        (after.id, 5),
    ]
    assert all(m.settled for m in again)
    assert everything(adapter, ask, account, cursor=cursor, **wish)[0] == []


@able(ListsMovements)
def test_declined_payment_is_listed_as_having_moved_nothing(bank, adapter, ask):
    account = place(bank.demo_world().account)
    before = bank.balance(account.external_id)
    bank.spend(account.external_id, 30, declined="INSUFFICIENT_FUNDS")
    now = bank.clock.now()

    (found,), _ = everything(
        adapter, ask, account, now=now, since=now - timedelta(days=30)
    )

    assert found.declined == "INSUFFICIENT_FUNDS"
    assert bank.balance(account.external_id) == before


@able(ListsMovements, MovesMoney)
def test_transfers_are_in_the_history_with_their_dedupe_id(bank, adapter, ask, ends):
    account, pot = ends
    ask(adapter.transfer(account, pot, 100, dedupe_id="one"))
    ask(adapter.transfer(pot, account, 40, dedupe_id="two"))
    now = bank.clock.now()

    found, _ = everything(
        adapter, ask, account, now=now, since=now - timedelta(days=30)
    )

    assert [(m.amount, m.dedupe_id, m.pot) for m in found] == [
        (-100, "one", pot.external_id),
        (40, "two", pot.external_id),
    ]


@able(ListsMovements)
def test_history_adds_up_to_the_balance(box, bank, adapter, ask):
    customer = bank.add_customers(["new"], opening=0, pots=0)[0]
    account = place(customer.account)
    for number in range(120):
        box.clock.advance(60)
        bank.pay(account.external_id, 10 + number)
        bank.spend(
            account.external_id, 1 + number, declined="OTHER" * (number % 3 == 0)
        )
    other = type(adapter)(customer.credentials, adapter.urls)
    now = bank.clock.now()

    found, _ = everything(
        other,
        lambda call: drive(call, sender(other, bank)),
        account,
        now=now,
        since=now - timedelta(days=30),
    )

    moved = sum(m.amount for m in found if not m.declined)
    assert moved == bank.balance(account.external_id)
    assert [m.created for m in found] == sorted(m.created for m in found)


# -- consent


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
        secret = [f.name for f in adapter.fields if f.secret]
        assert not any(
            adapter.credentials[name] in str(raised.value) for name in secret
        )
