"""Migrations: up, down, up, and no drift between what they make and what is mapped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from billing_core.store.events.schema import POSTGRES_DDL
from gateway.migrate import config, migrate, pending_revision
from tests.conftest import DATABASES, asyncpg_url
from tests.support.postgres import execute, fresh_database

BOOKKEEPING = {"alembic_version"}


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'tallygate.db'}"
    else:
        with fresh_database() as given:
            yield asyncpg_url(given)


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(url)
    yield made
    await made.dispose()


async def on(engine: AsyncEngine, work: Callable[[Config], None]) -> None:
    """Run an Alembic command on a connection."""

    def run(connection: Connection) -> None:
        settings = config()
        settings.attributes["connection"] = connection
        work(settings)

    async with engine.begin() as connection:
        await connection.run_sync(run)


async def tables(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda opened: inspect(opened).get_table_names())
    return set(names) - BOOKKEEPING


async def schema(engine: AsyncEngine) -> dict[str, tuple[list[str], list[str]]]:
    """Return the columns and indexes of every table."""

    def read(connection: Connection) -> dict[str, tuple[list[str], list[str]]]:
        found = inspect(connection)
        return {
            table: (
                sorted(f"{one['name']} {one['type']}" for one in found.get_columns(table)),
                sorted(str(one["name"]) for one in found.get_indexes(table)),
            )
            for table in found.get_table_names()
        }

    async with engine.connect() as connection:
        return await connection.run_sync(read)


async def test_up_down_up(url: str, engine: AsyncEngine) -> None:
    assert await pending_revision(engine) is not None
    await migrate(url)
    assert await pending_revision(engine) is None
    made = await schema(engine)
    assert {"organizations", "subscriptions", "invoices", "fees", "outbox"} <= set(made)
    await on(engine, lambda settings: command.downgrade(settings, "base"))
    assert await tables(engine) == set()
    await migrate(url)
    assert await schema(engine) == made


async def test_every_step_can_be_taken_back(url: str, engine: AsyncEngine) -> None:
    await migrate(url)
    revisions = list(ScriptDirectory.from_config(config()).walk_revisions())
    assert revisions
    for revision in revisions:
        below = str(revision.down_revision or "base")
        await on(engine, lambda settings, below=below: command.downgrade(settings, below))  # type: ignore[misc] # bound per round
        name = revision.revision
        await on(engine, lambda settings, name=name: command.upgrade(settings, name))  # type: ignore[misc] # bound per round
        await on(engine, lambda settings, below=below: command.downgrade(settings, below))  # type: ignore[misc] # bound per round


async def test_nothing_is_mapped_that_is_not_migrated(url: str, engine: AsyncEngine) -> None:
    await migrate(url)
    await on(engine, command.check)


async def test_migrating_twice_changes_nothing(url: str, engine: AsyncEngine) -> None:
    await migrate(url)
    made = await schema(engine)
    await migrate(url)
    assert await schema(engine) == made


def test_the_event_log_is_migrated_as_it_is_described() -> None:
    """PostgreSQL's event tables are written by hand twice: frozen in a revision, and newest."""
    with fresh_database() as described, fresh_database() as migrated:
        asyncio.run(execute(described, *POSTGRES_DDL))
        asyncio.run(migrate(asyncpg_url(migrated)))
        newest = asyncio.run(schema_at(asyncpg_url(described)))
        frozen = asyncio.run(schema_at(asyncpg_url(migrated)))
    assert newest
    assert {table: frozen.get(table) for table in newest} == newest


async def schema_at(url: str) -> dict[str, tuple[list[str], list[str]]]:
    engine = create_async_engine(url)
    try:
        return await schema(engine)
    finally:
        await engine.dispose()
