"""Lets clients written by others judge the sandboxes, each in an environment of its own."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

import providers
from providers.sandbox import Institution, serve
from providers.sandbox.control import person

FOLDER = Path(providers.__file__).parent
PATIENCE = 300  # seconds for an installation, or for a client


class Command(BaseCommand):
    help = "Run third-party clients against the sandboxes and compare with the books."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        found = oracles()
        parser.add_argument("slug", nargs="?", choices=found)
        parser.add_argument("--all", action="store_true", help=", ".join(found))
        parser.add_argument(
            "--npm",
            action=argparse.BooleanOptionalAction,
            help=f"those that need npm ({', '.join(oracles(npm=True))}), or the others",
        )

    def handle(
        self, *_: Any, slug: str | None, npm: bool | None, **options: Any
    ) -> None:
        """Run one oracle or more; raises CommandError where a client tells otherwise."""
        if (bool(slug), options["all"], npm is not None).count(True) != 1:
            raise CommandError("Name one provider, or --all, --npm or --no-npm")
        for chosen in [slug] if slug else oracles(npm=npm):
            self.stdout.write(judge(chosen, environment(chosen)))


def oracles(*, npm: bool | None = None) -> list[str]:
    """Return the providers that somebody else's client can be tried against.

    With `npm`, those whose client needs it; with False, those that do without.
    """
    found = [s for s in providers.slugs() if (FOLDER / s / "oracle.py").exists()]
    return [s for s in found if npm in (None, needs_npm(s))]


def needs_npm(slug: str) -> bool:
    """Say whether an oracle has something of npm's beside it: a genuine node."""
    return node_of(slug).exists()


def node_of(slug: str) -> Path:
    """Return the folder where the locks of npm are, if there are any."""
    return FOLDER / slug / "oracle_npm"


def environment(slug: str) -> Path:
    """Return the Python that has the oracle's own requirements, installed if need be.

    A folder `oracle_npm` holds what comes from npm instead, exact versions with their
    hashes; it is installed beside, in `npm`.
    """
    wanted, node = FOLDER / slug / "oracle.txt", node_of(slug)
    folder = home_of(slug)
    python, stamp = folder / "bin" / "python", folder / "installed"
    pinned = [wanted.read_bytes(), *(path.read_bytes() for path in locks_in(node))]
    known = hashlib.sha256(b"".join([*pinned, sys.version.encode()])).hexdigest()
    if stamp.exists() and stamp.read_text() == known:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in installation(folder, python, wanted):
        run(command)
    if needs_npm(slug):
        install_node(slug, node, folder / "npm")
    stamp.write_text(known)
    return python


def home_of(slug: str) -> Path:
    """Return where the environment of one oracle is."""
    return Path(settings.BASE_DIR) / "var" / "oracle" / slug


def locks_in(folder: Path) -> list[Path]:
    """Return the two files that say what npm installs, none where nothing is."""
    return sorted(folder.glob("package*.json"))


def install_node(slug: str, wanted: Path, folder: Path) -> None:
    """Install what npm has locked; raises CommandError where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise CommandError(f"{slug}: its oracle needs npm, and there is none here")
    folder.mkdir()
    for path in locks_in(wanted):
        shutil.copy(path, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run([npm, "ci", *quiet, "--prefix", str(folder)])


def installation(folder: Path, python: Path, wanted: Path) -> list[list[str]]:
    """Return the commands that make an environment and install what is pinned."""
    uv = [sys.executable, "-m", "uv"]
    make = [*uv, "venv", "-q", "--python", sys.executable, str(folder)]
    pinned = ["--require-hashes", "-q", "-r", str(wanted)]
    return [make, [*uv, "pip", "install", "--python", str(python), *pinned]]


def judge(slug: str, python: Path) -> str:
    """Return a line for each client; raises CommandError if what one said is untrue."""
    with serve(slug) as box, tempfile.TemporaryDirectory() as home:
        bank = box[slug]
        customer = bank.demo_world()
        told: dict[str, Any] = {"hosts": box.hosts(slug), "customer": person(customer)}
        if needs_npm(slug):
            told["tools"] = str(home_of(slug) / "npm" / "node_modules")
        script = str(FOLDER / slug / "oracle.py")
        said = json.loads(run([str(python), script], told=told, home=home))
        clients = said if isinstance(said, list) else [said]
        for one in clients:
            if wrong := differences(bank, one):
                raise CommandError(f"{slug}: {one['client']}: " + "; ".join(wrong))
    return "\n".join(f"{slug}: {summary(one)}; the books agree" for one in clients)


def summary(said: dict[str, Any]) -> str:
    """Return what one client told, in a few words."""
    counts = [f"{len(v)} {k}" for k, v in said.items() if isinstance(v, dict | list)]
    return f"{said['client']} tells {', '.join(counts)}"


def differences(bank: Institution, said: dict[str, Any]) -> list[str]:
    """Return where a client's tale and the books of the institution part.

    Who tells `balances` at all tells those of every open account.
    """
    wrong = [
        f"{id} holds {bank.balance(id)}, not {amount}"
        for id, amount in said.get("balances", {}).items()
        if str(bank.balance(id)) != amount
    ]
    if "balances" in said:
        open_ones = [h for h in bank.demo_world().holdings if not h.closed]
        unseen = {h.external_id for h in open_ones} - said["balances"].keys()
        wrong += [f"{id} was not seen" for id in sorted(unseen)]
    for told in said.get("transfers", ()):
        made = [
            {"source": e.source, "target": e.target, "amount": str(e.amount)}
            for e in bank.moved(told["dedupe_id"])
        ]
        if made != [{k: told[k] for k in ("source", "target", "amount")}]:
            wrong.append(f"{told['dedupe_id']} is {made} in the books")
    return wrong + bank.disputes(said)


def run(command: list[str], *, told: object = None, home: str | None = None) -> str:
    """Return what a command prints; raises CommandError with its last words."""
    surroundings = {**os.environ, **({"HOME": home} if home else {})}
    surroundings.pop("PYTHONPATH", None)
    if home:  # an oracle may try the adapter itself, which needs nothing else
        surroundings["PYTHONPATH"] = str(settings.BASE_DIR)
    done = subprocess.run(
        command,
        input=json.dumps(told),
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise CommandError(f"{command[0]}: {done.stderr.strip()[-2000:]}")
    return done.stdout
