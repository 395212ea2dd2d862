"""Meters, rollups and counters of the SQLite event log, as its one writer keeps them."""

import sqlite3
from decimal import Decimal
from uuid import UUID

from billing_core.store.events.participation import (
    Definition,
    MeterKey,
    RegisteredMeter,
)
from billing_core.store.events.rollups import (
    CodeCount,
    Deltas,
    Folding,
    RollupKey,
    Tally,
    folding_of,
    foldings_of,
)

BACKFILL_EVENTS = 10_000
_REMEMBERED_ROLLUPS = 200_000
_FIND_ROLLUP = """
    SELECT n, total, greatest FROM rollups
    WHERE meter = ? AND grain = ? AND bucket = ? AND external_subscription_id = ? AND group_key = ?
"""
_PUT_ROLLUP = """
    INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET n = excluded.n, total = excluded.total, greatest = excluded.greatest
"""
_PUT_VALUE = """
    INSERT INTO value_sets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE
    SET last_at = excluded.last_at, last_id = excluded.last_id, is_present = excluded.is_present
    WHERE (excluded.last_at, excluded.last_id) > (last_at, last_id)
"""
_PUT_CODE = """
    INSERT INTO event_codes VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE
    SET n = excluded.n, lowest_id = excluded.lowest_id, highest_id = excluded.highest_id
"""
# Each arm reads by row id; no index leads from a code to its events.
_EVENTS_OF_CODE = """
    SELECT id, org, external_subscription_id, code, ts, properties FROM events NOT INDEXED
    WHERE id > ? AND id <= ? AND org = ? AND code = ? AND deleted_at IS NULL
"""


class SqliteMeters:
    """The registry and what it keeps ready. Runs inside transactions its owner begins and ends.

    After each commit the owner calls `keep`, after each rollback `discard`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tallies: dict[RollupKey, Tally] = {}
        self._changed: dict[RollupKey, Tally] = {}
        self._codes: dict[MeterKey, CodeCount] = {}
        self.registered: dict[MeterKey, RegisteredMeter] = {}
        self.foldings: dict[MeterKey, Folding] = {}
        self.discard()

    def keep(self) -> None:
        """Trust what was written: it is committed."""
        if len(self._tallies) > _REMEMBERED_ROLLUPS:
            self._tallies.clear()
        self._tallies.update(self._changed)
        self._changed.clear()

    def discard(self) -> None:
        """Forget everything and read the registry again: what was written is undone."""
        self._changed.clear()
        self._tallies.clear()
        self._codes = {
            MeterKey(org_id, code): CodeCount(events_count, lowest_id, highest_id)
            for org_id, code, events_count, lowest_id, highest_id in self._connection.execute(
                "SELECT org, code, n, lowest_id, highest_id FROM event_codes"
            )
        }
        self.registered = {
            MeterKey(org_id, code): RegisteredMeter(
                meter, UUID(bytes=metric_id), Definition(aggregation, field_name), cursor, boundary
            )
            for meter, org_id, code, metric_id, aggregation, field_name, cursor, boundary in (
                self._connection.execute(
                    "SELECT meter, org, code, metric_id, aggregation, field_name,"
                    " cursor_id, boundary_id FROM meters"
                )
            )
        }
        self.foldings = foldings_of(self.registered)

    def add(self, deltas: Deltas) -> None:
        """Add to rollups, value sets and counters."""
        self._add_tallies(deltas)
        for key, more in deltas.codes.items():
            self._codes.setdefault(key, CodeCount(0, more.lowest_id, more.highest_id)).merge(more)
        self._connection.executemany(_PUT_CODE, [self._code_row(key) for key in deltas.codes])

    def unfinished(self) -> MeterKey | None:
        """Return a meter whose backfill is not complete, if there is one."""
        for key, meter in self.registered.items():
            if not meter.is_complete:
                return key
        return None

    def register(self, key: MeterKey, metric_id: UUID, definition: Definition) -> None:
        """Make sure a meter exists as defined; a changed definition starts it afresh."""
        known = self.registered.get(key)
        if known is not None and known.definition == definition:
            if known.metric_id != metric_id:
                self._connection.execute(
                    "UPDATE meters SET metric_id = ? WHERE meter = ?",
                    (metric_id.bytes, known.meter),
                )
                self.registered[key] = known._replace(metric_id=metric_id)
            return
        self._drop(key)
        count = self._codes.get(key) or CodeCount(0, 1, 0)
        bounds = (count.lowest_id - 1, count.highest_id)
        added = self._connection.execute(
            "INSERT INTO meters (org, code, metric_id, aggregation, field_name,"
            " cursor_id, boundary_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, metric_id.bytes, *definition, *bounds),
        )
        assert added.lastrowid is not None
        self.registered[key] = RegisteredMeter(added.lastrowid, metric_id, definition, *bounds)
        self.foldings[key] = folding_of(added.lastrowid, definition)

    def backfill(self, key: MeterKey) -> None:
        """Fold the next stretch of events that were folded before the meter was known."""
        meter = self.registered[key]
        until_id = min(meter.cursor_id + BACKFILL_EVENTS, meter.boundary_id)
        rows = self._connection.execute(_EVENTS_OF_CODE, (meter.cursor_id, until_id, *key))
        deltas = Deltas()
        deltas.fold(rows.fetchall(), {key: self.foldings[key]})
        self._add_tallies(deltas)
        self._connection.execute(
            "UPDATE meters SET cursor_id = ? WHERE meter = ?", (until_id, meter.meter)
        )
        self.registered[key] = meter._replace(cursor_id=until_id)

    def forget(self, key: MeterKey, until_us: int, now_us: int) -> int:
        """Soft-delete a code's events created up to an instant; returns how many.

        The meter goes with them and is built anew, from what is left, when it is next asked for.
        """
        count = self._codes.get(key)
        if count is None:
            return 0
        self._drop(key)
        chosen = self._connection.execute(
            "SELECT id, ts, series FROM events NOT INDEXED"
            " WHERE id >= ? AND id <= ? AND org = ? AND code = ? AND created_at <= ?"
            " AND deleted_at IS NULL",
            (count.lowest_id, count.highest_id, *key, until_us),
        ).fetchall()
        self._connection.executemany(
            "UPDATE events SET deleted_at = ? WHERE id = ?",
            [(now_us, event_id) for event_id, _, _ in chosen],
        )
        self._connection.executemany(
            "DELETE FROM event_series WHERE series = ? AND ts = ? AND id = ?",
            [(series, timestamp_us, event_id) for event_id, timestamp_us, series in chosen],
        )
        self._connection.executemany(
            "DELETE FROM event_times WHERE org = ? AND ts = ? AND id = ?",
            [(key.org_id, timestamp_us, event_id) for event_id, timestamp_us, _ in chosen],
        )
        count.events_count -= len(chosen)
        self._connection.execute(_PUT_CODE, self._code_row(key))
        return len(chosen)

    def _drop(self, key: MeterKey) -> None:
        known = self.registered.pop(key, None)
        if known is None:
            return
        del self.foldings[key]
        for table in ("rollups", "value_sets", "meters"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE meter = ?",  # noqa: S608 - three literals
                (known.meter,),
            )
        self._tallies.clear()

    def _code_row(self, key: MeterKey) -> tuple[object, ...]:
        count = self._codes[key]
        return (*key, count.events_count, count.lowest_id, count.highest_id)

    def _add_tallies(self, deltas: Deltas) -> None:
        rows = [self._tally_row(key, more) for key, more in deltas.rollups().items()]
        self._connection.executemany(_PUT_ROLLUP, rows)
        if deltas.values:
            self._connection.executemany(
                _PUT_VALUE, [(*key, *last) for key, last in deltas.value_sets().items()]
            )

    def _tally_row(self, key: RollupKey, more: Tally) -> tuple[object, ...]:
        known = self._changed.get(key) or self._tallies.get(key) or self._stored(key)
        if known is not None:
            more.merge(known)
        self._changed[key] = more
        return (*key, more.events_count, _written(more.total), _written(more.greatest))

    def _stored(self, key: RollupKey) -> Tally | None:
        row = self._connection.execute(_FIND_ROLLUP, key).fetchone()
        return None if row is None else Tally(row[0], read_decimal(row[1]), read_decimal(row[2]))


def read_decimal(text: str | None) -> Decimal | None:
    """Read a stored number."""
    return None if text is None else Decimal(text)


def _written(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")
