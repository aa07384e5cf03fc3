"""Quiet hours, changes and signatures: the small decisions."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.events import signing
from accounts.events.changes import is_enough
from accounts.events.quiet import is_quiet, quiet_until
from providers.money import LARGEST

LONDON = ZoneInfo("Europe/London")
NIGHT = time(22), time(7)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (utc(2026, 1, 10, 21, 59), None),
        (utc(2026, 1, 10, 22), utc(2026, 1, 11, 7)),
        (utc(2026, 1, 11, 6, 59), utc(2026, 1, 11, 7)),
        (utc(2026, 1, 11, 7), None),
        (utc(2026, 7, 10, 21), utc(2026, 7, 11, 6)),  # summer time
        (utc(2026, 3, 28, 23), utc(2026, 3, 29, 6)),  # the clock is set forward
        (utc(2026, 10, 24, 23), utc(2026, 10, 25, 7)),  # and back
    ],
)
def test_quiet_hours_follow_the_clock_of_the_person(now, until):
    assert quiet_until(now, LONDON, *NIGHT) == until


def test_quiet_hours_of_a_day_and_of_none():
    noon = utc(2026, 1, 10, 12)

    assert quiet_until(noon, LONDON, time(9), time(17)) == utc(2026, 1, 10, 17)
    assert quiet_until(noon, LONDON, time(9), time(9)) is None
    assert quiet_until(noon, LONDON, None, time(9)) is None


@given(
    st.integers(0, 50 * 366 * 86_400).map(
        lambda s: utc(2000, 1, 1) + timedelta(seconds=s)
    ),
    st.sampled_from(sorted(available_timezones())),
    st.times(),
    st.times(),
)
def test_quiet_hours_always_end_within_a_day_and_never_in_the_past(
    now, zone, start, end
):
    night = start, end
    until = quiet_until(now, ZoneInfo(zone), *night)

    if until is not None:
        assert is_quiet(now, ZoneInfo(zone), *night)
        # A zone may skip a whole day once.
        assert now <= until <= now + timedelta(hours=50)


@pytest.mark.parametrize(
    ("old", "new", "least", "percent", "enough"),
    [
        (100, 200, None, None, False),
        (100, 100, 0, Decimal(0), False),
        (100, 149, 50, None, False),
        (100, 150, 50, None, True),
        (150, 100, 50, None, True),
        (100, 104, None, Decimal(5), False),
        (100, 105, None, Decimal(5), True),
        (2, 3, 50, Decimal(5), False),  # half of twopence is no news
        (10_000, 10_060, 50, Decimal(5), False),
        (0, 1, None, Decimal(5), True),
        (-100, -106, None, Decimal(5), True),
        (LARGEST - 1, LARGEST, 1, None, True),
        (LARGEST - 1, LARGEST, None, Decimal("0.01"), False),
    ],
)
def test_change_must_reach_every_threshold_that_is_set(
    old, new, least, percent, enough
):
    assert is_enough(old, new, least=least, percent=percent) is enough


KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_signature_is_the_one_of_the_specifications_own_example():
    told = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [KEY]
    )

    assert (
        told["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_receivers_with_the_old_or_the_new_key_both_accept():
    old, new = signing.new_secret(), signing.new_secret()
    told = signing.headers("id", 1000, b"{}", [new, old])

    assert signing.verify(told, b"{}", old, now=1000) == "id"
    assert signing.verify(told, b"{}", new, now=1000) == "id"
    with pytest.raises(signing.BadSignature):
        signing.verify(told, b"{}", signing.new_secret(), now=1000)


@given(st.data())
def test_message_that_differs_by_one_bit_is_refused(data):
    body = b'{"kind": "low_balance"}'
    told = signing.headers("id-1", 1_700_000_000, body, [KEY])
    name = data.draw(st.sampled_from([*told, "body"]))
    raw = bytearray(body if name == "body" else told[name].encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 6))
    altered = told if name == "body" else told | {name: raw.decode()}
    sent = bytes(raw) if name == "body" else body

    with pytest.raises(signing.BadSignature):
        signing.verify(altered, sent, KEY, now=1_700_000_000)


@pytest.mark.parametrize(("late", "fresh"), [(300, True), (301, False), (-301, False)])
def test_old_messages_cannot_be_replayed(late, fresh):
    told = signing.headers("id", 5000, b"{}", [KEY])
    if fresh:
        assert signing.verify(told, b"{}", KEY, now=5000 + late)
        return
    with pytest.raises(signing.BadSignature):
        signing.verify(told, b"{}", KEY, now=5000 + late)
