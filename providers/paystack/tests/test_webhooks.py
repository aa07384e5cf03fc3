"""Only who knows the secret key is believed, and an event has one name for ever."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from providers import errors
from providers.paystack import Provider
from tests.forging import counts_late_and_repeated_events_once, refuses_every_change

# Computed here by the documented algorithm: no vector is published.
VECTOR = {
    "key": "sk_test_balsync_vector",
    "body": '{"event":"charge.success","data":{"id":302961,"reference":"qTPrJoy9Bx",'
    '"amount":10000,"currency":"NGN"}}',
    "signature": "7502c3c3bee41e753827c54461eb5162ab025a6dd0a0e61777b15c74a23a255d"
    "0626944820c3a3981bb9caacc0b2963072fa8b2661fb79e3776d5c40ca009253",
}
NAME = "x-paystack-signature"
BODY, SIGNATURE = VECTOR["body"].encode(), VECTOR["signature"]


@pytest.fixture
def adapter():
    return Provider({"secret_key": VECTOR["key"]})


def signed(body, key=VECTOR["key"]):
    return {NAME: hmac.new(key.encode(), body, hashlib.sha512).hexdigest()}


def test_computed_vector_is_believed(adapter):
    hint = adapter.hint({NAME: SIGNATURE, "content-type": "application/json"}, BODY)

    assert hint.event_id == "charge.success:302961"


def test_no_changed_byte_of_body_and_signature_is_believed(adapter):
    refuses_every_change(adapter, {NAME: SIGNATURE}, BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {NAME: f"sha512={SIGNATURE}"},
        {"x-paystack-signatures": SIGNATURE},
        {"signature": SIGNATURE},
        signed(BODY, "sk_test_another"),
        {NAME: hmac.new(VECTOR["key"].encode(), BODY, hashlib.sha256).hexdigest()},
        {NAME: hashlib.sha512(VECTOR["key"].encode() + BODY).hexdigest()},
    ],
)
def test_odd_signatures_are_forgeries(adapter, headers):
    with pytest.raises(errors.AuthenticationFailed):
        adapter.hint(headers, BODY)


@pytest.mark.parametrize("body", [BODY + b" ", b" " + BODY, b"{}"])
def test_other_bodies_are_not_believed(adapter, body):
    with pytest.raises(errors.AuthenticationFailed):
        adapter.hint({NAME: SIGNATURE}, body)


def test_without_a_key_nothing_is_believed():
    with pytest.raises(errors.AuthenticationFailed):
        Provider({}).hint(signed(BODY, ""), BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"event":1,"data":{}}',
        b'{"event":"x","data":[]}',
        b'{"event":"","data":{}}',
        b'{"event":"x","event":"y","data":{}}',
        b"[" * 9999,
    ],
)
def test_signed_nonsense_is_refused_by_name(adapter, body):
    with pytest.raises(errors.UnexpectedResponse):
        adapter.hint(signed(body), body)


def test_events_are_named_by_kind_and_id_or_reference(adapter):
    def name(event, **data):
        body = json.dumps({"event": event, "data": data}).encode()
        return adapter.hint(signed(body), body).event_id

    assert name("transfer.success", id=7, reference="r") == "transfer.success:7"
    assert name("transfer.failed", id=7, reference="r") == "transfer.failed:7"
    assert name("refund.pending", reference="r") == "refund.pending:r"
    assert name("charge.success", id=2**63) == f"charge.success:{2**63}"
    # Some events have neither: each attempt to deliver one has the same bytes.
    twice = [name("invoice.update", invoice_code="a") for _ in range(2)]
    assert twice[0] == twice[1] != name("invoice.update", invoice_code="b")


def test_five_deliveries_late_and_again_are_one_event_and_a_forgery_is_none(bank, alex):
    adapter, account = Provider(alex.credentials), alex.account.external_id

    counts_late_and_repeated_events_once(bank, adapter, account)
