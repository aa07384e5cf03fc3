"""Each provider dies in turn: `manage.py prove outage --people 20 --syncs 6`.

Every sandbox is a process of its own and is killed with SIGKILL. While it is dead no
balance may become zero, no total may dip, and exactly its accounts may be marked; when
it is back on its port with its books, all must be well by the usual schedule alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from django.core.management import call_command

from tests.outage.killing import kill_each
from tests.outage.town import town


def main(argv: Sequence[str]) -> int:
    """Print what each outage was like, and return 1 if anything was told wrongly."""
    wishes = argparse.ArgumentParser(prog="manage.py prove outage", description=__doc__)
    wishes.add_argument("--people", type=int, default=20, help="at each provider")
    wishes.add_argument("--syncs", type=int, default=6, help="while one is dead")
    wishes.add_argument("--rounds", type=int, default=3)
    wish = wishes.parse_args(argv)
    call_command("migrate", verbosity=0)
    faults = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        town(Path(folder), wish.people) as place,
    ):
        for number in range(wish.rounds):
            for one in kill_each(place, wish.syncs):
                faults += len(one.faults)
                print("\n".join(one.faults[:20]))
                print(
                    f"round {number + 1}, {one.slug}: {one.accounts} accounts, "
                    f"{one.syncs} syncs without it, well again after "
                    f"{one.seconds:.1f} s, {len(one.faults)} faults",
                    flush=True,
                )
    return int(bool(faults))
