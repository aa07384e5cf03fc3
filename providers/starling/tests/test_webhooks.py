"""Who calls, and about what: the bank's own vectors, and every way to spoil them."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from providers.errors import BadCredentials, UnexpectedResponse
from providers.starling import Provider
from providers.starling.sandbox import Sandbox
from tests.forging import believed, refuses_every_change

NAME = "x-hook-signature"
# starlingbank/api-samples, public-api-examples/webhook-verification
SECRET = "aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa"
V1 = [
    (
        b'{"key":"value"}',
        "HJszr9xjvi9+i/wG3PLbxev1aWnCCgNqDYtRgIR+dxs+c+CJvw+8s6vm/dVmQGxpLVM9Cwkr7wDjUfoFYtCNHQ==",
    ),
    (
        b'{"webhookNotificationUid":"606d5b72-863a-452f-96f4-c2acdc104c1d"}',
        "rI8mXteeS8sPXEs9FRywLGhbxJV2ae5yGje58ovn3P6wfLXC5xe457VKEgMojMbWF0qDQ4gTogPdA484tgwtPg==",
    ),
]
V2_KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAgIdCVYnz6JOFT7GGtjrMg4uaPRGGs5VlglSSd9i2i73zRp7AwZm8O/3LM5kPuPONOysJpdVSz9x6VGsRcaKkvMaOfYWYa6fe4l5IFiM8Z+WaL0WjIebdJOOjWxH3q/kW6KclwKBW0+2iNZPcZocllCOjPn/swp2MdhKLJOQkdB/1Q8Emxr6tsOlJkc2lWpXdtPHWUbBp31eF5/eDmuVCCBhTL76UyogQNgRV5qH2g/a2bNcNgTThR0PntXJLy2HLi9cEfXepevpoJM8HXNdaFwZV4pQUEzm3/jG7zI3isXnvtffG4uTIR8Q35yDrYeN8pX+zOAcnJYNbr9xdFEv7JQIDAQAB"
V2_BODY = b'{"one":"Value","two":"Other"}'
V2_SIGNATURE = "KDGgtd7VDeyvNdyafyXNVZM8l/0zohWze5UCt1N0mbzCZ1f23nYEgnLrFvTRYADnToat/axKOGeXjiOBWJh/FcPvcWParx8x5d35j2u76/UmRPKjo8jxtMspmN27WlPdtTRr9kqHdDHUg80/9z1qKuEcUfm4EQX52NOvozDMb4qyYorgxaFCwUwMdZNskArIBTeJBtULAOtJqnEGipKRtRjeU6j2xD2uNzc3Vcy3+tdImRfqbX6SkS44zgkcFua6xEc09qRnRvLd+bxjSIufQ/wU695Uej9AtFg7MlrRCUaEZ2SVkNcmOUdRP2q882Y9mWGDIXdk66QHCVfCVu7pog=="
OF_V1, OF_V2 = (
    Provider({"webhook_secret": SECRET}),
    Provider({"webhook_public_key": V2_KEY}),
)


def hint(adapter, body, signature):
    return adapter.hint({NAME: signature}, body)


def accepted(adapter, body, signature):
    return believed(adapter, {NAME: signature}, body)


@pytest.mark.parametrize(("body", "signature"), V1)
def test_official_vector_of_version_1_is_accepted(body, signature):
    assert accepted(OF_V1, body, signature)


def test_official_vector_of_version_2_is_accepted():
    assert accepted(OF_V2, V2_BODY, V2_SIGNATURE)


def test_event_is_named_by_its_own_id():
    named = hint(OF_V1, *V1[1])

    assert named.event_id == "606d5b72-863a-452f-96f4-c2acdc104c1d"


@pytest.mark.parametrize(
    ("adapter", "body", "signature"),
    [(OF_V1, *V1[1]), (OF_V2, V2_BODY, V2_SIGNATURE)],
    ids=["v1", "v2"],
)
def test_every_changed_byte_of_body_and_signature_is_refused(adapter, body, signature):
    """The spare bits at the end of Base64 count, too."""
    refuses_every_change(adapter, {NAME: signature}, body)
    for more in (body + b" ", b" " + body):
        assert not accepted(adapter, more, signature)


@pytest.mark.parametrize("adapter", [OF_V1, OF_V2], ids=["v1", "v2"])
def test_one_version_is_never_tried_as_the_other(adapter):
    plain = base64.b64encode(hashlib.sha512(V2_BODY).digest()).decode()

    assert accepted(adapter, *V1[0]) == (adapter is OF_V1)
    assert accepted(adapter, V2_BODY, V2_SIGNATURE) == (adapter is OF_V2)
    assert not accepted(adapter, V2_BODY, plain)


def test_without_a_key_nothing_is_believed():
    for body, signature in (*V1, (V2_BODY, V2_SIGNATURE)):
        assert not accepted(Provider({"access_token": "t"}), body, signature)
    empty = base64.b64encode(hashlib.sha512(V1[0][0]).digest()).decode()
    assert not accepted(Provider({"webhook_secret": ""}), V1[0][0], empty)


@pytest.fixture
def signed():
    """A bank that signs, the key it shows, and an adapter that knows the key."""
    bank = Sandbox()
    bank.slug = "starling"
    return bank, Provider(bank.credentials())


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"null", b"<html>", b'{"webhookEventUid": 7}', b"\xff",
     b'{"webhookEventUid": ""}', b'{"webhookEventUid": null, "webhookEventUid": "x"}'],
)  # fmt: skip
def test_signed_nonsense_is_no_event(signed, body):
    bank, adapter = signed

    with pytest.raises(UnexpectedResponse):
        hint(adapter, body, bank.sign(body))


def test_events_of_one_payment_differ_and_a_repeated_one_does_not(signed):
    bank, adapter = signed
    account = bank.demo_world().account.external_id
    bank.hook(url="http://127.0.0.1:1/hook")
    pending = bank.spend(account, 500, pending=True)
    bank.settle(pending.id, amount=480)
    bank.do("resend_webhook", times=5)
    told = [(json.loads(c.body), hint(adapter, c.body, c.headers["X-Hook-Signature"]))
            for c in bank.outbox]  # fmt: skip

    names = [hint.event_id for _, hint in told]
    assert [body["content"]["status"] for body, _ in told] == ["PENDING"] + [
        "SETTLED"
    ] * 6
    assert len(set(names)) == 2
    assert names == [body["webhookEventUid"] for body, _ in told]
    bank.do("forge_webhook")
    forged = bank.outbox[-1]
    assert not accepted(adapter, forged.body, forged.headers["X-Hook-Signature"])


def test_envelope_has_the_keys_that_clients_saw(signed):
    """Captured by a client and published; in no official document at hand."""
    bank, _ = signed
    bank.hook(url="http://127.0.0.1:1/hook")
    bank.pay(bank.demo_world().account.external_id, 5600)
    body = json.loads(bank.outbox[-1].body)

    assert body.keys() == {
        "webhookEventUid",
        "webhookType",
        "eventTimestamp",
        "accountHolderUid",
        "content",
    }
    assert {"accountUid", "hasAttachment", "receiptPresent"} <= body["content"].keys()


def test_late_events_are_kept_back_and_then_delivered(signed):
    bank, _ = signed
    bank.hook(url="http://127.0.0.1:1/hook")
    account = bank.demo_world().account.external_id
    bank.outbox.clear()
    bank.do("withhold_webhooks")
    bank.pay(account, 1)
    assert not bank.outbox
    bank.do("withhold_webhooks", on=False)
    assert len(bank.outbox) == 1
    bank.do("hook", url="")
    bank.pay(account, 1)
    assert len(bank.outbox) == 1


def test_bank_that_is_started_again_signs_with_the_same_key(tmp_path):
    first = Sandbox(tmp_path / "starling.jsonl")
    first.slug = "starling"
    key = first.credentials()["webhook_public_key"]
    first.hook(url="http://127.0.0.1:1/hook")
    first.close()

    again = Sandbox(tmp_path / "starling.jsonl")
    again.slug = "starling"
    again.pay(again.demo_world().account.external_id, 1)
    callback = again.outbox.popleft()
    again.close()

    adapter = Provider({"webhook_public_key": key})
    assert accepted(adapter, callback.body, callback.headers["X-Hook-Signature"])


def spki(key):
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "ü",
        base64.b64encode(b"x").decode(),
        V2_KEY[:-8],
        spki(ec.generate_private_key(ec.SECP256R1())),
        spki(generate_private_key(65537, 1024)),
    ],
    ids=["letter", "umlaut", "bytes", "cut", "ec", "short"],
)
def test_what_is_no_public_key_is_refused_when_it_is_typed(key):
    with pytest.raises(BadCredentials):
        Provider.check_credentials({"access_token": "t", "webhook_public_key": key})


def test_public_key_may_have_pems_lines_around_it():
    lines = "\n".join([V2_KEY[:64], V2_KEY[64:]])
    pem = f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"
    given = {"access_token": "t", "webhook_public_key": pem}

    Provider.check_credentials(given)
    assert accepted(Provider(given), V2_BODY, V2_SIGNATURE)
