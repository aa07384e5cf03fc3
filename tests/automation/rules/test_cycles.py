from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.rules.cycles import find_cycle


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        ({}, None),
        ({"a": ["b"], "b": ["c"]}, None),
        ({"a": ["a"]}, ("a", "a")),
        ({"a": ["b"], "b": ["a"]}, ("a", "b", "a")),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, None),  # a diamond
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, ("a", "b", "c", "a")),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, None),  # not through `a`
    ],
)
def test_a_way_back_to_the_start_is_found(following, expected):
    assert find_cycle("a", following) == expected


NAMES = st.sampled_from("abcdef")


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4)))
def test_it_is_found_exactly_where_the_start_can_be_reached_from_itself(following):
    reached, frontier = set(), set(following.get("a", ()))
    while frontier:
        reached |= frontier
        frontier = {n for r in frontier for n in following.get(r, ())} - reached

    way = find_cycle("a", following)

    assert (way is not None) == ("a" in reached)
    if way:
        assert way[0] == way[-1] == "a"
        steps = pairwise(way)
        assert all(after in following[before] for before, after in steps)
