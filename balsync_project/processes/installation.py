"""The folder of one installation: its secrets, its lock, what runs on it now."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


class InstallationError(RuntimeError):
    """The folder cannot be used; the message says why, and what to do."""


@dataclass
class Installation:
    """A data folder that this process holds alone."""

    folder: Path
    identity: dict[str, str]
    lock: int

    @property
    def environment_file(self) -> Path:
        """Where other commands find the running installation."""
        return self.folder / "environment"

    def settings(self) -> dict[str, str]:
        """Return the secrets and the id, as environment variables."""
        return {
            "BALSYNC_INSTALLATION_ID": self.identity["installation_id"],
            "SECRET_KEY": self.identity["secret_key"],
            "CREDENTIAL_KEYS": self.identity["credential_keys"],
        }

    def publish(self, environment: dict[str, str]) -> None:
        """Write what `manage.py sync` and its like need in order to join in."""
        lines = [f"{name}='{value}'\n" for name, value in environment.items()]
        write_private(self.environment_file, "".join(lines))

    def close(self) -> None:
        """Let go of the folder."""
        self.environment_file.unlink(missing_ok=True)
        os.close(self.lock)


def open_installation(folder: Path, kind: str) -> Installation:
    """Take `folder` for this process; raises InstallationError when that cannot be."""
    try:
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        lock = _take(folder / "lock")
        return Installation(folder, _identity(folder / "installation.json", kind), lock)
    except PermissionError as error:
        raise InstallationError(f"{error.filename} belongs to another user") from error


def _take(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 32).decode().strip()
        os.close(lock)
        raise InstallationError(
            f"balsync already runs on {path.parent} (process {holder})"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _identity(path: Path, kind: str) -> dict[str, str]:
    if not path.exists():
        write_private(path, json.dumps(_new_identity(kind), indent=2) + "\n")
    identity: dict[str, str] = json.loads(path.read_text())
    if identity["kind"] != kind:
        raise InstallationError(
            f"{path.parent} was made by `{identity['kind']}`: give `{kind}` its own"
            " folder with --data"
        )
    return identity


def _new_identity(kind: str) -> dict[str, str]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "kind": kind,
        "installation_id": str(uuid.uuid4()),
        "secret_key": secrets.token_urlsafe(50),
        "credential_keys": f"k1:{key}",
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def write_private_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` for scripts of the owner."""
    write_private(path, json.dumps(content, indent=2) + "\n")
