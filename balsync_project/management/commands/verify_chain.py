from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from accounts.links import GENESIS
from accounts.management.base import Command as Base
from accounts.services import Chain, verify_chain
from automation.services import transfers_unlike_audit

LONGEST = 100  # lines of what is wrong


class Command(Base):
    help = (
        "Walks the chain of the audit: nothing in it was changed, removed or inserted, "
        "and settled transfers are what it was told of them. Prints the head."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--expect-head",
            metavar="HASH",
            default="",
            help="a head that was printed earlier: what it sealed must still be there",
        )

    def handle(self, **options: Any) -> None:
        expected = options["expect_head"].strip().lower()
        if expected and len(expected) != len(GENESIS):
            raise CommandError("A head is 64 hexadecimal digits")
        chain = verify_chain(expected)
        chain.breaks.extend(transfers_unlike_audit())
        waiting_for = chain.waiting_for and chain.waiting_for.total_seconds()
        answer = asdict(chain) | {"holds": chain.holds, "waiting_for": waiting_for}
        self.tell(answer, lines(chain), **options)
        if not chain.holds:
            raise CommandError("The chain does not hold", returncode=1)


def lines(chain: Chain) -> Iterator[str]:
    """Yield what was found, for people."""
    yield f"{chain.count} events are sealed, {chain.waiting} wait for it"
    if chain.waiting_for is not None:
        yield f"the first has waited for {chain.waiting_for.total_seconds():.0f} s"
    if chain.since_expected is not None:
        yield f"the expected head stands, {chain.since_expected} links from the end"
    for text in [*chain.breaks, *chain.late][:LONGEST]:
        yield f"  {text}"
    hidden = len(chain.breaks) + len(chain.late) - LONGEST
    if hidden > 0:
        yield f"  and {hidden} more"
    yield f"head {chain.head}"
