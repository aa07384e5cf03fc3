from __future__ import annotations

from decimal import Decimal, getcontext, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.money import LARGEST, Asset, MoneyError, parse_minor, pretty, whole

AMOUNTS = st.integers(-LARGEST, LARGEST)
SMALLER = st.integers(-(10**60), 10**60)
ASSETS = st.builds(
    Asset,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}", fullmatch=True).map(
        lambda code: code.strip()
    ),
    st.integers(0, 36),
)
UINT256 = 2**256 - 1


@pytest.mark.parametrize(
    ("asset", "text", "minor"),
    [
        ("GBP/2", "12.34", 1234),
        ("GBP/2", "12", 1200),
        ("GBP/2", "12.3", 1230),
        ("GBP/2", "12.340", 1234),
        ("GBP/2", "-0.01", -1),
        ("GBP/2", "-0", 0),
        ("GBP/2", "007.00", 700),
        ("USDC/6", "373.852118", 373852118),
        ("JPY/0", 500, 500),
        ("GBP/2", Decimal("1E+2"), 10000),
        ("ETH/18", "123456789.000000000000000001", 123456789 * 10**18 + 1),
        ("X/0", str(2**53 + 1), 2**53 + 1),
        ("X/0", str(UINT256), UINT256),
        ("ETH/18", f"{UINT256 // 10**18}.{UINT256 % 10**18:018d}", UINT256),
    ],
)
def test_minor_is_exact(asset, text, minor):
    assert Asset.parse(asset).minor(text) == minor


@given(ASSETS, AMOUNTS)
def test_writing_and_reading_an_amount_loses_nothing(asset, minor):
    assert asset.minor(asset.major(minor)) == minor
    assert asset.minor(Decimal(asset.major(minor))) == minor


@given(ASSETS, SMALLER)
def test_written_amount_shows_every_decimal(asset, minor):
    _, _, decimals = asset.major(minor).partition(".")

    assert len(decimals) == asset.decimals


@given(SMALLER, SMALLER)
def test_amounts_add_up_in_whole_units_as_in_minor_units(a, b):
    asset = Asset("ETH", 18)
    with localcontext() as context:
        context.prec = 160
        total = Decimal(asset.major(a)) + Decimal(asset.major(b))

    assert asset.minor(total) == a + b


@given(AMOUNTS)
def test_context_of_the_caller_changes_nothing(minor):
    with localcontext() as context:
        context.prec = 3
        assert Asset("ETH", 18).minor(Asset("ETH", 18).major(minor)) == minor
    assert getcontext().prec == 28


@given(st.integers(-(10**30), 10**30), st.integers(1, 999))
def test_part_of_a_minor_unit_is_refused_never_rounded(units, part):
    text = f"{units}.{part:03d}"
    asset = Asset("GBP", 2)
    if part % 10:
        with pytest.raises(MoneyError):
            asset.minor(text)
    else:
        sign = -1 if text.startswith("-") else 1
        assert asset.minor(text) == units * 100 + sign * part // 10


NO_AMOUNTS = [
    "0.001",
    Decimal("1e-3"),
    0.1,
    1.0,
    True,
    None,
    b"1",
    "twelve",
    "",
    " 1",
    "1 ",
    "1\n",
    "+1",
    "--1",
    "1.",
    ".5",
    "1,000",
    "1_000",
    "1e3",
    "0x10",
    "\u0661",
    "\uff11",
    "\u00b2",
    "NaN",
    "Infinity",
    "-Infinity",
    "sNaN",
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e400"),
    10**78,
    -(10**78),
    "1" + "0" * 76,
    "9" * 10_000,
]


@pytest.mark.parametrize("value", NO_AMOUNTS, ids=lambda value: repr(value)[:24])
def test_minor_refuses_what_is_no_exact_amount(value):
    with pytest.raises(MoneyError):
        Asset("GBP", 2).minor(value)


@example("1" + "0" * 27 + "1")
@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_a_money_error(text):
    try:
        found = Asset("GBP", 2).minor(text)
    except MoneyError:
        return
    assert text.isascii()
    # Multiplied as a decimal it would be rounded to 28 digits.
    assert Fraction(Decimal(text)) * 100 == found


@given(st.floats())
def test_no_float_is_ever_an_amount(value):
    for read in (Asset("GBP", 2).minor, whole, parse_minor):
        with pytest.raises(MoneyError):
            read(value)


@pytest.mark.parametrize(
    "value", [1.0, True, False, "1", b"1", None, Decimal(1), 10**78, -(10**78)]
)
def test_whole_accepts_integers_only(value):
    with pytest.raises(MoneyError):
        whole(value)


@given(AMOUNTS)
def test_whole_returns_what_the_database_can_hold(value):
    assert whole(value) == value
    assert parse_minor(str(value)) == value


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 0, UINT256])
def test_largest_amounts_pass(value):
    assert whole(value) == parse_minor(str(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+1",
        "01",
        "-01",
        "1.0",
        "1e3",
        "1_0",
        " 1",
        "1\n",
        "\u0661",
        "\uff11",
        "0x1",
        "1" + "0" * 78,
        "9" * 100_000,
        1,
        None,
    ],
    ids=lambda text: repr(text)[:24],
)
def test_minor_units_are_read_from_plain_digits_only(text):
    with pytest.raises(MoneyError):
        parse_minor(text)


@given(ASSETS)
def test_asset_is_read_as_it_is_written(asset):
    assert Asset.parse(str(asset)) == asset


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GBP",
        "GBP/",
        "/2",
        "GBP/100",
        "GBP/-1",
        "GBP/2\n",
        "G BP/2",
        "£/2",
        "GBP/\u0662",
        "X" * 21 + "/2",
        ".GBP/2",
        None,
        5,
    ],
)
def test_asset_in_another_form_is_refused(text):
    with pytest.raises(MoneyError):
        Asset.parse(text)


@pytest.mark.parametrize("text", ["USDC.e/6", "DOT28.S/10", "XBT.M/8", "pUSD/6"])
def test_assets_with_a_suffix_are_assets_of_their_own(text):
    assert str(Asset.parse(text)) == text


@pytest.mark.parametrize(
    ("minor", "asset", "text"),
    [
        (123456, "GBP/2", "£1,234.56"),
        (-1, "GBP/2", "-£0.01"),
        (0, "EUR/2", "€0.00"),
        (12345, "ABC/1", "1,234.5 ABC"),
        (-12345, "ABC/1", "-1,234.5 ABC"),
        (500, "JPY/0", "500 JPY"),
        (1605 * 10**16, "USD/18", "$16.05"),
        (10**18, "ETH/18", "1.00 ETH"),
        (10**18 + 10, "ETH/18", "1.00000000000000001 ETH"),
        (UINT256, "X/0", f"{UINT256:,} X"),
    ],
)
def test_amounts_are_shown_as_people_write_them(minor, asset, text):
    assert pretty(minor, Asset.parse(asset)) == text
