"""YAML in one reading only: what could be read in two ways is refused, by its place."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from automation.services.strict_yaml import LARGEST_FILE, YamlError, dump, load

PLAIN = {
    "a whole number": ("a: 100", 100),
    "below zero": ("a: -5", -5),
    "true": ("a: true", True),
    "null": ("a: null", None),
    "nothing": ("a:", None),
    "no is a word": ("a: no", "no"),
    "on is a word": ("a: on", "on"),
    "a time is a text": ("a: 12:30", "12:30"),
    "a date is a text": ("a: 2027-06-01", "2027-06-01"),
    "quotes keep a share": ("a: '0.70'", "0.70"),
    "hexadecimal is a text": ("a: 0x10", "0x10"),
    "a merge is a key": ("<<: {a: 1}", None),
}
REFUSED = {
    "a share": ("a: 0.70", "needs quotes"),
    "an exponent": ("a: 1e3", "needs quotes"),
    "an octal": ("a: 010", "needs quotes"),
    "an underscore": ("a: 1_000", "needs quotes"),
    "a plus": ("a: +5", "needs quotes"),
    "a point": ("a: .5", "needs quotes"),
    "beyond 19 digits": ("a: 99999999999999999999", "needs quotes"),
    "a float by its tag": ("a: !!float '1'", "needs quotes"),
    "a doubled key": ("a: 1\na: 1", "Line 2, column 1: 'a' appears twice"),
    "a doubled key inside": ("x: {a: 1, a: 2}", "appears twice"),
    "an alias": ("a: &x [1]\nb: *x", "Line 2"),
    "a number as a key": ("1: a", "A key is a text"),
    "an object": ("!!python/object/apply:os.system [x]", "not read"),
    "a set": ("a: !!set {b}", "not read"),
    "binary": ("a: !!binary aGk=", "not read"),
    "two documents": ("a: 1\n---\nb: 2", "no plain YAML"),
    "half of one": ("a: [", "no plain YAML"),
    "a tab": ("a:\n\tb: 1", "no plain YAML"),
    "a control character": ("a: \x07", "no plain YAML"),
    "five thousand brackets": ("[" * 5000, "nested too deeply"),
    "too much": ("a" * (LARGEST_FILE + 1), "1 MB"),
}


@pytest.mark.parametrize("case", PLAIN)
def test_plain_words_have_one_meaning(case):
    text, meant = PLAIN[case]
    found = load(text)

    if case == "a merge is a key":
        assert found == {"<<": {"a": 1}}
    else:
        assert found == {"a": meant}
        assert type(found["a"]) is type(meant)


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_two_readings_is_refused(case):
    text, said = REFUSED[case]

    with pytest.raises(YamlError, match=said):
        load(text)


TEXTS = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff"
    )
)
VALUES = st.recursive(
    TEXTS | st.integers(-(10**18), 10**18) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_is_written_reads_back_as_it_was(data):
    assert load(dump(data)) == data


@given(st.from_regex(r"[-+0-9._eExnytofa:]{1,12}", fullmatch=True))
def test_other_readers_agree_that_a_text_is_a_text(text):
    written = dump({"a": text})

    assert load(written) == {"a": text}
    assert yaml.safe_load(written) == {"a": text}
