"""The ceilings of this machine: what the disk and the bare drivers can do."""

import os
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple, Self

import asyncpg

from billing_core.store.events.records import IncomingEvent

NS = 1_000_000_000
COLUMNS = (
    "org",
    "key",
    "series",
    "transaction_id",
    "external_subscription_id",
    "code",
    "ts",
    "properties",
    "precise_total_amount_cents",
    "created_at",
)


def fdatasync_us(directory: Path, rounds: int = 400) -> tuple[float, float]:
    """Return p50 and p99 of writing 8 KiB into allocated blocks and syncing it."""
    path = directory / "sync"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(descriptor, bytes(8192 * 64), 0)
    os.fsync(descriptor)
    taken = []
    for number in range(rounds):
        begin = perf_counter_ns()
        os.pwrite(descriptor, b"x" * 8192, 8192 * (number % 64))
        os.fdatasync(descriptor)
        taken.append((perf_counter_ns() - begin) / 1000)
    os.close(descriptor)
    path.unlink()
    taken.sort()
    return taken[rounds // 2], taken[rounds * 99 // 100]


class Executemany:
    """sqlite3 executemany of 1000 rows per commit into a table with a unique random key."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=40000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            f"CREATE TABLE events (id INTEGER PRIMARY KEY, {', '.join(COLUMNS)}, UNIQUE (key))"
        )
        self.rows = 0

    def insert(self, events: Sequence[IncomingEvent]) -> float:
        """Insert events under fresh keys; returns events per second."""
        rows = [(*event[:1], secrets.token_bytes(16), *event[2:]) for event in events]
        marks = ",".join("?" * len(COLUMNS))
        begin = perf_counter_ns()
        for at in range(0, len(rows), 1000):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                f"INSERT INTO events ({','.join(COLUMNS)}) VALUES ({marks})"  # noqa: S608 - ours
                " ON CONFLICT DO NOTHING",
                rows[at : at + 1000],
            )
            self._connection.execute("COMMIT")
        self.rows += len(rows)
        return len(rows) * NS / (perf_counter_ns() - begin)


class Copy:
    """COPY of 1000 rows at a time into a table with a unique random key."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        self._connection: Any = await asyncpg.connect(self._url)
        await self._connection.execute(
            "CREATE TABLE copied (org bytea, key bytea UNIQUE, series bigint, transaction_id text,"
            " external_subscription_id text, code text, ts bigint, properties text,"
            " precise_total_amount_cents text, created_at bigint)"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def insert(self, events: Sequence[IncomingEvent]) -> float:
        """Copy events under fresh keys; returns events per second."""
        rows = [(*event[:1], secrets.token_bytes(16), *event[2:]) for event in events]
        begin = perf_counter_ns()
        for at in range(0, len(rows), 1000):
            await self._connection.copy_records_to_table("copied", records=rows[at : at + 1000])
        return len(rows) * NS / (perf_counter_ns() - begin)


_SUM = """
    SELECT count(*), sum(v), max(v) FROM bare
    WHERE sub = 's' AND code = 'c' AND ts BETWEEN 0 AND {}
"""
_DISTINCT = _SUM.replace("count(*), sum(v), max(v)", "count(DISTINCT v)")
_SCANS = 5


class Scans(NamedTuple):
    """Microseconds of a few scans of one subscription by a covering index, none of it our code."""

    total_us: list[float]
    distinct_us: list[float]


def sqlite_bare_scan(directory: Path) -> Callable[[int], Awaitable[Scans]]:
    """Return a scan of one subscription by a covering index in a bare SQLite file."""

    async def scan(rows: int) -> Scans:
        connection = sqlite3.connect(directory / "scan.db", isolation_level=None)
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (sub TEXT, code TEXT, ts INTEGER, v INTEGER)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO bare VALUES ('s', 'c', ?, ?)", ((n, n % 997) for n in range(rows))
        )
        connection.execute("COMMIT")
        connection.execute("CREATE INDEX covering ON bare (sub, code, ts, v)")
        taken: list[list[float]] = [[], []]
        for number in range(2 * _SCANS):
            begin = perf_counter_ns()
            connection.execute((_SUM, _DISTINCT)[number % 2].format(rows)).fetchall()
            taken[number % 2].append((perf_counter_ns() - begin) / 1000)
        connection.close()
        return Scans(*taken)

    return scan


def postgres_bare_scan(url: str) -> Callable[[int], Awaitable[Scans]]:
    """Return a scan of one subscription by a covering index in a bare PostgreSQL table."""

    async def scan(rows: int) -> Scans:
        connection: Any = await asyncpg.connect(url)
        await connection.execute("DROP TABLE IF EXISTS bare")
        await connection.execute("CREATE TABLE bare (sub text, code text, ts bigint, v numeric)")
        await connection.execute(
            "INSERT INTO bare SELECT 's', 'c', n, n % 997 FROM generate_series(1, $1::bigint) AS n",
            rows,
        )
        await connection.execute("CREATE INDEX ON bare (sub, code, ts) INCLUDE (v)")
        await connection.execute("VACUUM ANALYZE bare")
        await connection.execute("SET enable_seqscan = off")
        await connection.execute("SET max_parallel_workers_per_gather = 0")
        taken: list[list[float]] = [[], []]
        for number in range(2 * _SCANS):
            begin = perf_counter_ns()
            await connection.fetch((_SUM, _DISTINCT)[number % 2].format(rows))
            taken[number % 2].append((perf_counter_ns() - begin) / 1000)
        await connection.close()
        return Scans(*taken)

    return scan
