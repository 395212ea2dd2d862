"""The relay: moves promises from the outbox to the broker, at least once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.store import outbox
from billing_core.store.unit import Units

Send = Callable[[list[tuple[str, UUID, UUID]]], Awaitable[None]]
IDLE_SECONDS = 1.0
log = logging.getLogger(__name__)


class Relay:
    """Sends what is due: (topic, organization id, outbox id). Ids only: jobs read the rest."""

    def __init__(self, units: Units, send: Send) -> None:
        self._units = units
        self._send = send
        self._poke = asyncio.Event()
        self._stopping = False

    def poke(self) -> None:
        """Say that something was promised just now."""
        self._poke.set()

    async def run(self) -> None:
        """Relay until stopped; a broken broker or database is tried again."""
        while not self._stopping:
            self._poke.clear()
            try:
                sent = await self.relay()
            except Exception:
                # the loop must outlive outages; what is unsent stays in the outbox
                log.exception("the relay could not send")
                sent = 0
            if not sent:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._poke.wait(), IDLE_SECONDS)

    def stop(self) -> None:
        """End after the current round."""
        self._stopping = True
        self._poke.set()

    async def relay(self) -> int:
        """Take a lease on due promises, then send them; returns how many.

        The mark is a lease: a promise that was sent but not kept within minutes is sent again, so
        a crash or a broker that forgets delays it and never loses it.
        """
        now = wall_now()
        async with self._units.system() as session:
            if not await outbox.has_due(session, now):
                return 0
        async with self._units.system(write=True) as session:
            rows = await outbox.claim(session, now)
            messages = [(row.topic, row.org_id, row.id) for row in rows]
            for row in rows:
                row.sent_at = now
        try:
            await self._send(messages)
        except Exception:
            async with self._units.system(write=True) as session:
                await outbox.unclaim(session, [outbox_id for _, _, outbox_id in messages])
            raise
        return len(messages)
