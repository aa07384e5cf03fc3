"""Bodies as bytes. Of each: what it is from a provider, and what it is to our API."""

from __future__ import annotations

from typing import Any, NamedTuple


class Fault(NamedTuple):
    """The error that a body gets: its class and words from each of the two readers."""

    provider: tuple[str, str]
    api: tuple[str, str]


PLAIN = "This is not plain JSON"
SYNTAX = Fault(("JSONDecodeError", ""), ("ParseError", PLAIN))
ENCODING = Fault(("UnicodeDecodeError", ""), ("ParseError", "codec can't decode"))
CONSTANT = Fault(("MoneyError", "is not an amount"), ("ParseError", "is not JSON"))
TWICE = Fault(("ValueError", "occurs twice"), ("ParseError", "appears twice"))
DEEP = Fault(("ValueError", "nested too deeply"), ("ParseError", "nested too deeply"))
BEYOND = Fault(("ValueError", "large or"), ("ParseError", "too large or too small"))
DIGITS = Fault(("MoneyError", "many digits"), ("ParseError", "limit (4300 digits)"))

# The same to both.
GOOD: dict[bytes, Any] = {
    b"0": 0,
    b"-0": 0,
    b"1": 1,
    b"-1": -1,
    b"9007199254740993": 9007199254740993,
    b"18446744073709551616": 18446744073709551616,
    b"-170141183460469231731687303715884105729": -(2**127) - 1,
    str(2**256 - 1).encode(): 2**256 - 1,
    b"true": True,
    b"false": False,
    b"null": None,
    b'""': "",
    b'"0"': "0",
    b'"NaN"': "NaN",
    b'"1e309"': "1e309",
    b'"\\u00a3"': "£",
    '"£"'.encode(): "£",
    b'"\\ud83d\\ude00"': "\U0001f600",
    '"\U0001f600"'.encode(): "\U0001f600",
    b'"\\/"': "/",
    b'"\\b\\f\\n\\r\\t"': "\b\f\n\r\t",
    '"\u202e12"'.encode(): "\u202e12",
    '"\u200f"'.encode(): "\u200f",
    '"\u2028"'.encode(): "\u2028",
    '"\ufeff"'.encode(): "\ufeff",
    '"\U0010ffff"'.encode(): "\U0010ffff",
    '"\ufffe"'.encode(): "\ufffe",
    b'"\x7f"': "\x7f",
    b"{}": {},
    b"[]": [],
    b'{"": 1}': {"": 1},
    b'{"a": 1, "A": 2}': {"a": 1, "A": 2},
    # letters that look alike: composed, and with a mark of its own
    '{"\u00e9": 1, "e\u0301": 2}'.encode(): {"\u00e9": 1, "e\u0301": 2},
    b'{"__proto__": {}}': {"__proto__": {}},
    b" 1 ": 1,
    b"\n1\r\n\t": 1,
    b"\xef\xbb\xbf1": 1,
    b'\xef\xbb\xbf{"a": 1}': {"a": 1},
    b'{"a":{"a":1},"b":{"a":1}}': {"a": {"a": 1}, "b": {"a": 1}},
    b"[" * 31 + b"1" + b"]" * 31: "deep",
    b"[" * 32 + b"1" + b"]" * 32: "deep",
}
# Exact from a provider; to us a float, which no amount of our API may be.
DECIMALS = (
    *(b"0.1", b"0.29", b"1.15", b"-0.01", b"1.0", b"0.0", b"1e2", b"1E2", b"1e+2"),
    *(b"1e-2", b"1.5e3", b"-1.5E-3", b"123456.123456789012345678", b"1e308", b"1e-300"),
    *(b"0e0", b"0.0e99", b"4.35", b"90071992547409.93", b"1e22"),
)
# Exact from a provider, and more or less than a float holds.
BEYOND_FLOATS = (b"1e309", b"-1e309", b"1e400", b"1e-400", b"-1e-399", b"9.9e399")
BEYOND_ALL = (b"1e401", b"1e999999", b"-1e500", b"1e-401", b"1e-500", b"1e99999999999")
TOO_MANY_DIGITS = (b"1" * 5_000, b"-" + b"9" * 6_000, b"[" + b"1" * 200_000 + b"]")
# A provider's text may hold them and is cleaned before it is kept; ours are refused.
NOT_OURS = {
    b'"\\u0000"': "NUL",
    b'"a\\u0000b"': "NUL",
    b'{"\\u0000": 1}': "NUL",
    b'["\\u0000"]': "NUL",
    b'"\\ud800"': "surrogates",
    b'"\\udc00"': "surrogates",
    b'"\\udfff\\ud800"': "surrogates",
    b'{"\\ud800": 1}': "surrogates",
    b'"\\ud83dx"': "surrogates",
    b'[["\\udead"]]': "surrogates",
}
CONSTANTS = (b"NaN", b"Infinity", b"-Infinity")
TWO_KEYS = (
    b'{"a":1,"a":1}',
    b'{"a":1,"a":2}',
    b'{"a":1,"b":2,"a":3}',
    b'{"a":1,"\\u0061":2}',
    b'{"":1,"":2}',
    b'{"x":{"a":1,"a":2}}',
    b'[{"a":1,"a":2}]',
    b'{"balance":100,"balance":10000}',
    b'{"amount":"1","amount":1}',
    b'{"a":null,"a":null}',
    b'{"a":[{"b":{"c":1,"c":2}}]}',
    b'{"a":1,"b":{"a":1},"a":{}}',
)
TOO_DEEP = (
    *(b"[" * n + b"]" * n for n in (34, 40, 64, 100, 500)),
    *(b'{"a":' * n + b"1" + b"}" * n for n in (34, 64, 500)),
    *(b'[{"a":' * n + b"1" + b"}]" * n for n in (17, 100)),
    *(b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
)
NOT_UTF8 = (
    *(b"\xff", b"\xfe", b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xf5\x80\x80\x80"),
    *(b'"\xff"', b'"\xe9"', b'"\xa3"', b'"\xc3"', b'"\xe2\x82"', b'"\xf0\x9f\x98"'),
    *(b'"\xc0\xaf"', b'"\xe0\x80\xaf"', b'"\xf0\x80\x80\xaf"'),  # longer than need be
    *(b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xed\xa0\xbd\xed\xb8\x80"'),  # halves
    *(b'"\xf4\x90\x80\x80"', b'"\xfe\xfe\xff\xff"', b"\xa01", b'{"\xff": 1}'),
    *('{"a": 1}'.encode("utf-16"), '{"a": "é"}'.encode("latin-1")),
    *(b"\xef\xbb\xbf\xff", '["£"]'.encode("cp1252"), b"[1]\xff", b"\x1f\x8b\x08\x00"),
)
DOCUMENT = b'{"balance": 12.5, "held": [1, "\\u00a3"], "ok": true, "x": null}'
BROKEN = (
    *(
        b"",
        b" ",
        b"\n",
        b"\0",
        b"\x0c1",
        b"\x0b1",
        b"\x1f1",
        b"\xc2\xa01",
        b"\xe2\x80\x8b1",
    ),
    *(DOCUMENT[:length] for length in range(1, len(DOCUMENT))),
    *(b"tru", b"True", b"TRUE", b"fals", b"nul", b"None", b"undefined", b"nan", b"inf"),
    *(
        b"infinity",
        b"+Infinity",
        b"-NaN",
        b"yes",
        b"garbage",
        b"<html></html>",
        b"<?xml?>",
    ),
    *(
        b"+1",
        b"01",
        b"-01",
        b"00",
        b".5",
        b"-.5",
        b"1.",
        b"1.e2",
        b"-",
        b"--1",
        b"1e",
        b"1e+",
    ),
    *(
        b"0x10",
        b"1_000",
        b"1,000",
        b"1 000",
        b"1f",
        b"1n",
        b"0b1",
        b"0o7",
        b"1.2.3",
        b"1e1.5",
    ),
    *("١".encode(), "１".encode(), "½".encode(), "−1".encode(), "1٫5".encode()),
    *(
        b"1 2",
        b"1,2",
        b"{}{}",
        b"[][]",
        b"{}x",
        b"[]]",
        b"{}}",
        b"1;",
        b'"a""b"',
        b"null null",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[,]",
        b"[1 2]",
        b"[1;2]",
    ),
    *(
        b"{a:1}",
        b"{'a':1}",
        b"{1:1}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b'{,"a":1}',
        b"{:1}",
    ),
    *(
        b'{"a" 1}',
        b'{"a"=1}',
        b'{"a":1 "b":2}',
        b'{"a":1;"b":2}',
        b'{"a"::1}',
        b"{null:1}",
    ),
    *(
        b"'a'",
        b'"',
        b'"a',
        b"a",
        b'"\\"',
        b'"\\x41"',
        b'"\\u12"',
        b'"\\uzzzz"',
        b'"\\a"',
    ),
    *(
        b'"\t"',
        b'"\n"',
        b'"\x00"',
        b'"\x1f"',
        b'"\\',
        b"`a`",
        b'"\\U0001F600"',
        b'"\\u-001"',
    ),
    *(b"// c\n1", b"/* c */1", b"# c\n1", b"1 // c", b"[1, /* c */ 2]", b"<!-- -->1"),
    *(
        b")]}',\n1",
        b"for(;;);1",
        b"callback(1)",
        b"data: 1",
        b"HTTP/1.1 200 OK",
        b"a=1&b=2",
    ),
    *(
        b"PK\x03\x04",
        b"%PDF-1.4",
        b"\x7fELF",
        b"---\na: 1",
        b"a: 1",
    ),
    *(b"[" * 200, b"{" * 200, b'{"a":' * 30, b"]" * 200),
)
