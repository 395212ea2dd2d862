"""Bringing a database to the current schema, with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from billing_core.store import migrations
from billing_core.store.unit import engines_for


def config() -> Config:
    """Return Alembic's configuration: scripts live inside the package."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return settings


async def migrate(url: str) -> None:
    """Upgrade a database to the newest revision; does nothing when it is there."""
    engines = engines_for(url)
    try:
        async with engines.write.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engines.dispose()


async def pending_revision(engine: AsyncEngine) -> str | None:
    """Return the revision a database lacks, or None when it is current."""
    newest = ScriptDirectory.from_config(config()).get_current_head()
    async with engine.connect() as connection:
        current = await connection.run_sync(_current)
    return None if current == newest else newest


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
