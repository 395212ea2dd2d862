"""When API keys were last used: noted in memory, written down once a minute."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.store import organizations
from billing_core.store.unit import Units

WRITE_SECONDS = 60.0
log = logging.getLogger(__name__)


class KeyUsage:
    """Notes the uses of keys in this process. What a crash loses is the last minute's."""

    def __init__(self, units: Units, every_seconds: float = WRITE_SECONDS) -> None:
        self._units = units
        self._every_seconds = every_seconds
        self._used: dict[UUID, datetime] = {}
        self._closing = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: UUID) -> None:
        """Remember that a key was used just now; returns at once."""
        self._used[key_id] = wall_now()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_later())

    async def close(self) -> None:
        """Write down what is still only remembered."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write_later(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._every_seconds)
        used, self._used = self._used, {}
        try:
            async with self._units.system(write=True) as session:
                await organizations.note_uses(session, used)
        except Exception:
            # keys work without it: the next minute's uses are noted again
            log.exception("the last uses of API keys could not be written")
