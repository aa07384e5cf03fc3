"""The demo: one person, who banks at the sandboxes."""

from __future__ import annotations

import os
from pathlib import Path

from .first_start import make_login, tell_address
from .processes.installation import write_private_json

USERNAME = PASSWORD = "demo"
WORKSPACE = "Demo"


def seed(login_file: Path, url: str) -> None:
    """Make the demo's person; a second start only learns the new address."""
    sandbox = os.environ["BALSYNC_SANDBOX_URL"]
    if login_file.exists():
        tell_address(login_file, url, sandbox_url=sandbox)
        return
    login = make_login(USERNAME, PASSWORD, WORKSPACE)
    write_private_json(login_file, {"url": url, **login, "sandbox_url": sandbox})
