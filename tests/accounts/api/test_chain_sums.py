"""Derived and proxy wallets make the total, to the minor unit; a part never looks whole."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from accounts.api.chain import DERIVED, PROXY, together
from accounts.instant.entry import Entry
from providers.money import Asset

UNIT = Asset("USDC", 6)
amounts = st.none() | st.integers(0, 2**256 - 1)
wallets = st.lists(
    st.tuples(
        st.sampled_from([DERIVED, PROXY]), amounts, st.sampled_from(["", "away"])
    ),
    min_size=1,
    max_size=8,
)


def look(total: int | None, error: str) -> SimpleNamespace:
    """Return what is glanced of a wallet that was read once, or never."""
    known = () if total is None else (total, total, 0)
    amounts = known or (None, None, None)
    entry = Entry(1, "live", "w", "c", str(UNIT), *amounts, 1, 900, 0, error)
    return SimpleNamespace(sheet=SimpleNamespace(entry=entry), found_in="cache")


@given(wallets)
def test_parts_make_the_total_and_a_missing_part_leaves_it_unknown(held):
    looks = [(role, look(total, error)) for role, total, error in held]

    told = together(looks, UNIT, updating=False)

    every = [total for _, total, _ in held]
    if None in every:
        assert (told["balance"], told["success"], told["complete"]) == (
            None,
            False,
            False,
        )
        return
    parts = [told["derived_balance"], told["proxy_balance"]]
    # Wide enough for eight numbers of 256 bits.
    scaled = [int(part.replace(".", "")) for part in parts if part is not None]
    assert sum(scaled) == int(told["balance"].replace(".", "")) == sum(every)
    assert told["complete"] == (not any(error for _, _, error in held))
    assert Decimal(told["balance"]).is_finite()
