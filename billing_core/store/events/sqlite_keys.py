"""Which event keys the SQLite log holds: uniqueness without a random page write per event."""

import sqlite3
from collections.abc import Iterable, Sequence

SLICES = 16
SLICE_KEYS = 2048
MOST_SCANNED_EVENTS = 131_072
_LONG_PROBE, _SHORT_PROBE = 512, 32
_ADD = "INSERT INTO event_keys (key, id) VALUES (?, ?)"
_TAIL = "SELECT key, id FROM events NOT INDEXED WHERE id > ?"


class SqliteKeys:
    """The set of all keys: a table, and in memory what the table does not hold yet.

    A unique index on random keys writes a page for every event. Keys are collected in memory
    instead and reach `event_keys` in sorted runs, one sixteenth of the key space at a time, each
    with its own watermark `key_slices.folded_id`. Only the one writer decides what is new, so the
    answer is exact; after a crash memory is read again from the events behind the watermarks.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._watermarks: list[int] = []
        self._fresh: list[dict[bytes, int]] = []
        self.reload()

    def reload(self) -> None:
        """Read memory anew from the file."""
        watermarks = self._connection.execute("SELECT folded_id FROM key_slices ORDER BY slice")
        self._watermarks = [folded_id for (folded_id,) in watermarks]
        self._fresh = [{} for _ in range(SLICES)]
        for key, event_id in self._connection.execute(_TAIL, (min(self._watermarks),)):
            if event_id > self._watermarks[_slice_of(key)]:
                self._fresh[_slice_of(key)][key] = event_id

    @property
    def unfolded_keys(self) -> int:
        """How many keys are only in memory."""
        return sum(map(len, self._fresh))

    def known_among(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return which of these keys are taken."""
        fresh = self._fresh
        known = {key for key in keys if key in fresh[key[0] >> 4]}
        position = 0
        while position < len(keys):
            # Few sizes keep the prepared statements few; a last probe is filled up with one key.
            size = _LONG_PROBE if len(keys) - position > _LONG_PROBE // 2 else _SHORT_PROBE
            probe = list(keys[position : position + size])
            position += size
            known |= self._stored_among(probe + probe[:1] * (size - len(probe)))
        return known

    def add(self, keys: Iterable[bytes], first_id: int) -> None:
        """Remember the keys of events that were committed with consecutive ids."""
        for event_id, key in enumerate(keys, first_id):
            self._fresh[key[0] >> 4][key] = event_id

    def due_slice(self, last_id: int, least_keys: int = SLICE_KEYS) -> int | None:
        """Return a slice worth writing, or None."""
        fullest = max(range(SLICES), key=lambda number: len(self._fresh[number]))
        if len(self._fresh[fullest]) >= least_keys:
            return fullest
        oldest = min(range(SLICES), key=self._watermarks.__getitem__)
        # A rarely used slice must not make the next start read the whole log.
        return oldest if last_id - self._watermarks[oldest] > MOST_SCANNED_EVENTS else None

    def fold(self, number: int, last_id: int) -> None:
        """Write a slice to the table; `last_id` is the highest event. Then call `keep`."""
        # A `bytearray` is bound without asking around for an adapter.
        keys = sorted(self._fresh[number].items())
        self._connection.executemany(_ADD, [(bytearray(key), event_id) for key, event_id in keys])
        self._connection.execute(
            "UPDATE key_slices SET folded_id = ? WHERE slice = ?", (last_id, number)
        )

    def keep(self, number: int, last_id: int) -> None:
        """Forget what `fold` wrote: it is committed."""
        self._fresh[number].clear()
        self._watermarks[number] = last_id

    def _stored_among(self, keys: Sequence[bytes]) -> set[bytes]:
        marks = ",".join("?" * len(keys))
        found = self._connection.execute(
            f"SELECT key FROM event_keys WHERE key IN ({marks})",  # noqa: S608 - question marks
            keys,
        )
        return {key for (key,) in found}


def _slice_of(key: bytes) -> int:
    return key[0] >> 4
