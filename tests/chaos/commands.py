from __future__ import annotations

import subprocess
import sys

from tests.chaos.installation import ROOT

PATIENCE = 900  # seconds: it ends by itself long before


def chaos(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py chaos` to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", "chaos", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
