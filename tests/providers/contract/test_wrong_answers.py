"""Each value of each answer, replaced by what it cannot be: an error, or nothing at all.

A wrong value is never another amount. What nobody reads may be wrong: then the reading
is the one of the right answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

import providers
from providers.errors import ProviderError, UnexpectedResponse
from providers.money import PLAIN_DECIMAL
from providers.sandbox.inside import sender
from providers.wire import Request, Response, drive

from .parties import EVERYBODY

# As they stand in JSON: what no field of money, and hardly any other, may hold.
WRONG = (
    *("null", "true", "false", '""', '"x"', '"1"', '"12.34"', '"1e3"', '"NaN"', '" 1"'),
    *("1.5", "0.1", "-0.0", "1e2", "1e309", "NaN", "Infinity", "[]", "{}", "[1]"),
    *('{"minor": 1}', "1" + "0" * 90, '"' + "9" * 90 + '"', '"\u0661"', '"\\u0000"'),
    *('"\\ud800"', '"\u202e1"', "[[[[[[1]]]]]]"),
)
MARK = "here-stands-what-is-wrong"


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every value that holds no other."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, held in inner:
        here = (*path, key)
        if isinstance(held, dict | list) and held:
            yield from places(held, here)
        else:
            if not isinstance(held, bool):  # the other one is no wrong value
                yield here


def value_at(body: bytes, path: tuple) -> Any:
    found = json.loads(body)
    for key in path:
        found = found[key]
    return found


def with_mark(body: bytes, path: tuple) -> str:
    whole = json.loads(body)
    *way, last = path
    inner = whole
    for key in way:
        inner = inner[key]
    inner[last] = MARK
    return json.dumps(whole)


def is_right(wrong: str, right: Any) -> bool:
    """Say whether a value is as good as the right one: another amount of the same form.

    Where amounts are texts a number is as good: one institution documents texts, and
    shows numbers. Where they are numbers of whole units, only a number is.
    """
    told = json.loads(wrong, parse_float=Decimal)
    if isinstance(right, float):
        return type(told) in (int, Decimal) and abs(told) < 10**30
    if not isinstance(right, str) or not PLAIN_DECIMAL.fullmatch(right):
        return False
    if isinstance(told, str):
        return len(told) < 79 and bool(PLAIN_DECIMAL.fullmatch(told))
    return type(told) in (int, Decimal) and abs(told) < 10**30


def amounts(seen) -> set[int | None]:
    return {n for r in seen.readings for n in (r.total, r.available, r.held)}


@pytest.mark.parametrize("slug", EVERYBODY)
def test_wrong_value_is_an_error_or_nothing_and_never_another_amount(slug, bank):
    adapter, answers = providers.load(slug)(bank.credentials()), []
    customer = bank.demo_world()
    bank.pay(customer.account.external_id, 123_45)
    send = sender(adapter, bank)

    def recorded(request) -> Response:
        answers.append(send(request))
        return answers[-1]

    told = amounts(drive(adapter.observe(), recorded)) | {None}
    tried = refused = 0
    for number, answer in enumerate(answers):
        for path in places(json.loads(answer.body)):
            marked = with_mark(answer.body, path)
            right = value_at(answer.body, path)
            for wrong in (w for w in WRONG if not is_right(w, right)):
                bent = marked.replace(json.dumps(MARK), wrong).encode()
                script = iter([*answers[:number], replace(answer, body=bent)])
                tried += 1
                try:
                    seen = drive(
                        adapter.observe(), lambda r, s=script: next(s, None) or send(r)
                    )
                except ProviderError:
                    refused += 1
                    continue
                assert amounts(seen) <= told, (path, wrong)
                refused += not seen.complete  # a part of it was

    assert tried >= 300
    assert refused > tried / 10


@pytest.mark.parametrize("slug", EVERYBODY)
def test_id_that_no_address_can_hold_has_a_name_and_harms_nobody_else(slug, run):
    """It broke the driver, and every other connection of the same sync with it."""

    def asks_about_half_a_character():
        yield Request("GET", "/", params=(("id", "\ud800"),))

    with pytest.raises(UnexpectedResponse):
        run(asks_about_half_a_character())
