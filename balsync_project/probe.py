"""Small checks for containers, without Django: `python -m balsync_project.probe …`."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

USAGE = "usage: probe url ADDRESS | probe heartbeat FILE SECONDS"
PATIENCE_SECONDS = 4


def main(arguments: list[str]) -> int:
    """Return 0 when the thing asked about lives, 1 when not, 2 for a wrong call."""
    match arguments:
        case ["url", address]:
            return 0 if answers(address) else 1
        case ["heartbeat", file, seconds]:
            return 0 if is_fresh(Path(file), float(seconds)) else 1
    print(USAGE, file=sys.stderr)
    return 2


def answers(address: str) -> bool:
    """Say whether `address` answers with a success."""
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:
            return bool(answer.status < 400)
    except (urllib.error.URLError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return False


def is_fresh(file: Path, seconds: float) -> bool:
    """Say whether `file` was touched less than `seconds` ago."""
    try:
        age = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        print(f"{file} was never touched", file=sys.stderr)
        return False
    return age < seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
