"""The write side of the SQLite log when the disk is full, when it is reopened, and as it grows."""

import random
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from billing_core.ids import new_id
from billing_core.store.events import sqlite_keys, sqlite_log
from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.records import IncomingEvent, Request
from billing_core.store.events.sqlite_log import SqliteLog
from billing_core.store.events.sqlite_reads import SqliteReads
from billing_core.store.events.sqlite_recount import differences
from tests.support.events import CODE, make_event

ORG = new_id()
KEY = MeterKey(ORG.bytes, CODE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(path)
    opened.register(KEY, new_id(), Definition("sum_agg", "v"))
    yield opened
    opened.close()
    assert recounted(path) == []


def recounted(path: Path) -> list[str]:
    reads = SqliteReads(path)
    try:
        with reads.snapshot():
            return differences(reads, None)
    finally:
        reads.close()


def events(names: Sequence[str], padding: int = 0) -> list[IncomingEvent]:
    text = f'{{"v":1,"padding":"{"x" * padding}"}}'
    return [make_event(ORG, name, properties=text) for name in names]


def flush(log: SqliteLog, names: Sequence[str], *, padding: int = 0) -> list[bool]:
    (answer,) = log.flush([Request(False, events(names, padding))])  # noqa: FBT003 - a record
    return answer


def limit_size(log: SqliteLog, pages: int) -> None:
    log._connection.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001 - fills the disk


def test_a_full_disk_loses_and_doubles_nothing(log: SqliteLog) -> None:
    assert flush(log, ["a", "b"]) == [True, True]
    limit_size(log, 1)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        flush(log, ["c", "b", "d"], padding=100_000)
    assert flush(log, ["a", "b"]) == [False, False]
    limit_size(log, 1 << 30)
    assert flush(log, ["c", "b", "d"]) == [True, False, True]


def test_a_fold_that_fails_is_done_again(log: SqliteLog) -> None:
    flush(log, [str(number) for number in range(3000)])
    limit_size(log, 1)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        log.fold()
    limit_size(log, 1 << 30)
    assert log.unfolded_events == 3000
    flush(log, ["one more"])
    log.fold()
    assert log.unfolded_events == 0


def test_reopened_without_a_farewell(path: Path, log: SqliteLog) -> None:
    flush(log, [f"folded {number}" for number in range(100)])
    log.fold()
    flush(log, [f"unfolded {number}" for number in range(100)])
    # As after a kill: memory is gone, the file is as the last commit left it.
    again = SqliteLog(path)
    assert again.unfolded_events == 100
    names = ["folded 7", "unfolded 7", "new"]
    assert flush(again, names) == [False, False, True]
    again.close()
    log._recover()  # noqa: SLF001 - the fixture closes this one, too


@pytest.mark.parametrize("kind", ["random", "ordered", "mixed"])
def test_keys_stay_unique_as_they_move_to_their_table(
    path: Path, log: SqliteLog, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(sqlite_keys, "MOST_SCANNED_EVENTS", 3000)
    source = random.Random(kind)  # noqa: S311 - names, not secrets
    sent: list[str] = []
    for _ in range(40):
        names = [name(source, kind) for _ in range(200)]
        repeated = source.sample(sent, min(len(sent), 50))
        batch = [*names, *repeated]
        source.shuffle(batch)
        fresh = set(names)
        assert flush(log, batch) == [each in fresh for each in batch]
        sent += names
        log.fold_keys(least_keys=source.choice([50, 500, 2048]))
        if source.random() < 0.3:
            log.fold()
    again = SqliteLog(path)
    assert not any(flush(again, sent))
    again.close()
    log._recover()  # noqa: SLF001 - the fixture closes this one, too


def name(source: random.Random, kind: str) -> str:
    is_ordered = kind == "ordered" or (kind == "mixed" and source.random() < 0.9)
    if is_ordered:
        return str(new_id())
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def test_the_write_ahead_log_is_extended_in_steps(path: Path, log: SqliteLog) -> None:
    wal = Path(f"{path}-wal")
    flush(log, ["a"])
    before = wal.stat().st_size
    log.extend_wal()
    assert wal.stat().st_size == before + sqlite_log.WAL_EXTENSION_BYTES
    log.extend_wal()
    assert wal.stat().st_size == before + sqlite_log.WAL_EXTENSION_BYTES
    assert flush(log, ["b", "a"]) == [True, False]
    # What a crash leaves behind: frames, then zeros.
    reads = SqliteReads(path)
    assert reads.query("SELECT count(*) FROM events").fetchone() == (2,)
    reads.close()
