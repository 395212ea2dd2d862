"""Meters, rollups and counters of the SQLite event log, as its one writer keeps them."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.store.events.participation import (
    Definition,
    MeterKey,
    RegisteredMeter,
    is_replaced,
)
from billing_core.store.events.rollups import (
    CodeCount,
    Deltas,
    Folding,
    NewestNumber,
    RollupKey,
    Tally,
    folding_of,
    foldings_of,
)

BACKFILL_EVENTS = 10_000
_REMEMBERED_ROLLUPS = 200_000
TALLY_COLUMNS = "n, total, greatest, moment, amount, newest_at, newest_id, newest"
_FIND_ROLLUP = f"""
    SELECT {TALLY_COLUMNS} FROM rollups
    WHERE meter = ? AND grain = ? AND bucket = ? AND external_subscription_id = ? AND group_key = ?
"""  # noqa: S608 - names of columns
_PUT_ROLLUP = "INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
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
    SELECT id, org, external_subscription_id, code, ts, properties, precise_total_amount_cents
    FROM events NOT INDEXED
    WHERE id > ? AND id <= ? AND org = ? AND code = ? AND deleted_at IS NULL
"""
_METERS = """
    SELECT org, code, meter, metric_id, aggregation, field_name, dimensions, cursor_id, boundary_id
    FROM meters
"""
TallyRow = tuple[
    int, str | None, str | None, str | None, str | None, int | None, int | None, str | None
]


class SqliteMeters:
    """The registry and what it keeps ready. Runs inside transactions its owner begins and ends.

    After each commit the owner calls `keep`, after each rollback `discard`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tallies: dict[RollupKey, Tally] = {}
        self._changed: dict[RollupKey, Tally] = {}
        self._codes: dict[MeterKey, CodeCount] = {}
        self.registered: dict[int, tuple[MeterKey, RegisteredMeter]] = {}
        self.foldings: dict[MeterKey, list[Folding]] = {}
        self.watched: frozenset[MeterKey] = frozenset()
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
            meter.meter: (key, meter)
            for key, meter in map(read_meter, self._connection.execute(_METERS))
        }
        self._read_rest()

    def add(self, deltas: Deltas) -> None:
        """Add to rollups, value sets and counters."""
        self._add_tallies(deltas)
        for key, more in deltas.codes.items():
            self._codes.setdefault(key, CodeCount(0, more.lowest_id, more.highest_id)).merge(more)
        self._connection.executemany(_PUT_CODE, [self._code_row(key) for key in deltas.codes])
        self._connection.executemany(
            "INSERT INTO due_events (id) VALUES (?)", [(event_id,) for event_id in deltas.due]
        )

    def unfinished(self) -> int | None:
        """Return a meter whose backfill is not complete, if there is one."""
        for number, (_, meter) in self.registered.items():
            if not meter.is_complete:
                return number
        return None

    def register(self, key: MeterKey, metric_id: UUID, definition: Definition) -> int:
        """Make sure a meter that covers this exists; returns its number."""
        covering = [
            meter
            for known, meter in self.registered.values()
            if known == key and meter.definition.covers(definition)
        ]
        if covering:
            best = max(covering, key=lambda meter: meter.is_complete)
            if best.metric_id != metric_id:
                self._connection.execute(
                    "UPDATE meters SET metric_id = ? WHERE meter = ?", (metric_id.bytes, best.meter)
                )
                self.registered[best.meter] = key, best._replace(metric_id=metric_id)
            return best.meter
        count = self._codes.get(key) or CodeCount(0, 1, 0)
        bounds = (count.lowest_id - 1, count.highest_id)
        aggregation, field_name, dimensions = definition
        added = self._connection.execute(
            "INSERT INTO meters (org, code, metric_id, aggregation, field_name, dimensions,"
            " cursor_id, boundary_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, metric_id.bytes, aggregation, field_name, json.dumps(dimensions), *bounds),
        )
        assert added.lastrowid is not None
        meter = RegisteredMeter(added.lastrowid, metric_id, definition, *bounds)
        self.registered[meter.meter] = key, meter
        self._read_rest()
        self._replace_by(meter.meter)
        return meter.meter

    def backfill(self, number: int) -> None:
        """Fold the next stretch of events that were folded before the meter was known."""
        key, meter = self.registered[number]
        until_id = min(meter.cursor_id + BACKFILL_EVENTS, meter.boundary_id)
        rows = self._connection.execute(_EVENTS_OF_CODE, (meter.cursor_id, until_id, *key))
        deltas = Deltas()
        deltas.fold(rows.fetchall(), {key: [folding_of(number, meter.definition)]})
        self._add_tallies(deltas)
        self._connection.execute(
            "UPDATE meters SET cursor_id = ? WHERE meter = ?", (until_id, number)
        )
        self.registered[number] = key, meter._replace(cursor_id=until_id)
        self._replace_by(number)

    def watch(self, org_id: bytes, codes: Iterable[str]) -> None:
        """Watch exactly these codes of an organization from now on."""
        self._connection.execute("DELETE FROM watched_codes WHERE org = ?", (org_id,))
        self._connection.executemany(
            "INSERT INTO watched_codes VALUES (?, ?)", [(org_id, code) for code in codes]
        )
        self._read_rest()

    def settle_due(self, event_ids: Iterable[int]) -> None:
        """Take events off the list of those that are due."""
        self._connection.executemany(
            "DELETE FROM due_events WHERE id = ?", [(event_id,) for event_id in event_ids]
        )

    def forget(self, key: MeterKey, until_us: int, now_us: int) -> int:
        """Soft-delete a code's events created up to an instant; returns how many.

        Its meters go with them and are built anew, from what is left, when they are next asked for.
        """
        count = self._codes.get(key)
        if count is None:
            return 0
        self._drop([meter for known, meter in list(self.registered.values()) if known == key])
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

    def _read_rest(self) -> None:
        self.foldings = foldings_of(self.registered.values())
        watched = self._connection.execute("SELECT org, code FROM watched_codes")
        self.watched = frozenset(MeterKey(*row) for row in watched)

    def _replace_by(self, number: int) -> None:
        """Drop what a meter makes superfluous, once it is complete."""
        key, meter = self.registered[number]
        if meter.is_complete:
            self._drop(
                other
                for known, other in list(self.registered.values())
                if known == key and other.meter != number and is_replaced(other, meter)
            )

    def _drop(self, meters: Iterable[RegisteredMeter]) -> None:
        numbers = [meter.meter for meter in meters]
        for number in numbers:
            for table in ("rollups", "value_sets", "event_groups", "meters"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE meter = ?",  # noqa: S608 - four literals
                    (number,),
                )
            del self.registered[number]
        if numbers:
            self._tallies.clear()
            self._changed.clear()
            self._read_rest()

    def _code_row(self, key: MeterKey) -> tuple[object, ...]:
        count = self._codes[key]
        return (*key, count.events_count, count.lowest_id, count.highest_id)

    def _add_tallies(self, deltas: Deltas) -> None:
        groups = [(*key, text) for key, text in deltas.groups.items()]
        self._connection.executemany("INSERT OR IGNORE INTO event_groups VALUES (?, ?, ?)", groups)
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
        return (*key, *tally_row(more))

    def _stored(self, key: RollupKey) -> Tally | None:
        row = self._connection.execute(_FIND_ROLLUP, key).fetchone()
        return None if row is None else read_tally(row)


def read_meter(row: Sequence[Any]) -> tuple[MeterKey, RegisteredMeter]:
    """Return a meter and its key from its row."""
    org_id, code, meter, metric_id, aggregation, field_name, dimensions, cursor, boundary = row
    definition = Definition(aggregation, field_name, tuple(json.loads(dimensions)))
    found = RegisteredMeter(meter, UUID(bytes=metric_id), definition, cursor, boundary)
    return MeterKey(org_id, code), found


def read_tally(row: TallyRow) -> Tally:
    """Return a tally from its columns."""
    count, total, greatest, moment, amount, at_us, event_id, number = row
    newest = None
    if number is not None:
        assert at_us is not None
        assert event_id is not None
        newest = NewestNumber(at_us, event_id, Decimal(number))
    return Tally(
        count,
        read_decimal(total),
        read_decimal(greatest),
        read_decimal(moment),
        read_decimal(amount),
        newest,
    )


def tally_row(tally: Tally) -> TallyRow:
    """Return a tally as its columns."""
    total, greatest, moment, amount = (
        _written(number) for number in (tally.total, tally.greatest, tally.moment, tally.amount)
    )
    if tally.newest is None:
        return tally.events_count, total, greatest, moment, amount, None, None, None
    at_us, event_id, number = tally.newest
    count = tally.events_count
    return count, total, greatest, moment, amount, at_us, event_id, _written(number)


def read_decimal(text: str | None) -> Decimal | None:
    """Read a stored number."""
    return None if text is None else Decimal(text)


def _written(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")
