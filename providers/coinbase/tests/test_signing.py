"""Tokens are what Coinbase documents, and the exchange on this machine sees through others."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from providers import errors
from providers.coinbase import Provider
from providers.coinbase.signing import load
from providers.wire import Request, Response
from tests.fixtures_still import NOW

from .conftest import ROOT

P256 = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
ACCOUNTS = f"GET api.coinbase.com{ROOT}/accounts"


def pem(key, form=PrivateFormat.PKCS8):
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def parts(token):
    return [
        urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    ]


def test_token_says_what_is_documented_and_is_signed_by_the_key():
    token = load("organizations/o/apiKeys/k", pem(P256)).token(NOW, ACCOUNTS)

    head, claims, signature = parts(token)
    nonce = json.loads(head).pop("nonce")
    assert json.loads(head) == {
        "alg": "ES256",
        "typ": "JWT",
        "kid": "organizations/o/apiKeys/k",
        "nonce": nonce,
    }
    assert len(bytes.fromhex(nonce)) == 32
    assert json.loads(claims) == {
        "sub": "organizations/o/apiKeys/k",
        "iss": "cdp",
        "nbf": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 120,
        "uri": ACCOUNTS,
    }
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    signed = token.rpartition(".")[0].encode()
    P256.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))


def test_token_of_an_edwards_key_is_signed_by_it():
    token = load("k", pem(EDWARDS)).token(NOW)

    head, claims, signature = parts(token)
    assert json.loads(head)["alg"] == "EdDSA"
    assert "uri" not in json.loads(claims)
    EDWARDS.public_key().verify(signature, token.rpartition(".")[0].encode())


SEED = EDWARDS.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
PUBLIC = EDWARDS.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "text",
    [
        pem(P256),
        pem(P256, PrivateFormat.TraditionalOpenSSL),
        pem(P256).replace("\n", ""),  # a line of a form takes no breaks
        pem(P256).replace("\n", "\\n"),  # as the downloaded file has it
        f"  {pem(P256)}\r\n",
        pem(EDWARDS),
        b64encode(SEED).decode(),
        b64encode(SEED + PUBLIC).decode() + "\n",
    ],
    ids=range(8),  # the keys are new each time
)
def test_key_is_read_however_it_was_copied(text):
    found = load("k", text).private

    assert found.public_key() in (P256.public_key(), EDWARDS.public_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "-----BEGIN EC PRIVATE KEY-----\nnone\n-----END EC PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP384R1())),
        b64encode(SEED[:31]).decode(),
        pem(P256)[:80],
    ],
    ids=range(6),
)
def test_what_is_no_key_has_a_name_and_is_not_repeated(text):
    with pytest.raises(errors.AuthenticationFailed) as raised:
        load("k", text)

    assert str(raised.value) in (
        "The private key cannot be read",
        "The private key is neither of P-256 nor Ed25519",
    )
    assert raised.value.__cause__ is None


def test_request_is_signed_for_the_real_host_wherever_it_is_sent(bank, alex):
    adapter = Provider(alex.credentials, {"api": "http://127.0.0.1:9000/somewhere"})
    asked = Request("GET", f"{ROOT}/accounts", params=(("limit", "250"),))

    signed = adapter.sign(asked, NOW, 0)

    token = signed.headers["Authorization"].removeprefix("Bearer ")
    assert json.loads(parts(token)[1])["uri"] == ACCOUNTS
    assert adapter.sign(asked, NOW, 0).headers != signed.headers


def test_edwards_keys_open_the_exchange_too(bank):
    customer = bank.add_customers(["ed"], algorithm="EdDSA")[0]
    adapter = Provider(customer.credentials)
    signed = adapter.sign(Request("GET", f"{ROOT}/accounts"), NOW, 0)

    token = signed.headers["Authorization"].removeprefix("Bearer ")

    assert bank.owner_of(token, ACCOUNTS) == "ed"


# -- tokens that prove nothing


def forged(bank, alex, header=None, **changes):
    """Return a token that is right but for the changes."""
    name, now = alex.credentials["key_name"], int(bank.clock.timestamp())
    claims = {"sub": name, "iss": "cdp", "nbf": now, "exp": now + 120, "uri": ACCOUNTS}
    key = load_pem_private_key(alex.credentials["private_key"].encode(), None)
    claims = {k: v for k, v in (claims | changes).items() if v is not None}
    header = {"kid": name, "nonce": "n"} | (header or {})
    return jwt.encode(claims, key, "ES256", header)


def test_right_token_is_taken_once(bank, alex, client):
    token = f"Bearer {forged(bank, alex)}"

    assert client(f"{ROOT}/accounts", token=token)[0] == 200
    assert client(f"{ROOT}/accounts", token=token) == (401, b"Unauthorized\n")


MOMENT = int(NOW.timestamp())


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "organizations/o/apiKeys/other"},
        {"iss": "coinbase-cloud"},
        {"nbf": MOMENT + 1, "exp": MOMENT + 60},
        {"nbf": MOMENT - 120, "exp": MOMENT},
        {"exp": MOMENT + 121},
        {"nbf": None},
        {"exp": None},
        {"exp": str(MOMENT + 60)},
        {"uri": None},
        {"uri": f"POST api.coinbase.com{ROOT}/accounts"},
        {"uri": f"GET 127.0.0.1{ROOT}/accounts"},
        {"uri": f"GET api.coinbase.com{ROOT}/accounts?limit=1"},
        {"uri": f"GET api.coinbase.com{ROOT}/products"},
        {"header": {"kid": "organizations/o/apiKeys/other"}},
        {"header": {"nonce": ""}},
        {"header": {"nonce": None}},
        {"header": {"typ": "JOSE"}},
    ],
)
def test_token_with_one_thing_wrong_is_refused(bank, alex, client, changes):
    token = f"Bearer {forged(bank, alex, **changes)}"

    assert client(f"{ROOT}/accounts", token=token)[0] == 401


def test_changed_and_borrowed_signatures_are_refused(bank, alex, client):
    right = forged(bank, alex)
    head, claims, signature = right.split(".")
    spoiled = bytearray(parts(right)[2])
    spoiled[-1] ^= 1
    other = urlsafe_b64encode(bytes(spoiled)).rstrip(b"=").decode()
    more = json.loads(parts(right)[1]) | {"exp": MOMENT + 119}
    longer = urlsafe_b64encode(json.dumps(more).encode()).rstrip(b"=").decode()
    stranger = jwt.encode(
        json.loads(parts(right)[1]), P256, "ES256", jwt.get_unverified_header(right)
    )
    none = jwt.encode(json.loads(parts(right)[1]), "", "none")

    for token in (
        f"{head}.{claims}.{other}",
        f"{head}.{longer}.{signature}",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{right}==",
        stranger,
        none,
        "",
    ):
        assert client(f"{ROOT}/accounts", token=f"Bearer {token}")[0] == 401
    assert client(f"{ROOT}/accounts", token=f"Basic {right}")[0] == 401
    assert client(f"{ROOT}/accounts", token=f"Bearer {right}")[0] == 200


# -- keys


def test_clock_that_is_wrong_is_an_auth_failure(bank, ask):
    bank.fault("clock_skew", seconds=-5)

    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda adapter: adapter.observe())


def test_key_that_ended_and_one_without_permission_are_told_apart(bank, alex, ask):
    def failure():
        with pytest.raises(errors.ProviderError) as raised:
            ask(lambda adapter: adapter.observe())
        return raised.value.code

    bank.do("permit", name="alex", view=False)
    assert failure() == "consent_needed"
    bank.do("permit", name="alex", view=True)
    bank.do("expire_key", name="alex")
    assert failure() == "authentication_failed"
    bank.do("restore_key", name="alex")
    bank.do("maintenance")
    assert failure() == "unavailable"
    bank.do("maintenance", on=False)
    assert ask(lambda adapter: adapter.observe()).complete


def test_permission_to_move_money_is_told(bank, alex, ask):
    harmless = ask(lambda adapter: adapter.permissions())
    bank.do("permit", name="alex", transfer=True)
    dangerous = ask(lambda adapter: adapter.permissions())

    assert (harmless.read, harmless.trade, harmless.withdraw) == (True, False, False)
    assert dangerous.withdraw


def test_thirty_requests_a_second_are_answered_and_no_more(bank, client):
    bank.configure(extra={})
    asked = [client(f"{ROOT}/key_permissions")[0] for _ in range(31)]

    assert asked == [200] * 30 + [429]
    bank.clock.advance(1)
    assert client(f"{ROOT}/key_permissions")[0] == 200


def test_customer_who_asked_too_often_keeps_nobody_else_out(adapter):
    trouble = adapter.trouble(Response(429, {"retry-after": "10"}, b""))

    assert (trouble.mine, trouble.category, trouble.hold) == (True, "rate", 11)
    assert not adapter.trouble(Response(503, {}, b"")).mine
