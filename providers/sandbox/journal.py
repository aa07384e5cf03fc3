"""An append-only file of facts that survives `kill -9`: one batch of them a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Journal:
    """The facts of one institution. Without a path they live as long as the process."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._file: int | None = None

    def replay(self) -> Iterator[Record]:
        """Yield what was written before; a torn last line never happened."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield from json.loads(line)
        os.ftruncate(self._file, whole)

    def append(self, records: Sequence[Record], *, sync: bool) -> None:
        """Write all `records` or none; with `sync` they are on the disk on return."""
        if self._file is None:
            return
        line = (json.dumps(records) + "\n").encode()
        while line:
            line = line[os.write(self._file, line) :]
        if sync:
            os.fdatasync(self._file)

    def erase(self) -> None:
        """Forget everything."""
        if self._file is not None:
            os.ftruncate(self._file, 0)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
