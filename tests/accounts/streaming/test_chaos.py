"""The short form of `prove streams`."""

from __future__ import annotations

from tests.proofs import streams

SECONDS = 60.0


def test_disturbed_streams_end_as_the_books_say_every_time():
    with streams.arenas(streams.streaming(), seed=7) as found:
        streams.disturb(found, SECONDS)

        assert [line for arena in found for line in arena.wrong] == []
        assert all(arena.agreed >= 2 for arena in found)
        assert all(sum(arena.struck.values()) >= 20 for arena in found)
