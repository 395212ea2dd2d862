"""Who drives the clock, where several processes could: one leads, the others wait for its end."""

import fcntl
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import make_url

from billing_core.store.leadership import DatabaseLeadership
from billing_core.store.unit import Engines


class Leadership(Protocol):
    """A lock that at most one process has."""

    async def held(self) -> bool:
        """Tell whether this process leads, and try to if nobody does."""

    async def resign(self) -> None:
        """Let another process lead."""


class FileLeadership:
    """A lock on a file, for processes of one machine; it ends with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    async def held(self) -> bool:
        """Tell whether this process leads, and try to if nobody does."""
        if self._file is not None:
            return True
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    async def resign(self) -> None:
        """Let another process lead."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def leadership_of(engines: Engines) -> Leadership:
    """Return the lock of a database: its own, or on SQLite one of a file beside it."""
    if not engines.is_sqlite:
        return DatabaseLeadership(engines)
    return FileLeadership(Path(f"{make_url(engines.write.url).database}.clock"))
