"""Only who knows the webhook key is believed, and an event has one name for ever."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from providers import errors
from providers.fincra import Provider
from tests.forging import counts_late_and_repeated_events_once, refuses_every_change

KEY = "whk_balsync_vector"
# Computed here by the documented algorithm: no vector is published.
BODY = (
    b'{"event":"payout.successful","data":'
    b'{"id":1,"reference":"r-1","amountReceived":100}}'
)
SIGNATURE = (
    "de15ce69897f565a0a5f8b80bcff3a90e7258429d36c137b2c2e1d0b0efe04b2"
    "4940f1312d1eba2b89183be42e7af896aa2167761e998476f3ed88dd7f9c0d07"
)
# Computed by Node 20 as documented: JSON.stringify({event, data}) of 100.0, 1e-7, 1e21,
# letters outside ASCII and a line separator; the body has one key more, and another order.
NODE = {
    "body": '{"data":{"1":[true,null,{}],"2":1,"id":14380,"amountCharged":100,'
    '"amountReceived":4.98,"rate":0.0019,"tiny":1e-7,"big":1e+21,"recipient":'
    '{"name":"上海 Bàyọ̀ 🏦","note":"a\u2028b\\"\\\\/\\u0007"},"traceId":null},'
    '"businessId":"64f1c9ef838af8cda0211d9d","event":"payout.successful"}',
    "signature": "129377e4e3c174773af92ff6068560ba3ebb60df756fc67c621f7a72192b649f"
    "4c5426712a9ef35072eca7373523fa128e2dc078c4fcb99582f1b6fcbc5715b5",
}


@pytest.fixture
def adapter():
    return Provider({"webhook_key": KEY})


def sign(body, key=KEY):
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def test_computed_vector_is_believed(adapter):
    hint = adapter.hint({"signature": SIGNATURE}, BODY)

    assert hint.event_id == "payout.successful:1"


def test_vector_computed_by_node_is_believed_as_it_stands_in_a_larger_body(adapter):
    told = {"signature": NODE["signature"]}

    hint = adapter.hint(told, NODE["body"].encode())

    assert hint.event_id == "payout.successful:14380"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("100,", "100.0,"),
        ("1e-7", "0.0000001"),
        ("4.98", "4.980"),
        ("上", "\\u4e0a"),
        ("[true,null,{}]", "[true, null, {}]"),
        ('"id":14380', '"id":14381'),
        ("payout.successful", "payout.failed"),
        ('"event"', '"events"'),
        ('"data"', '"date"'),
        ('{"data"', '{"event":"payout.successful","data"'),
    ],
)
def test_values_written_in_any_other_way_are_not_believed(adapter, old, new):
    body = NODE["body"].replace(old, new, 1)
    assert body != NODE["body"]

    with pytest.raises(errors.AuthenticationFailed):
        adapter.hint({"signature": NODE["signature"]}, body.encode())


def test_no_changed_byte_of_body_and_signature_is_believed(adapter):
    refuses_every_change(adapter, {"signature": SIGNATURE}, BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {"signature": sign(BODY, "another")},
        {"signature": hmac.new(KEY.encode(), BODY, hashlib.sha256).hexdigest()},
        {"x-fincra-signature": SIGNATURE},
        {"x-webhook-signature": SIGNATURE},
    ],
)
def test_odd_signatures_are_forgeries(adapter, headers):
    with pytest.raises(errors.AuthenticationFailed):
        adapter.hint(headers, BODY)


@pytest.mark.parametrize("given", [{}, {"webhook_key": ""}])
def test_without_a_key_nothing_is_believed(given):
    with pytest.raises(errors.AuthenticationFailed, match="Without a key"):
        Provider(given).hint({"signature": sign(BODY, "")}, BODY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"event":1,"data":{}}',
        b'{"event":"x","data":[]}',
        b'{"event":"x","event":"y","data":{}}',
        b"[" * 9999,
        b'{"event":"x","data":' + b"[" * 9999,
    ],
)
def test_signed_nonsense_is_refused_by_name(adapter, body):
    with pytest.raises(errors.UnexpectedResponse):
        adapter.hint({"signature": sign(body)}, body)


def test_spaces_around_the_two_values_change_nothing(adapter):
    spaced = b' {\n "event" : "x" ,\t"data" : {"reference":"r"} , "more":[1]}\r\n'
    signature = sign(b'{"event":"x","data":{"reference":"r"}}')

    assert adapter.hint({"signature": signature}, spaced).event_id == "x:r"


def test_five_deliveries_late_and_again_are_one_event_and_a_forgery_is_none(bank, alex):
    adapter, account = Provider(alex.credentials), alex.account.external_id

    counts_late_and_repeated_events_once(bank, adapter, account)
    bank.do("forge_webhook")
    assert json.loads(bank.outbox.popleft().body)["event"] == "collection.successful"


def test_pending_and_final_states_of_one_payout_are_two_events(bank, alex):
    adapter, names = Provider(alex.credentials), []
    for status in ("processing", "successful"):
        body = json.dumps({"event": f"payout.{status}", "data": {"id": 5}}).encode()
        told = {"signature": sign(body, alex.credentials["webhook_key"])}
        names.append(adapter.hint(told, body).event_id)

    assert names == ["payout.processing:5", "payout.successful:5"]
