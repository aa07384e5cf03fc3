"""The examples of how to call the API are run against a live server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from accounts.models import Scope, SigningNonce
from balsync_project.scopes import V1
from tests.fixtures_api import build_world
from tests.fixtures_signing import pen_for

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
EXAMPLES = dict(re.findall(r"```(bash|python)\n(.*?)```", PAGE, re.S))
RUN_BY = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
NEEDED = {"bash": ("bash", "curl", "openssl"), "python": ()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", RUN_BY)
def test_example_works_against_a_live_server(live_server, language):
    if missing := [tool for tool in NEEDED[language] if shutil.which(tool) is None]:
        pytest.skip(f"this machine has no {missing}")
    world = build_world()
    pen = pen_for(world.mine.workspace, world.admin.user)

    done = subprocess.run(
        [*RUN_BY[language], EXAMPLES[language]],
        env={
            "PATH": os.environ["PATH"],
            "URL": live_server.url,
            "KEY_ID": pen.id,
            "SECRET": pen.secret,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rent" in done.stdout
    # Both changes were made: each has used up a nonce.
    assert SigningNonce.objects.filter(key=pen.key).count() == 2
    world.mine.workspace.refresh_from_db()
    assert world.mine.workspace.paused_at is None


@pytest.mark.parametrize("scope", Scope.values)
def test_every_scope_is_explained(scope):
    assert f"| `{scope}` |" in PAGE


def test_page_says_where_the_api_is():
    assert f"`/{V1}`" in PAGE
