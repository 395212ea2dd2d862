"""Which of several processes leads: the one that holds a lock of the database."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from billing_core.store.unit import Engines

CLOCK_LOCK = 0x74616C6C79  # "tally": one number for the clocks of a database


class DatabaseLeadership:
    """A lock that lasts as long as the connection that took it; for PostgreSQL."""

    def __init__(self, engines: Engines) -> None:
        # not a pooled connection: closing it must give the lock back
        self._engine = create_async_engine(
            engines.write.url, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        self._connection: AsyncConnection | None = None

    async def held(self) -> bool:
        """Tell whether this process leads, and try to if nobody does.

        A lost connection has lost the lock: that raises, and the next call tries again.
        """
        if self._connection is not None:
            try:
                await self._connection.scalar(select(1))
            except Exception:
                await self.resign()
                raise
            return True
        connection = await self._engine.connect()
        if await connection.scalar(select(func.pg_try_advisory_lock(CLOCK_LOCK))):
            self._connection = connection
            return True
        await connection.close()
        return False

    async def resign(self) -> None:
        """Let another process lead."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
