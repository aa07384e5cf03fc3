"""Each version's webhooks are believed by that version's proof, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from providers import errors
from providers.flutterwave import Provider
from providers.flutterwave.webhooks import signature
from tests.forging import refuses_every_change, refuses_every_other_proof

HASH = "flw_secret_hash_vector"
OLDER = Provider({"secret_key": "FLWSECK-1-X", "webhook_hash": HASH})
NEWER = Provider({"client_id": "c", "client_secret": "s", "webhook_hash": HASH})
# Computed here: no official vector is published.
BODY = (
    b'{"webhook_id":"wbk_1","timestamp":1739456704200,"type":"charge.completed",'
    b'"data":{"id":"chg_1","amount":200,"currency":"NGN"}}'
)
SIGNED = "yUBcGwE51WrQjQ07toz6cKLeo179L9mGVZqFsy4qANw="
OLD_BODY = (
    b'{"event":"charge.completed","data":{"id":285959875,"tx_ref":"t","amount":100,'
    b'"currency":"NGN","status":"successful"},"event.type":"CARD_TRANSACTION"}'
)


def refused(adapter, headers, body):
    with pytest.raises(errors.AuthenticationFailed):
        adapter.hint(headers, body)


def test_computed_vector_of_version_4_is_believed():
    assert signature(HASH, BODY) == SIGNED
    told = NEWER.hint({"flutterwave-signature": SIGNED}, BODY)
    assert told.event_id == "charge.completed:chg_1:"


def test_token_of_version_3_is_believed():
    told = OLDER.hint({"verif-hash": HASH}, OLD_BODY)

    assert told.event_id == "charge.completed:285959875:successful"


def test_every_bit_of_body_and_signature_counts_in_version_4():
    right = {"flutterwave-signature": SIGNED}
    refuses_every_change(NEWER, right, BODY)
    for body in (BODY + b" ", json.dumps(json.loads(BODY)).encode()):
        refused(NEWER, right, body)


def test_every_bit_of_the_token_counts_in_version_3():
    """It says nothing of the body, so an event is fetched before it is believed."""
    refuses_every_other_proof(OLDER, {"verif-hash": HASH}, OLD_BODY)


@pytest.mark.parametrize(
    "text", ["", " ", HASH + " ", " " + HASH, HASH[:-1], HASH.upper(), "é", "\ud800"]
)
def test_near_misses_are_refused(text):
    refused(OLDER, {"verif-hash": text}, OLD_BODY)
    refused(NEWER, {"flutterwave-signature": text}, BODY)
    refused(NEWER, {"flutterwave-signature": SIGNED.rstrip("=") + text}, BODY)


def test_neither_proof_stands_in_for_the_other():
    both = {"verif-hash": HASH, "flutterwave-signature": signature(HASH, OLD_BODY)}

    refused(OLDER, {"flutterwave-signature": signature(HASH, OLD_BODY)}, OLD_BODY)
    refused(OLDER, {"flutterwave-signature": HASH}, OLD_BODY)
    refused(NEWER, {"verif-hash": HASH}, BODY)
    # One copy of the documentation compares the header with the hash: that is no proof.
    refused(NEWER, {"flutterwave-signature": HASH}, BODY)
    refused(NEWER, {"verif-hash": SIGNED}, BODY)
    assert OLDER.hint(both, OLD_BODY).event_id


def test_without_any_header_nothing_is_believed():
    for adapter, body in ((OLDER, OLD_BODY), (NEWER, BODY)):
        refused(adapter, {}, body)
        refused(adapter, {"content-type": "application/json"}, body)


@pytest.mark.parametrize("kept", [{}, {"webhook_hash": ""}])
def test_without_a_secret_hash_nothing_is_believed(kept):
    older = Provider({"secret_key": "FLWSECK-1-X", **kept})
    newer = Provider({"client_id": "c", "client_secret": "s", **kept})

    refused(older, {"verif-hash": ""}, OLD_BODY)
    refused(older, {}, OLD_BODY)
    refused(newer, {"flutterwave-signature": signature("", BODY)}, BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"<html>",
        b'{"event":"charge.completed"}',
        b'{"event":"charge.completed","data":null}',
        b'{"event":"charge.completed","data":[]}',
        b'{"event":"charge.completed","data":{}}',
        b'{"event":"charge.completed","data":{"id":true}}',
        b'{"event":"charge.completed","data":{"id":""}}',
        b'{"event":"","data":{"id":1}}',
        b'{"event":5,"data":{"id":1}}',
        b'{"type":"charge.completed","data":{"id":1}}',
        b'{"event":"a","event":"b","data":{"id":1}}',
        b'{"event":"a","data":{"id":NaN}}',
        b"\xff\xfe",
    ],
)
def test_proven_nonsense_has_a_name(body):
    with pytest.raises(errors.UnexpectedResponse):
        OLDER.hint({"verif-hash": HASH}, body)
    newer = body.replace(b'"type"', b'"gone"').replace(b'"event"', b'"type"')
    with pytest.raises(errors.UnexpectedResponse):
        NEWER.hint({"flutterwave-signature": signature(HASH, newer)}, newer)


# -- what the sandbox sends


@pytest.fixture(params=["alex", "nia"])
def shop(request, bank):
    """A business of each version that listens."""
    customer = request.getfixturevalue(request.param)
    bank.do("hook", url="http://127.0.0.1:1/hook", customer=customer.name)
    return customer


def events(bank, customer):
    adapter = Provider(customer.credentials)
    sent = [bank.outbox.popleft() for _ in range(len(bank.outbox))]
    return [
        adapter.hint({k.lower(): v for k, v in c.headers.items()}, c.body).event_id
        for c in sent
    ]


def test_sandbox_calls_about_what_comes_and_what_goes(bank, shop):
    bank.pay(shop.account.external_id, 5_00)
    bank.spend(shop.account.external_id, 2_00)

    came, went = events(bank, shop)

    assert came.startswith("charge.completed:")
    assert went.startswith("transfer.")


def test_five_deliveries_of_one_event_are_the_same_and_have_one_name(bank, shop):
    for _ in range(2):
        bank.pay(shop.account.external_id, 5_00)
        bank.do("resend_webhook", customer=shop.name)
    assert len({call.body for call in bank.outbox}) == 2

    told = events(bank, shop)

    assert [told.count(name) for name in dict.fromkeys(told)] == [6, 6]


def test_pending_and_settled_are_two_events(bank, shop):
    entry = bank.pay(shop.account.external_id, 5_00, pending=True)
    bank.settle(entry.id)

    pending, done = events(bank, shop)

    assert pending != done


def test_late_webhooks_come_out_of_order(bank, shop):
    bank.do("withhold_webhooks")
    for amount in (1, 2, 3):
        bank.pay(shop.account.external_id, amount)
    assert events(bank, shop) == []

    bank.do("withhold_webhooks", on=False)

    told = events(bank, shop)
    numbers = [int(name.split(":")[1].rpartition("_")[2]) for name in told]
    assert len(numbers) == 3
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("how", ["secret", "unsigned"])
def test_forged_webhooks_are_refused(bank, shop, how):
    bank.pay(shop.account.external_id, 5_00)
    bank.outbox.clear()
    bank.do("forge_webhook", customer=shop.name, how=how)

    assert len(bank.outbox) == 1
    with pytest.raises(errors.AuthenticationFailed):
        events(bank, shop)


def test_body_that_was_changed_is_only_seen_where_it_is_signed(bank, alex, nia):
    for customer, seen in ((alex, False), (nia, True)):
        bank.do("hook", url="http://127.0.0.1:1/hook", customer=customer.name)
        bank.pay(customer.account.external_id, 5_00)
        bank.outbox.clear()
        bank.do("forge_webhook", customer=customer.name, how="body")
        if seen:
            with pytest.raises(errors.AuthenticationFailed):
                events(bank, customer)
        else:
            assert events(bank, customer)


def test_nobody_is_called_who_does_not_listen(bank, alex):
    bank.pay(alex.account.external_id, 5_00)

    assert not bank.outbox


def test_samples_say_where_they_come_from():
    folder = Path(__file__).parents[1] / "samples" / "documented"
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]

    assert len(found) >= 9
    assert all(sample["source"] for sample in found)
