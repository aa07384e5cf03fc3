"""What may be typed in: addresses that are written right, and nothing that can sign."""

from __future__ import annotations

import json

import pytest

from providers.errors import BadCredentials
from providers.polygon import Provider
from providers.polygon.wallet import wallet

MINE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
OTHER = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def given(addresses=((MINE, "derived"),), **more):
    owned = [{"address": a, "role": r} for a, r in addresses]
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in more.items()}
    return {"addresses": json.dumps(owned), **texts}


def refused(credentials):
    with pytest.raises(BadCredentials) as raised:
        Provider.check_credentials(credentials)
    return str(raised.value)


@pytest.mark.parametrize(
    "credentials",
    [
        given(),
        given([(MINE.lower(), "derived"), ("0x" + OTHER[2:].upper(), "proxy")]),
        given(tokens="", spenders=" ", rpc_urls=""),
        given(
            tokens=[{"code": "USDC", "address": OTHER}],
            spenders=[{"name": "Exchange", "address": MINE}],
            rpc_urls=["https://rpc.example.com/v2/" + KEY, "https://example.org"],
        ),
    ],
)
def test_what_is_written_right_is_taken(credentials):
    Provider.check_credentials(credentials)


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ({}, "names no address"),
        (given([]), "names no address"),
        ({"addresses": "0x12"}, "is not JSON"),
        ({"addresses": '{"address": 1}'}, "must be a JSON list"),
        ({"addresses": '[{"address": "0x12"}]'}, "must have address and role"),
        (given([("0x12", "derived")]), "forty digits"),
        (given([(MINE.replace("5aA", "5aa"), "derived")]), "is mistyped"),
        (given([("0x" + "0" * 40, "derived")]), "nobody's"),
        (given([(MINE, "two words")]), "a role is one word"),
        (given([(MINE, "derived"), (MINE.lower(), "proxy")]), "twice"),
        (given(tokens=[{"code": "US DC", "address": OTHER}]), "no code"),
        (given(tokens=[{"code": "POL", "address": OTHER}]), "twice"),
        (given(spenders=[{"name": "", "address": OTHER}]), "needs a name"),
        (given(rpc_urls=["http://rpc.example.com"]), "not https"),
        (given(rpc_urls=["https://127.0.0.1:8545"]), "not public"),
        (given(rpc_urls=["https://a.example", "https://a.example"]), "twice"),
        (given(rpc_urls=[f"https://{n}.example" for n in range(7)]), "more than 6"),
    ],
)
def test_what_is_written_wrong_is_refused_with_the_reason(credentials, words):
    assert words in refused(credentials)


def test_any_number_of_addresses_is_taken():
    many = [(f"0x{n:040x}", "derived") for n in range(1, 2001)]

    assert len(wallet(given(many)).addresses) == 2000


@pytest.mark.parametrize("name", ["addresses", "tokens", "spenders", "rpc_urls"])
@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (KEY, "private key"),
        (f"0x{KEY}", "private key"),
        (f'["{KEY.upper()}"]', "private key"),
        (PHRASE, "seed phrase"),
        (json.dumps(PHRASE.split()), "seed phrase"),
        (PHRASE.replace(" ", "\n").title(), "seed phrase"),
    ],
)
def test_what_could_move_money_is_refused_by_name_and_not_repeated(name, secret, words):
    said = refused({**given(), name: secret})

    assert words in said
    assert name in said
    assert KEY not in said.lower()
    assert "sausage" not in said.lower()


def test_addresses_are_no_secrets_and_nodes_are():
    secrets = {field.name for field in Provider.fields if field.secret}

    assert secrets == {"rpc_urls"}


def test_nodes_that_a_person_chose_stand_in_place_of_the_usual_one():
    adapter = Provider(given(rpc_urls=["https://a.example/k?x=1", "https://b.example"]))

    assert adapter.urls == {
        "api": "https://a.example/k?x=1",
        "rpc1": "https://b.example",
    }
    assert Provider(given(), {"api": "http://own"}).urls == {"api": "http://own"}


def test_node_that_a_person_chose_is_anybodys_and_the_operators_is_not():
    chosen = Provider(given(rpc_urls=["https://a.example"]), {"api": "http://own"})

    assert chosen.anybodys("api")
    assert not Provider(given(), {"api": "http://own"}).anybodys("api")


def test_each_chosen_node_has_a_breaker_of_its_own_that_names_no_key():
    one = Provider(given(rpc_urls=["https://a.example/secret", "https://b.example"]))
    same = Provider(given(rpc_urls=["https://b.example"]))

    assert one.line("rpc1") == same.line("api")
    assert one.line("api") != one.line("rpc1")
    assert "secret" not in one.line("api")
    assert Provider(given()).line("api") == "api"


def test_wrong_credentials_are_said_when_something_is_asked():
    with pytest.raises(BadCredentials):
        next(Provider({**given(), "rpc_urls": "[1]"}).observe())
