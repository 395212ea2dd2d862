"""Group commit: events of many requests become durable together, each answered after its COMMIT."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from billing_core.domain.errors import Busy, Unavailable
from billing_core.store.events.records import IncomingEvent, Request

MAX_QUEUED_EVENTS = 20_000
MAX_QUEUED_CHARACTERS = 256 * 1024 * 1024
MAX_FLUSH_EVENTS = 2000
MAX_FLUSH_CHARACTERS = 16 * 1024 * 1024
# A flush beside another is only worth its fixed cost when it is a large one.
LEAST_SECOND_FLUSH_EVENTS = 200


class LogWriter(Protocol):
    """Makes a flush durable. `most_flushes` says how many it can use at once."""

    most_flushes: int

    async def start(self) -> None:
        """Get ready; called once."""

    async def stop(self) -> None:
        """Let go of everything."""

    async def flush(self, requests: Sequence[Request]) -> list[list[bool]]:
        """Store requests in order; True marks a stored event, False a duplicate.

        Raises `Unavailable` when it is not known whether anything was stored.
        """


class _Pending(NamedTuple):
    request: Request
    size_characters: int
    stored: asyncio.Future[list[bool]]


class Ingest:
    """The way into the event store, one per process.

    There is no linger: whatever was queued while the previous commits ran makes the next flush.
    """

    def __init__(
        self,
        writer: LogWriter,
        max_queued_events: int = MAX_QUEUED_EVENTS,
        max_flush_events: int = MAX_FLUSH_EVENTS,
    ) -> None:
        self._writer = writer
        self._max_queued_events = max_queued_events
        self._max_flush_events = max_flush_events
        self._queue: deque[_Pending] = deque()
        self._queued_events = 0
        self._queued_characters = 0
        self._flights: set[asyncio.Task[None]] = set()
        self._is_called = False
        self._is_stopped = True

    async def start(self) -> None:
        """Begin to accept events."""
        await self._writer.start()
        self._is_stopped = False

    async def stop(self) -> None:
        """Refuse new events, flush what is queued, then let go of the store."""
        self._is_stopped = True
        while self._queue or self._flights:
            self._launch()
            await asyncio.wait(self._flights)
        await self._writer.stop()

    @property
    def queued_events(self) -> int:
        """How many events wait for a flush."""
        return self._queued_events

    async def submit(self, events: Sequence[IncomingEvent], *, atomic: bool) -> list[bool]:
        """Store events durably; True marks one stored, False a duplicate.

        An atomic request with a False among its answers stored nothing
        (`docs/rules/metering.md` 1.4). Raises `Busy` when the queue is full and `Unavailable` when
        the store does not answer; then nothing is known about the write, and sending the same
        events again is safe.
        """
        size_characters = sum(len(event[7]) for event in events)
        if self._is_stopped:
            raise Unavailable
        if (
            self._queued_events + len(events) > self._max_queued_events
            or self._queued_characters + size_characters > MAX_QUEUED_CHARACTERS
        ):
            raise Busy
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[list[bool]] = loop.create_future()
        self._queue.append(_Pending(Request(atomic, events), size_characters, stored))
        self._queued_events += len(events)
        self._queued_characters += size_characters
        if not self._is_called and self._has_room():
            # Not now: what else this turn of the loop reads joins the same flush.
            self._is_called = True
            loop.call_soon(self._launch)
        return await stored

    def _launch(self) -> None:
        self._is_called = False
        while self._queue and self._has_room():
            flight = asyncio.ensure_future(self._flush(self._next_flush()))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _has_room(self) -> bool:
        in_flight = len(self._flights)
        return in_flight == 0 or (
            in_flight < self._writer.most_flushes
            and self._queued_events >= LEAST_SECOND_FLUSH_EVENTS
        )

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._launch()

    def _next_flush(self) -> list[_Pending]:
        chosen: list[_Pending] = []
        events_count = size_characters = 0
        while self._queue:
            pending = self._queue[0]
            more_events = len(pending.request.events)
            is_full = (
                events_count + more_events > self._max_flush_events
                or size_characters + pending.size_characters > MAX_FLUSH_CHARACTERS
            )
            if chosen and is_full:
                break
            chosen.append(self._queue.popleft())
            events_count += more_events
            size_characters += pending.size_characters
        self._queued_events -= events_count
        self._queued_characters -= size_characters
        return chosen

    async def _flush(self, flush: list[_Pending]) -> None:
        try:
            answers = await self._writer.flush([pending.request for pending in flush])
        except BaseException as failure:
            unknown = Unavailable() if isinstance(failure, Unavailable) else None
            for pending in flush:
                if not pending.stored.done():
                    pending.stored.set_exception(unknown or failure)
            if unknown is None:
                raise
            return
        for pending, answer in zip(flush, answers, strict=True):
            # A caller that has gone away does not take its events with it.
            with suppress(asyncio.InvalidStateError):
                pending.stored.set_result(answer)
