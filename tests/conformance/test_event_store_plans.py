"""No read may grow with history: every statement must reach its rows through an index."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from billing_core.store.events import (
    postgres_listing,
    postgres_usage,
    sqlite_listing,
    sqlite_log,
    sqlite_reads,
)
from billing_core.store.events.postgres_store import PLANNED_ONCE
from billing_core.store.events.schema import POSTGRES_DDL, prepare_sqlite
from tests.support.postgres import execute, fresh_database

NAMED = dict.fromkeys(
    (
        *("meter", "grain", "first", "end", "series", "start", "org", "subscription", "code"),
        *("last", "limit", "lowest", "highest", "transaction_id"),
    ),
    1,
)
TAIL = "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"
SQLITE: dict[str, tuple[str, Any, str]] = {
    "meter": (sqlite_reads.FIND_METERS, (1, 1), "USING INDEX meters_code (org=? AND code=?)"),
    "filled": (sqlite_reads.FILLED_BUCKETS, NAMED, "(meter=? AND grain=? AND bucket>?)"),
    "tallies": (
        sqlite_reads.TALLIES,
        (1, 1, "[1]", "s"),
        "(meter=? AND grain=? AND bucket=? AND external_subscription_id=?)",
    ),
    "values": (
        sqlite_reads.VALUES,
        (1, 1, "[1]", "s"),
        "(meter=? AND grain=? AND bucket=? AND external_subscription_id=?)",
    ),
    "folded": (sqlite_reads.FOLDED_EVENTS, NAMED, "(series=? AND ts>? AND ts<?)"),
    "tail": (sqlite_reads.TAIL_EVENTS, NAMED, TAIL),
    "find": (sqlite_listing.FIND, NAMED, "(key>? AND key<?)"),
    "by time": (sqlite_listing.BY_TIME, NAMED, "(org=? AND ts>? AND ts<?)"),
    "by series": (sqlite_listing.BY_SERIES, NAMED, "(series=? AND ts>? AND ts<?)"),
    "activity": (sqlite_listing.ACTIVITY, (1, 1), TAIL),
    "new events": (sqlite_log._NEW_EVENTS, (1,), TAIL),  # noqa: SLF001 - its plan matters
}
RANGES: tuple[Any, ...] = ([1], [1], ["s"], [1], [1], [1])
SERIES: tuple[Any, ...] = ([1], [1], [b"o"], ["s"], ["c"], [1], [1])
POSTGRES: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "answer": (
        postgres_usage.ANSWER,
        (*RANGES, *SERIES, *SERIES),
        ("event_rollups_pkey", "events_series", "events_pkey"),
    ),
    "newest": (postgres_usage.NEWEST, RANGES, ("event_rollups_pkey",)),
    "values": (postgres_usage.VALUES, RANGES, ("event_value_sets_pkey",)),
    "present": (
        postgres_usage.PRESENT,
        (*RANGES, [1], ["v"], [1], [1], [True]),
        ("event_value_sets_pkey",),
    ),
    "events": (postgres_usage.USAGE_EVENTS, (1, b"o", "c", "s", 1, 1), ("events_series",)),
    "activity": (postgres_listing.ACTIVITY.format(limit=1), (1, 2), ("events_pkey",)),
    "find": (postgres_listing.FIND, (b"1", b"2", b"o", "t"), ("events_key",)),
}


@pytest.mark.parametrize("name", SQLITE)
def test_sqlite_plans(tmp_path: Path, name: str) -> None:
    statement, parameters, wanted = SQLITE[name]
    connection = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    prepare_sqlite(connection)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    connection.close()
    plan = [row[3] for row in rows]
    assert any(wanted in step for step in plan), plan
    # Scanned may only be what is one row or was made for this statement.
    scans = {step for step in plan if step.startswith("SCAN")}
    harmless = (
        "SCAN log_state",
        "SCAN key_slices",
        "SCAN json_each",
        "SCAN filled",
        "SCAN (subquery",
    )
    assert all(step.startswith(harmless) for step in scans), plan


@pytest.mark.parametrize("name", POSTGRES)
async def test_postgres_plans(postgres_url: str, name: str) -> None:
    statement, parameters, wanted = POSTGRES[name]
    connection: Any = await asyncpg.connect(postgres_url)
    try:
        for setting, value in PLANNED_ONCE.items():
            await connection.execute(f"SET {setting} = {value}")
        rows = await connection.fetch(f"EXPLAIN {statement}", *parameters)
    finally:
        await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert all(index in plan for index in wanted), plan
    scans = [line for line in plan.splitlines() if "Seq Scan" in line]
    # The registry is one row, and the list of pending blocks is meant to be read.
    harmless = ("event_registry", "event_pending")
    assert all(any(name in line for name in harmless) for line in scans), plan


@pytest.fixture(scope="module")
def postgres_url() -> Any:

    with fresh_database() as url:
        asyncio.run(execute(url, *POSTGRES_DDL))
        yield url
