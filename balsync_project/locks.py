"""`manage.py lock`: the hashed locks in requirements/, made anew or checked."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
NAMES = ("uv", "base", "demo", "dev")  # dev holds all that come before it
COMPILE = [
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet"),
    *("--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"),
    *("--no-header", "--no-annotate"),
]
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)", re.MULTILINE)


def run(arguments: Sequence[str]) -> int:
    """Make the locks anew, or with `--check` only say what is wrong with them."""
    parser = argparse.ArgumentParser(prog="manage.py lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions")
    options = parser.parse_args(arguments)
    if options.check:
        faults = [fault for name in NAMES for fault in faults_of(name)]
        print("\n".join(faults) or "The locks fit what they were made from.")
        return 1 if faults else 0
    for name in NAMES:
        compile_lock(name, upgrade=options.upgrade)
    return 0


def compile_lock(name: str, *, upgrade: bool) -> None:
    """Resolve `name`.in into `name`.txt; what need not change stays."""
    more = ["--upgrade"] if upgrade else []
    files = [f"{name}.in", "--output-file", f"{name}.txt"]
    subprocess.run([*COMPILE, *more, *files], cwd=FOLDER, check=True)


def faults_of(name: str) -> Iterator[str]:
    """Yield what is wrong with one lock, without asking any index."""
    text = (FOLDER / f"{name}.txt").read_text()
    pins = pinned(text)
    for wanted in required(name):
        versions = pins.get(canonical(wanted.name), [])
        if not any(wanted.specifier.contains(v, prereleases=True) for v in versions):
            yield f"{name}.txt has no {wanted}: run `manage.py lock`"
    for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        if entry.strip() and "--hash=sha256:" not in entry:
            yield f"{name}.txt: no hash for {entry.strip()}"


def required(name: str) -> Iterator[Requirement]:
    """Yield what `name`.in asks for, with what it includes."""
    for line in (FOLDER / f"{name}.in").read_text().splitlines():
        wanted = line.split("#")[0].strip()
        if wanted.startswith("-r "):
            yield from required(wanted.removeprefix("-r ").removesuffix(".in"))
        elif wanted:
            yield Requirement(wanted)


def pinned(text: str) -> dict[str, list[str]]:
    """Return the versions a lock holds of each package (markers may split them)."""
    pins: dict[str, list[str]] = {}
    for pin in PIN.finditer(text):
        pins.setdefault(canonical(pin["name"]), []).append(pin["version"])
    return pins


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
