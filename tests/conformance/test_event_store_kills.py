"""Processes are killed at random moments: what was acknowledged is there, once, and adds up."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from billing_core.domain.errors import Unavailable
from billing_core.ports import EventFilter, MeteredUsage
from tests.support.events import EventRig, meter, postgres_rig, sqlite_rig
from tests.support.postgres import fresh_database

ROOT = Path(__file__).parent.parent.parent
KILLS = int(os.environ.get("TALLYGATE_SOAK", "0")) * 15 or 3  # noqa: TID251 - test length
SENDERS = 24
EVENTS_PER_KILL = 1500


@pytest.fixture
def database_url() -> Iterator[str]:
    with fresh_database() as url:
        yield url


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[EventRig]:
    async with sqlite_rig(tmp_path) as opened:
        yield opened


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[EventRig]:
    async with postgres_rig(database_url) as opened:
        yield opened


async def send_until_stored(rig: EventRig, name: str) -> int:
    """Send an event until it is known to be stored; returns how often it was told so first."""
    event = rig.event(name, properties='{"v":1}')
    attempts = 0
    while True:
        attempts += 1
        try:
            (is_new,) = await rig.send(event)
        except Unavailable:
            continue
        # A duplicate here is our own earlier attempt, whose fate was unknown.
        assert is_new or attempts > 1
        return attempts


async def storm(rig: EventRig, kill: Any) -> None:
    """Send from many tasks while something is killed again and again; check the books."""
    asked = meter("sum_agg")
    await rig.store.register_meter(rig.org_id, asked)
    total = KILLS * EVENTS_PER_KILL
    numbers = iter(range(total))
    moments = random.Random(7)  # noqa: S311 - moments, not secrets

    async def send() -> int:
        return sum([await send_until_stored(rig, f"tx-{number}") for number in numbers])

    senders = [asyncio.ensure_future(send()) for _ in range(SENDERS)]
    kills = 0
    while kills < KILLS and not all(sender.done() for sender in senders):
        await asyncio.sleep(moments.uniform(0.01, 0.15))
        kills += await kill()
    attempts = sum(await asyncio.gather(*senders))
    assert kills
    assert attempts >= total
    assert await rig.usage(asked) == MeteredUsage(Decimal(total), total)
    assert (await rig.store.list_events(rig.org_id, EventFilter(), 1, 0))[1] == total
    await rig.check()


async def test_killing_the_writer_loses_nothing(sqlite: EventRig) -> None:
    async def kill() -> int:
        pid = sqlite.writer.pid if sqlite.writer else None
        if pid is None:
            return 0
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0  # it is dead already, and its successor has not begun
        return 1

    await storm(sqlite, kill)


async def test_killing_connections_loses_nothing(postgres: EventRig) -> None:
    server: Any = await asyncpg.connect(postgres.place)

    async def kill() -> int:
        return int(
            await server.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%event_blocks%'"
                " AND pid <> pg_backend_pid()"
            )
        )

    try:
        await storm(postgres, kill)
    finally:
        await server.close()


async def murder(rig: EventRig, kind: str) -> None:
    """Kill a sending process in the middle; everything it was told about is there."""
    asked = meter("sum_agg")
    acknowledged: list[str] = []
    for number in range(KILLS):
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.event_client", kind, rig.place),
            *(str(rig.org_id), f"life-{number}"),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert client.stdout is not None
        lines = [await client.stdout.readline() for _ in range(50 + 100 * number)]
        client.send_signal(signal.SIGKILL)
        rest = (await client.stdout.read()).split(b"\n")[:-1]  # the last line may be cut short
        await client.wait()
        acknowledged += [line.strip().decode() for line in [*lines, *rest]]
    stored = await rig.usage(asked)
    assert stored.events_count >= len(acknowledged) >= 50 * KILLS
    for name in acknowledged:
        assert await rig.store.find_event(rig.org_id, name) is not None
    await rig.check()


async def test_killing_a_client_of_the_writer(sqlite: EventRig) -> None:
    await murder(sqlite, "sqlite")


async def test_killing_a_client_of_the_server(postgres: EventRig) -> None:
    await murder(postgres, "postgres")


async def test_the_writer_drains_on_sigterm_and_comes_back(sqlite: EventRig) -> None:
    assert sqlite.writer is not None
    pid = sqlite.writer.pid
    assert pid is not None
    sent = [asyncio.ensure_future(send_until_stored(sqlite, f"tx-{n}")) for n in range(500)]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGTERM)
    await asyncio.gather(*sent)
    assert (await sqlite.usage(meter("count_agg", None))).events_count == 500
    await sqlite.check()
