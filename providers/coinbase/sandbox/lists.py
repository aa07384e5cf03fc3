"""Lists as the exchange gives them: newest first, by pages, as filters say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs

from providers.sandbox import clock
from providers.sandbox.wire import Asked

from . import errors

T = TypeVar("T")
Wish = Mapping[str, list[str]]


def wish_of(asked: Asked, known: Collection[str]) -> Wish:
    """Return the parameters, each with its values; raises Declined for an unknown one."""
    found = parse_qs(asked.raw_query, keep_blank_values=True)
    if unknown := found.keys() - set(known):
        raise errors.no("refused", f"unknown parameter {sorted(unknown)[0]}")
    return found


def one(wish: Wish, name: str, default: str = "") -> str:
    values = wish.get(name, [default])
    if len(values) != 1:
        raise errors.no("refused", f"{name} comes twice")
    return values[0]


def page(
    rows: Sequence[T], wish: Wish, *, usual: int, most: int
) -> tuple[Sequence[T], int]:
    """Return a page of `rows`, newest first, and how many older ones are left.

    That number is the cursor, so that what is new does not move the pages that follow.
    """
    size = _whole(one(wish, "limit", str(usual)), "limit")
    if not 1 <= size <= most:
        raise errors.no("refused", f"limit should be between 1 and {most}")
    left = _whole(one(wish, "cursor") or str(len(rows)), "cursor")
    if left > len(rows):
        raise errors.no("refused", "invalid cursor")
    start = len(rows) - left
    found = rows[start : start + size]
    return found, left - len(found)


def within(wish: Wish, first: str, last: str, moment: str) -> bool:
    """Say whether `moment` is after the one called `first`, and before `last`."""
    when = clock.parse(moment)
    try:
        begin, end = (one(wish, name) for name in (first, last))
        after = not begin or when > clock.parse(begin)
        return after and (not end or when < clock.parse(end))
    except ValueError as error:
        raise errors.no("refused", "invalid timestamp") from error


def chosen(wish: Wish, name: str, value: str) -> bool:
    """Say whether a filter lets `value` through: it names it, or there is none."""
    return name not in wish or value in wish[name]


def newest_first(rows: Sequence[dict[str, Any]], moment: str) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda r: (r["api"][moment], r["number"]), reverse=True)


def _whole(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise errors.no("refused", f"invalid {name}")
    return int(text)
