"""The write side of the SQLite event log: one connection, one process, whole flushes."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from pathlib import Path
from typing import Any
from uuid import UUID

from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.records import IncomingEvent, Request
from billing_core.store.events.rollups import Deltas, FoldedEvent
from billing_core.store.events.schema import prepare_sqlite
from billing_core.store.events.sqlite_keys import SLICE_KEYS, SqliteKeys
from billing_core.store.events.sqlite_meters import SqliteMeters

FOLD_EVENTS = 8192
WAL_EXTENSION_BYTES = 16 * 1024 * 1024
LONGEST_EXTENDED_WAL_BYTES = 160 * 1024 * 1024
_INSERT = """
    INSERT INTO events (org, key, series, transaction_id, external_subscription_id, code, ts,
                        properties, precise_total_amount_cents, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_WITHOUT_AMOUNT = """
    INSERT INTO events (org, key, series, transaction_id, external_subscription_id, code, ts,
                        properties, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INDEX_SERIES = """
    INSERT INTO event_series SELECT series, ts, id FROM events NOT INDEXED
    WHERE id > ? AND id <= ? ORDER BY series, ts, id
"""
_INDEX_TIMES = """
    INSERT INTO event_times SELECT org, ts, id FROM events NOT INDEXED
    WHERE id > ? AND id <= ? ORDER BY org, ts, id
"""
_NEW_EVENTS = """
    SELECT id, org, external_subscription_id, code, ts, properties, precise_total_amount_cents
    FROM events NOT INDEXED WHERE id > ?
"""


class LogLost(Exception):  # noqa: N818 - says what is the case
    """The file cannot be read after a failed write; only a new process can go on."""


class SqliteLog:
    """Stores flushes durably and derives indexes and rollups from them in larger steps.

    Derived rows cover the events up to a watermark that is kept in the same transaction, so
    whoever reads both a derived row and the events behind the watermark reads the truth. Only one
    instance may write to a file at a time: what it has derived and not yet written is in memory.
    """

    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(database, isolation_level=None, cached_statements=64)
        prepare_sqlite(self._connection)
        self.meters = SqliteMeters(self._connection)
        self.keys = SqliteKeys(self._connection)
        self._last_id = self._highest_id()
        self._folded_id = self._number("SELECT folded_id FROM log_state")
        self._deltas = Deltas()
        self._derived_id = self._folded_id
        self._fresh: list[IncomingEvent] = []
        self._wal = Path(f"{database}-wal")
        self._wal_bytes = 0

    def close(self) -> None:
        """Derive what is left and close the file."""
        self.settle()
        self._connection.close()

    @property
    def unfolded_events(self) -> int:
        """How many events readers must look at themselves."""
        return self._last_id - self._folded_id

    def flush(self, requests: Sequence[Request]) -> list[list[bool]]:
        """Store requests in order and commit; True marks an event stored, False a duplicate.

        An atomic request with a False among its answers stored nothing. Raises `sqlite3.Error`
        when nothing at all could be stored. Answer the callers, then `derive`.
        """
        self.derive()
        answers, new = self._judge(requests)
        if new:
            with self._transaction():
                self._connection.executemany(*_insertion(new))
            self.keys.add((event[1] for event in new), self._last_id + 1)
            self._last_id += len(new)
            self._fresh = new
        return answers

    def derive(self) -> None:
        """Work out, in memory, what the newest events add to the rollups."""
        if self._derived_id == self._last_id:
            return
        if self._fresh:
            events: Iterable[FoldedEvent] = (
                (event_id, event[0], event[4], event[5], event[6], event[7], event[8])
                for event_id, event in enumerate(self._fresh, self._derived_id + 1)
            )
        else:
            events = self._connection.execute(_NEW_EVENTS, (self._derived_id,))
        try:
            self._deltas.fold(events, self.meters.foldings, self.meters.watched)
        except BaseException:
            self._forget_derived()
            raise
        self._fresh = []
        self._derived_id = self._last_id

    def extend_wal(self) -> None:
        """Write zeros behind the write-ahead log whenever it has grown to a new size.

        A commit into blocks the file already has is several times cheaper than one that makes the
        file longer. SQLite starts over at the beginning of the file and takes zeros for its end.
        """
        size_bytes = self._wal.stat().st_size
        if size_bytes <= self._wal_bytes or size_bytes >= LONGEST_EXTENDED_WAL_BYTES:
            return
        with self._wal.open("r+b") as wal:
            wal.seek(size_bytes)
            wal.write(bytes(WAL_EXTENSION_BYTES))
            wal.flush()
            os.fsync(wal.fileno())
        self._wal_bytes = size_bytes + WAL_EXTENSION_BYTES

    def fold(self) -> None:
        """Write what was derived and move the watermark to the last event."""
        self.derive()
        if self._last_id == self._folded_id:
            return
        bounds = (self._folded_id, self._last_id)
        with self._transaction():
            self._connection.execute(_INDEX_SERIES, bounds)
            self._connection.execute(_INDEX_TIMES, bounds)
            self.meters.add(self._deltas)
            self._connection.execute("UPDATE log_state SET folded_id = ?", (self._last_id,))
        self._folded_id = self._last_id
        self._deltas = Deltas()

    def fold_keys(self, least_keys: int = SLICE_KEYS) -> bool:
        """Write one slice of keys to their table if one is due; True if it did."""
        number = self.keys.due_slice(self._last_id, least_keys)
        if number is None:
            return False
        with self._transaction():
            self.keys.fold(number, self._last_id)
        self.keys.keep(number, self._last_id)
        return True

    def settle(self) -> None:
        """Fold everything, so that readers find nothing behind the watermarks."""
        self.fold()
        while self.fold_keys(least_keys=1):
            pass

    def register(self, key: MeterKey, metric_id: UUID, definition: Definition) -> int:
        """Make sure a meter exists, and return it; its backfill may still be to do (`backfill`)."""
        # What is in memory was derived without this meter.
        self.fold()
        with self._transaction():
            return self.meters.register(key, metric_id, definition)

    def backfill(self, meter: int) -> None:
        """Do one stretch of a meter's backfill."""
        # What is in memory was derived for meters that may go now.
        self.fold()
        with self._transaction():
            self.meters.backfill(meter)

    def watch(self, org_id: bytes, codes: Iterable[str]) -> None:
        """Watch exactly these codes of an organization from now on."""
        self.fold()
        with self._transaction():
            self.meters.watch(org_id, codes)

    def settle_due(self, event_ids: Iterable[int]) -> None:
        """Take events off the list of those that are due."""
        with self._transaction():
            self.meters.settle_due(event_ids)

    def forget(self, key: MeterKey, until_us: int, now_us: int) -> int:
        """Soft-delete a code's events created up to an instant; returns how many."""
        self.fold()
        with self._transaction():
            return self.meters.forget(key, until_us, now_us)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit on return; on any exception roll back and read memory anew from the file.

        Raises `LogLost` when even that fails: what memory holds cannot be trusted any more.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._recover()
            raise
        self.meters.keep()

    def _recover(self) -> None:
        # A COMMIT that failed may still have reached the file, so nothing is assumed.
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._last_id = self._highest_id()
            self._folded_id = self._number("SELECT folded_id FROM log_state")
            self.keys.reload()
            self.meters.discard()
        except sqlite3.Error as failure:
            raise LogLost from failure
        self._forget_derived()

    def _forget_derived(self) -> None:
        self._deltas, self._derived_id, self._fresh = Deltas(), self._folded_id, []

    def _judge(self, requests: Sequence[Request]) -> tuple[list[list[bool]], list[IncomingEvent]]:
        """Tell new events from duplicates, in order, and return the new ones that are accepted."""
        taken = self.keys.known_among([event[1] for request in requests for event in request[1]])
        answers: list[list[bool]] = []
        accepted: list[IncomingEvent] = []
        for is_atomic, events in requests:
            if len(events) == 1:
                answer = [events[0][1] not in taken]
            else:
                answer = _first_of_their_key(events, taken)
            answers.append(answer)
            if is_atomic and not all(answer):
                continue
            new = list(compress(events, answer))
            taken.update(event[1] for event in new)
            accepted += new
        return answers, accepted

    def _highest_id(self) -> int:
        return self._number("SELECT coalesce(max(id), 0) FROM events")

    def _number(self, query: str) -> int:
        (number,) = self._connection.execute(query).fetchone()
        assert isinstance(number, int)
        return number


def _insertion(events: Sequence[IncomingEvent]) -> tuple[str, Iterable[Sequence[Any]]]:
    """Return the statement and the rows that store events in this order.

    The driver asks around for an adapter of every parameter that is `bytes` or None, which costs as
    much as storing the event; it does not for a `bytearray`.
    """
    if any(event[8] is not None for event in events):
        return _INSERT, events
    orgs = {org: bytearray(org) for org in {event[0] for event in events}}
    rows = [
        (orgs[org], bytearray(key), series, transaction, subscription, code, at_us, properties, now)
        for org, key, series, transaction, subscription, code, at_us, properties, _, now in events
    ]
    return _INSERT_WITHOUT_AMOUNT, rows


def _first_of_their_key(events: Iterable[IncomingEvent], taken: set[bytes]) -> list[bool]:
    """Tell which events bear a key that neither the store nor an earlier one of them has."""
    seen: set[bytes] = set()
    answer = []
    for event in events:
        answer.append(event[1] not in taken and event[1] not in seen)
        seen.add(event[1])
    return answer
