"""Money as texts. Of each: what it is as an amount of GBP/2, and as minor units."""

from __future__ import annotations

import sys
import unicodedata

PLAIN, WHOLE = "plain decimal number", "plain whole number"
PRECISE, LARGE, LONG = "exact amount of GBP/2", "that large", "that many digits"
Expected = int | str  # minor units, or a part of the error
NINES = "9" * 76

# As an amount in whole units; as minor units.
READ: dict[str, tuple[Expected, Expected]] = {
    "0": (0, 0),
    "1": (100, 1),
    "12": (1200, 12),
    "-1": (-100, -1),
    "-0": (0, 0),
    "1.5": (150, WHOLE),
    "12.34": (1234, WHOLE),
    "-12.34": (-1234, WHOLE),
    "0.01": (1, WHOLE),
    "-0.01": (-1, WHOLE),
    "0.29": (29, WHOLE),  # int(0.29 * 100) is 28
    "1.15": (115, WHOLE),  # int(1.15 * 100) is 114
    "0.1": (10, WHOLE),
    "0.10": (10, WHOLE),
    "1.10": (110, WHOLE),
    "4.35": (435, WHOLE),
    "1.100": (110, WHOLE),  # what is after the penny is nothing
    "1.0000000000000000000": (100, WHOLE),
    "-0.00": (0, WHOLE),
    "007.00": (700, WHOLE),
    "00": (0, WHOLE),
    "01": (100, WHOLE),
    "-01": (-100, WHOLE),
    "9007199254740993": (900719925474099300, 9007199254740993),  # no float holds it
    "90071992547409.93": (9007199254740993, WHOLE),
    "18446744073709551616": (1844674407370955161600, 18446744073709551616),
    str(2**255): (LARGE, 2**255),
    NINES: (int(NINES) * 100, int(NINES)),
    NINES + "9": (LARGE, int(NINES + "9")),
    NINES + "99": (LARGE, int(NINES + "99")),
    NINES + "999": (LARGE, LARGE),
    "-" + NINES + "999": (LARGE, LARGE),
    NINES + ".99": (int(NINES + "99"), WHOLE),
    "1" + "0" * 76: (LARGE, 10**76),
    "1" + "0" * 78: (LARGE, LARGE),
    "1" * 160: (LARGE, LARGE),
    "1" * 161: (LONG, LARGE),
    "1" * 5_000: (LONG, LARGE),  # more than int() reads
    "9" * 200_000: (LONG, LARGE),
    "0" * 200: (LONG, WHOLE),
    "1." + "0" * 158: (100, WHOLE),
    "1." + "0" * 159: (LONG, WHOLE),
    "0.001": (PRECISE, WHOLE),
    "1.005": (PRECISE, WHOLE),  # Django makes it 1.01
    "12.349": (PRECISE, WHOLE),
    "-0.001": (PRECISE, WHOLE),
    "0.015": (PRECISE, WHOLE),
    "0." + "0" * 100 + "1": (PRECISE, WHOLE),
    "1.999999999999999999": (PRECISE, WHOLE),
}

# What is no number to us, however it may look.
NOT_NUMBERS = (
    # nothing, blanks and what surrounds a number
    *("", " ", "  ", "\t", "\n", "\r\n", "\0", " 1", "1 ", " 1 ", "\t1", "1\n", "\n1"),
    *("1\r", "1\x0b", "1\x0c", "1\0", "\x001", "1 2", "1\t2", "\u00a01", "1\u00a0"),
    *("1\u2009", "\u202f1", "\u30001", "1\u2028", "\u20601", "1\ufeff", "\ufeff1"),
    *("1\u200b", "\u200b1", "1\u00ad0", "1\x85", "1\x1c", "1\u180e"),
    # marks that turn the direction of reading
    *("\u200f1", "1\u200f", "\u202e12", "\u20661\u2069", "\u061c1", "\u202d1\u202c"),
    # signs
    *("+1", "+0", "+0.5", "--1", "-+1", "+-1", "1-", "1+", "-", "+", "- 1", "-\t1"),
    *(
        "(1)",
        "(1.00)",
        "\u22121",
        "\u20131",
        "\u20141",
        "\ufe631",
        "\uff0d1",
        "\u00b11",
    ),
    *("~1", "≈1", "<1", ">1", "=1", "=1+1", "@1", "#1"),
    # points and groups
    *(".", "-.", "1.", "-1.", ".5", "-.5", "1..0", "1.2.3", "1,0", "1,00", "1,000"),
    *("1,000.00", "1.000,00", "1'000", "1_000", "1_0.0", "1.0_0", "_1", "1_", "1 000"),
    *(
        "1\u00b70",
        "1\u066b5",
        "1\u066c000",
        "1\uff0e5",
        "1\uff0c5",
        "1;5",
        "1:5",
        "1/2",
    ),
    # exponents and other bases
    *("1e2", "1E2", "1e+2", "1e-2", "1.5e3", "1e309", "-1e309", "1e400", "1e-400"),
    *("0e0", "e1", "1e", "1e999999999", "1E+2", "1d2", "1p3", "0x10", "0X1F", "0b11"),
    *("0o17", "1f", "1L", "1n", "1u", "ff", "0x1.8p1", "1**2", "2^8"),
    # what is not a number, or no finite one
    *("NaN", "nan", "NAN", "-NaN", "+NaN", "sNaN", "qNaN", "NaN123", "inf", "-inf"),
    *("+inf", "Inf", "INF", "Infinity", "-Infinity", "+Infinity", "infinity", "1.#INF"),
    *(
        "1.#QNAN",
        "∞",
        "-∞",
        "null",
        "None",
        "nil",
        "undefined",
        "true",
        "false",
        "True",
    ),
    *("garbage", "N/A", "n/a", "-", "?", "*", "one", "zehn", "ten", "zero", "unknown"),
    # money words
    *("£1", "$1", "€1", "1£", "1 GBP", "GBP 1", "1GBP", "GBP/2", "1p", "1%", "50 %"),
    *("1.00 CR", "1.00-", "1k", "1K", "1M", "1m", "1bn", "₦1", "¥1", "1¢"),
    # numbers of other kinds
    *("½", "1½", "¼", "²", "1²", "x²", "①", "⑴", "⒈", "Ⅷ", "ⅷ", "一", "十", "百", "万"),
    *(
        "〇",
        "零",
        "٪",
        "૧½",
        "㊀",
        "𐄇",
        "௰",
        "፩",
        "ↀ",
        "\U0001d7d9.\U0001d7da",
        "1\u0301",
    ),
    # pieces of other languages
    *(
        '"1"',
        "'1'",
        "[1]",
        "{1}",
        "{}",
        "[]",
        "1;",
        "1--",
        "1 OR 1=1",
        "1; DROP TABLE x",
    ),
    *(
        "%31",
        "&#49;",
        "\\u0031",
        "\\x31",
        "${1}",
        "{{1}}",
        "<1>",
        "1<br>",
        "0,1e1",
        "1\\n",
    ),
)


def foreign_digits() -> list[str]:
    """Return 12.34 in every other script's digits: Python's int() reads them all."""
    zeros = (
        number
        for number in range(0x80, sys.maxunicode + 1)
        if unicodedata.category(chr(number)) == "Nd"
        and unicodedata.decimal(chr(number)) == 0
    )
    return [
        f"{chr(z + 1)}{chr(z + 2)}.{chr(z + 3)}{chr(z + 4)}"
        for z in zeros
        if unicodedata.decimal(chr(z + 4), None) == 4
    ]


def everything() -> dict[str, tuple[Expected, Expected]]:
    """Return every text with both of its readings."""
    neither = dict.fromkeys((*NOT_NUMBERS, *foreign_digits()), (PLAIN, WHOLE))
    return neither | READ
