"""The gateway's end of the event writer: one connection per process, commands by number."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec

from billing_core.clock import monotonic
from billing_core.domain.errors import Unavailable
from billing_core.store.events.frames import (
    Command,
    Flush,
    Forget,
    Ping,
    Register,
    Settle,
    SettleDue,
    Watch,
    flush_answer_decoder,
    frame,
    reply_decoder,
    take_frames,
)
from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.records import Request

CONNECT_DEADLINE_SECONDS = 5
ATTEMPTS = 2
CONNECT_PAUSE_SECONDS = 0.02


class SqliteWriterClient:
    """Speaks to the writer process; connects when needed and again after it was restarted."""

    # The writer commits one at a time; the next one waits at its door.
    most_flushes = 2

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()
        self._number = 0

    async def start(self) -> None:
        """Wait until the writer answers; raises `Unavailable`."""
        await self._ask_again(Ping(0))

    async def stop(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    async def flush(self, requests: Sequence[Request]) -> list[list[bool]]:
        """Store requests; see `LogWriter.flush`."""
        body = await self._ask(Flush(0, list(requests)))
        answers = flush_answer_decoder.decode(body)
        return [
            [True] * len(request.events) if answer is None else answer
            for request, answer in zip(requests, answers, strict=True)
        ]

    async def register(self, key: MeterKey, metric_id: UUID, definition: Definition) -> None:
        """Make sure a meter covers every event."""
        aggregation, field_name, dimensions = definition
        command = Register(0, *key, metric_id.bytes, aggregation, field_name, dimensions)
        await self._ask_again(command)

    async def settle(self) -> None:
        """Have all events folded into the rollups, so that reads find a short tail."""
        await self._ask_again(Settle(0))

    async def watch(self, org_id: bytes, codes: Iterable[str]) -> None:
        """Watch exactly these codes of an organization from now on."""
        await self._ask_again(Watch(0, org_id, sorted(codes)))

    async def settle_due(self, event_ids: Iterable[int]) -> None:
        """Take events off the list of those that are due."""
        await self._ask_again(SettleDue(0, list(event_ids)))

    async def forget(self, key: MeterKey, until_us: int, now_us: int) -> int:
        """Soft-delete a code's events created up to an instant; returns how many."""
        body = await self._ask(Forget(0, *key, until_us, now_us))
        return msgspec.msgpack.decode(body, type=int)

    async def _ask_again(self, command: Command) -> msgspec.Raw:
        """Ask what may be asked twice: a restart of the writer is not the asker's concern."""
        for _ in range(ATTEMPTS):
            with suppress(Unavailable):
                return await self._ask(command)
        return await self._ask(command)

    async def _ask(self, command: Command) -> msgspec.Raw:
        self._number += 1
        command.number = self._number
        link = self._link
        if link is None or link.is_closed:
            link = await self._connect()
        return await link.ask(command)

    async def _connect(self) -> "_Link":
        async with self._connecting:
            if self._link is not None and not self._link.is_closed:
                return self._link
            loop = asyncio.get_running_loop()
            give_up_at = monotonic() + CONNECT_DEADLINE_SECONDS
            while True:
                with suppress(OSError):
                    _, self._link = await loop.create_unix_connection(_Link, str(self._socket_path))
                    return self._link
                if monotonic() > give_up_at:
                    raise Unavailable
                await asyncio.sleep(CONNECT_PAUSE_SECONDS)


class _Link(asyncio.Protocol):
    """One connection, with the questions that are still open on it."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._open: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for body in take_frames(self._buffer):
            reply = reply_decoder.decode(body)
            answer = self._open.pop(reply.number, None)
            if answer is None or answer.done():
                continue
            if reply.failure is None:
                answer.set_result(reply.answer)
            else:
                answer.set_exception(Unavailable(reply.failure))

    def connection_lost(self, _failure: Exception | None) -> None:
        self.is_closed = True
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(Unavailable("the event writer went away"))
        self._open.clear()

    def close(self) -> None:
        """Close; open questions get `Unavailable`."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()

    async def ask(self, command: Command) -> msgspec.Raw:
        """Send a command and wait for its answer."""
        assert self._transport is not None
        answer: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._open[command.number] = answer
        self._transport.write(frame(command))
        return await answer
