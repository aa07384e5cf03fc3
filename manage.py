#!/usr/bin/env python3
"""Django's manage.py; where only python3 is installed, it makes .venv first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
LOCKS = HERE / "requirements"
OLDEST_PYTHON = (3, 11)
QUIET_SECONDS = 2.0
PIP = ("-m", "pip", "install", "--disable-pip-version-check")
# Each lock holds the one before it, so having `dev` is having `demo`.
HOLDS = {"demo": ("demo", "dev"), "dev": ("dev",)}
NEEDS = {
    "demo": "demo",
    "serve": "demo",
    "test": "dev",
    "bench": "dev",
    "prove": "dev",
    "chaos": "dev",
    "oracle": "dev",
    "lock": "dev",
}
# Run on empty servers of their own, which end with the command.
THROWAWAY = {"test", "bench", "prove", "oracle"}
# One process tree; its supervisor needs no Django.
TREES = {"demo", "serve"}


def main(arguments: list[str]) -> None:
    """Run a command, inside .venv where this machine has nothing else."""
    command = arguments[1] if len(arguments) > 1 else "help"
    if not is_inside_venv():
        enter_venv(command)
    if command in NEEDS and Path(sys.prefix).resolve() == VENV.resolve():
        keep_bytecode()
    if command in TREES:
        from balsync_project.processes.command import run  # noqa: PLC0415

        sys.exit(run(command, arguments[2:]))
    if command == "chaos":  # meets an installation from outside, as a client
        from tests.chaos.paydays import main as chaos  # noqa: PLC0415

        sys.exit(chaos(arguments[2:]))
    if command == "lock":
        from balsync_project.locks import run as lock  # noqa: PLC0415

        sys.exit(lock(arguments[2:]))
    choose_settings(command)
    os.environ.setdefault("BALSYNC_PART", f"manage.py {command}")
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line(arguments)


def choose_settings(command: str) -> None:
    """Point Django at the settings, and at the installation that runs here."""
    module = "test_settings" if command in THROWAWAY else "settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"balsync_project.{module}")
    if command in THROWAWAY or "DATABASE_URL" in os.environ:
        return
    data = os.environ.get("BALSYNC_DATA")
    folders = [Path(data)] if data else [HERE / "data", HERE / "var"]
    for known in (*(folder / "environment" for folder in folders), HERE / ".env"):
        if known.exists():
            os.environ.setdefault("BALSYNC_ENV_FILE", str(known))
            return


def is_inside_venv() -> bool:
    """Say whether this is the Python of .venv, or one that wants no .venv."""
    in_venv = Path(sys.prefix).resolve() == VENV.resolve()
    return in_venv or "BALSYNC_NO_BOOTSTRAP" in os.environ


def enter_venv(command: str) -> None:
    """Start again inside .venv, if `command` needs it; containers never do."""
    lock = NEEDS.get(command) or ("demo" if find_spec("django") is None else None)
    if lock is None:
        return
    if sys.version_info < OLDEST_PYTHON:
        found = sys.version.split()[0]
        sys.exit(f"balsync needs Python 3.11 or newer; this is Python {found}.")
    try:
        install(lock)
    except OSError as error:
        sys.exit(f"Could not make {VENV}: {error}")
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, str(HERE / "manage.py"), *sys.argv[1:]])


def keep_bytecode() -> None:
    """Let all processes share what one compiled, in .venv if not beside the source."""
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = str(Path(sys.prefix, "bytecode"))
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def install(lock: str) -> None:
    """Bring .venv to what `lock` says; a second start waits here for the first."""
    folder = os.open(HERE, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        if not is_installed(lock):
            build(lock)
    finally:
        os.close(folder)


def is_installed(lock: str) -> bool:
    """Say whether .venv was made from this lock, or from one that holds it."""
    return any(
        stamp_of(held).is_file() and stamp_of(held).read_text() == digest_of(held)
        for held in HOLDS[lock]
    )


def stamp_of(lock: str) -> Path:
    """Return the file in .venv that says which lock it was made from."""
    return VENV / f"{lock}.stamp"


def digest_of(lock: str) -> str:
    """Return what a stamp must say: the lock's content and the Python's version."""
    content = (LOCKS / f"{lock}.txt").read_bytes()
    version = "{}.{}".format(*sys.version_info)
    return hashlib.sha256(content + version.encode()).hexdigest()


def build(lock: str) -> None:
    """Make .venv and install the lock into it, by uv wherever that can be had."""
    print(f"First start: installing requirements/{lock}.txt into .venv", flush=True)
    wanted = ["-q", "--require-hashes", "-r", str(LOCKS / f"{lock}.txt")]
    python = str(VENV / "bin" / "python")
    for stale in HOLDS["demo"]:
        stamp_of(stale).unlink(missing_ok=True)
    uv = working_uv()
    if uv:
        # The interpreter is named, because a bare version stumbles over shims.
        run([uv, "venv", "-q", "--allow-existing", "-p", sys.executable, str(VENV)])
        run([uv, "pip", "install", "-p", python, *wanted])
    else:
        if find_spec("ensurepip") is None:
            sys.exit("python3-venv is missing: apt install python3-venv (or uv)")
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        if not install_by_fetched_uv(python, wanted):
            run([python, *PIP, *wanted])
    stamp_of(lock).write_text(digest_of(lock))


def install_by_fetched_uv(python: str, wanted: list[str]) -> bool:
    """Let pip fetch uv, and uv install the rest in a tenth of the time; say if it did.

    What only pip knows how to reach, uv does not: then pip goes on by itself.
    """
    if has_own_index(python):
        return False
    fetched = [python, *PIP, "-q", "--require-hashes", "-r", str(LOCKS / "uv.txt")]
    install = [python, "-m", "uv", "pip", "install", "-p", python, *wanted]
    if is_done(fetched) and is_done(install):
        return True
    print("  … uv could not; pip goes on", flush=True)
    return False


def has_own_index(python: str) -> bool:
    """Say whether pip was told of another index, which is then the only one to ask."""
    told = [python, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    found = subprocess.run(told, capture_output=True, text=True, check=False)
    settings = [line.partition("=")[0] for line in found.stdout.splitlines()]
    return any(name.endswith((".index-url", ".no-index")) for name in settings)


def working_uv() -> str | None:
    """Return uv's path if it is there and really starts (a shim may not)."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    tried = subprocess.run([uv, "--version"], capture_output=True, check=False)
    return uv if tried.returncode == 0 else None


def run(command: list[str]) -> None:
    """Run one step of the installation; ends this process where it fails."""
    if not is_done(command):
        sys.exit(f"Could not install: `{' '.join(command)}` failed. Run it again.")


def is_done(command: list[str]) -> bool:
    """Run one step, say that it still goes on, and return whether it went well."""
    started = time.monotonic()
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            try:
                process.wait(QUIET_SECONDS)
            except subprocess.TimeoutExpired:
                passed = time.monotonic() - started
                print(f"  … still installing, {passed:.0f} s", flush=True)
    return process.returncode == 0


if __name__ == "__main__":
    main(sys.argv)
