"""The loop that folds what PostgreSQL has pending: one works, others wait for its turn."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import asyncpg

from billing_core.store.events.postgres_folding import Folder
from billing_core.store.events.postgres_ingest import FAILURES, asyncpg_url
from billing_core.store.events.postgres_meters import backfill, unfinished

logger = logging.getLogger(__name__)

LEADER_LOCK = 7_305_101_002  # held by the session that folds
# The more events a fold takes, the fewer rollup rows it writes for each: long enough for that, and
# short for those who read what is pending.
BUSY_PAUSE_SECONDS = 0.5
IDLE_PAUSE_SECONDS = 0.25
SECOND_PAUSE_SECONDS = 2.0


class FoldingLoop:
    """Folds, and backfills meters, until told to stop.

    Any number of processes may run one; a leader that goes away is replaced within seconds. What a
    crash leaves behind is only work to do again.
    """

    def __init__(self, database_url: str) -> None:
        self._url = asyncpg_url(database_url)
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Finish what is being folded and return from `run`."""
        self._stopped.set()

    async def run(self) -> None:
        """Work until stopped; a failure of the database is waited out."""
        while not self._stopped.is_set():
            try:
                connection: Any = await asyncpg.connect(self._url)
                try:
                    await self._serve(connection)
                finally:
                    with suppress(*FAILURES):
                        await connection.close(timeout=2)
            except (*FAILURES, TimeoutError):
                logger.exception("folding failed")
                await self._pause(SECOND_PAUSE_SECONDS)

    async def _serve(self, connection: Any) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEADER_LOCK):
            await self._pause(SECOND_PAUSE_SECONDS)
            if self._stopped.is_set():
                return
        folder = Folder()
        while not self._stopped.is_set():
            events_count = await folder.fold(connection)
            meter = await unfinished(connection)
            if meter is not None:
                await backfill(connection, meter)
            elif events_count:
                await self._pause(BUSY_PAUSE_SECONDS)
            else:
                await self._pause(IDLE_PAUSE_SECONDS)
        while await folder.fold(connection):
            pass

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
