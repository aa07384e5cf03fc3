"""Every text of the corpus is read as it is written down there, or refused by name."""

from __future__ import annotations

import io
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient

from accounts.api.parsing import LARGEST_BODY, StrictJSONParser
from accounts.api.problems import TooLarge
from accounts.moments import moment
from accounts.moneyjson import parse_money
from providers.money import Asset, MoneyError, parse_minor
from providers.wire import parse_json
from tests.fixtures_api import V1, expect_problem, fields_of

from . import amounts, payloads
from .moments import MOMENTS
from .payloads import Fault

GBP = Asset("GBP", 2)
AMOUNTS = amounts.everything()
LONGEST_ERROR = 300  # an error repeats little of what was sent


def told(read, text: object, *errors: type[Exception]) -> object:
    """Return what a reader makes of `text`: a value, or the error."""
    try:
        return read(text)
    except errors as error:
        assert len(str(error)) < LONGEST_ERROR
        return error


def fits(found: object, expected: object) -> bool:
    """Say whether a reading is the one, or an error has the words."""
    if isinstance(found, Exception):
        return isinstance(expected, str) and expected in str(found)
    return found == expected and type(found) is type(expected)


def api_json(body: bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(body))


def bodies() -> dict[bytes, tuple[Any, Any]]:
    """Return every body with what it is from a provider, and what it is to our API."""
    found = {body: (value, value) for body, value in payloads.GOOD.items()}
    for body in payloads.DECIMALS:
        found[body] = Decimal(body.decode()), float(body)
    for body in payloads.BEYOND_FLOATS:
        found[body] = Decimal(body.decode()), payloads.BEYOND
    for body, words in payloads.NOT_OURS.items():
        found[body] = json.loads(body), Fault(("", ""), ("ParseError", words))
    for fault, group in (
        (payloads.BEYOND, payloads.BEYOND_ALL),
        (payloads.DIGITS, payloads.TOO_MANY_DIGITS),
        (payloads.CONSTANT, payloads.CONSTANTS),
        (payloads.TWICE, payloads.TWO_KEYS),
        (payloads.DEEP, payloads.TOO_DEEP),
        (payloads.ENCODING, payloads.NOT_UTF8),
        (payloads.SYNTAX, payloads.BROKEN),
    ):
        found |= dict.fromkeys(group, (fault, fault))
    return found


def test_corpus_is_as_large_as_it_says():
    assert len(bodies()) >= 300
    assert len(AMOUNTS) >= 250
    assert len(MOMENTS) >= 60


def test_every_amount_has_one_reading_or_a_named_error():
    wrong = {}
    for text, (amount, minor) in AMOUNTS.items():
        for read, expected in ((GBP.minor, amount), (parse_minor, minor)):
            found = told(read, text, MoneyError)
            if not fits(found, expected):
                wrong[text[:40], read.__name__] = found
    assert wrong == {}


def test_money_objects_read_their_texts_as_the_parsers_do():
    wrong = {}
    for text, readings in AMOUNTS.items():
        for name, expected in zip(("amount", "minor"), readings, strict=True):
            found = told(parse_money, {"asset": "GBP/2", name: text}, MoneyError)
            if not fits(found, expected):
                wrong[text[:40], name] = found
    assert wrong == {}


def test_every_moment_has_one_reading_or_none():
    found = {text: moment(text) for text in MOMENTS}

    assert found == {
        text: told and datetime.fromisoformat(told) for text, told in MOMENTS.items()
    }


@pytest.mark.parametrize("whose", ["provider", "api"])
def test_every_body_has_one_reading_or_a_named_error(whose):
    read = parse_json if whose == "provider" else api_json
    wrong = {}
    for body, expectations in bodies().items():
        expected = expectations[whose == "api"]
        found = told(read, body, ValueError, ParseError)
        if isinstance(expected, Fault):
            name, words = getattr(expected, whose)
            good = type(found).__name__ == name and words in str(found)
        else:
            good = expected == "deep" or fits(found, expected)
        if not good:
            wrong[body[:60]] = found
    assert wrong == {}


def test_body_of_more_than_a_megabyte_is_not_read():
    with pytest.raises(TooLarge):
        api_json(b"1" + b" " * LARGEST_BODY)


@pytest.mark.django_db
def test_api_answers_a_sample_of_them_as_the_parsers_say(world):
    """A typed balance takes money; the list of transactions, moments; both, bodies."""
    path, client = f"{V1}/accounts/{world.mine.cash.pk}/snapshots/", world.operator
    for text, (amount, _) in list(AMOUNTS.items())[::9]:
        answer = client.post(path, {"total": {"asset": "GBP/2", "amount": text}})
        if isinstance(amount, int):
            assert answer.status_code == 201, text
            assert answer.json()["total"]["minor"] == str(amount)
        elif "\0" in text:
            expect_problem(answer, 400, "parse_error")
        else:
            assert fields_of(expect_problem(answer, 400)) == {"total": "money"}, text
    for text, expected in list(MOMENTS.items())[::4]:
        answer = client.get(f"{V1}/transactions/", {"since": text})
        good = expected or not text  # an empty filter is none
        assert answer.status_code == (200 if good else 400), text
    raw = APIClient(raise_request_exception=False)
    raw.credentials(**client._credentials)
    for body, (_, expected) in list(bodies().items())[::9]:
        answer = raw.generic("POST", path, body, "application/json")
        code = "parse_error" if isinstance(expected, Fault) else "invalid"
        assert expect_problem(answer, 400)["code"] in (code, "parse_error"), body[:60]
