"""From stored events to what they add to rollups, value sets and counters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import NamedTuple

from billing_core.store.events.participation import (
    MAX,
    SUM,
    UNIQUE,
    Definition,
    MeterKey,
    Reading,
    RegisteredMeter,
    reader_of,
)

HOUR, DAY = 0, 1
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
HOURS_PER_DAY = 24
NO_GROUP = ""
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

# The columns of a stored event that rollups depend on:
# (id, org, external_subscription_id, code, ts, properties).
FoldedEvent = tuple[int, bytes, str | None, str, int, str]


class Folding(NamedTuple):
    """A meter ready to read events with."""

    meter: int
    read: Callable[[str], Reading | None]
    aggregation: str


class HourKey(NamedTuple):
    """One hour of one subscription; `hour` counts hours since 1970 UTC."""

    meter: int
    hour: int
    external_subscription_id: str


class RollupKey(NamedTuple):
    """Address of one rollup row; `bucket` counts hours or days since 1970 UTC."""

    meter: int
    grain: int
    bucket: int
    external_subscription_id: str
    group_key: str


class ValueKey(NamedTuple):
    """Address of one distinct value within a bucket."""

    meter: int
    grain: int
    bucket: int
    external_subscription_id: str
    group_key: str
    value: str


class LastOperation(NamedTuple):
    """The newest operation on a value: the greatest (timestamp, id) wins."""

    at_us: int
    id: int
    is_present: bool


@dataclass(slots=True)
class Tally:
    """What a bucket holds: a count, and where the metric asks for it a sum or a greatest value."""

    events_count: int = 0
    total: Decimal | None = None
    greatest: Decimal | None = None

    def add(self, aggregation: str, number: Decimal | None) -> None:
        """Count one event."""
        self.events_count += 1
        if aggregation == SUM and number is not None:
            self.total = exact_sum(self.total, number)
        elif aggregation == MAX and (self.greatest is None or (number or 0) > self.greatest):
            self.greatest = number

    def merge(self, other: "Tally") -> None:
        """Count everything another tally has counted."""
        self.events_count += other.events_count
        if other.total is not None:
            self.total = exact_sum(self.total, other.total)
        if other.greatest is not None and (self.greatest is None or other.greatest > self.greatest):
            self.greatest = other.greatest


@dataclass(slots=True)
class CodeCount:
    """How many live events a code has, and between which ids they lie."""

    events_count: int
    lowest_id: int
    highest_id: int

    def note(self, event_id: int) -> None:
        """Count one event."""
        self.events_count += 1
        if event_id > self.highest_id:
            self.highest_id = event_id
        elif event_id < self.lowest_id:
            self.lowest_id = event_id

    def merge(self, other: "CodeCount") -> None:
        """Count everything another counter has counted."""
        self.events_count += other.events_count
        self.lowest_id = min(self.lowest_id, other.lowest_id)
        self.highest_id = max(self.highest_id, other.highest_id)


@dataclass(slots=True)
class Deltas:
    """Everything some events add. Adding is commutative, so order and batching do not matter."""

    hours: dict[HourKey, Tally] = field(default_factory=dict)
    values: dict[tuple[HourKey, str], LastOperation] = field(default_factory=dict)
    codes: dict[MeterKey, CodeCount] = field(default_factory=dict)

    def fold(self, events: Iterable[FoldedEvent], foldings: Mapping[MeterKey, Folding]) -> None:
        """Add events; each must be in the store, and be added, exactly once."""
        hours = self.hours
        previous: tuple[bytes, str] | None = None
        count, folding = CodeCount(0, 0, 0), None
        for event_id, org_id, subscription, code, timestamp_us, properties in events:
            if (org_id, code) != previous:
                # Traffic comes in runs of one code; the look-ups are worth sparing.
                previous = key = MeterKey(org_id, code)
                count = self.codes.setdefault(key, CodeCount(0, event_id, event_id))
                folding = foldings.get(key)
            count.note(event_id)
            # Usage is asked of a subscription: an event without one can never be part of an answer.
            if folding is None or subscription is None:
                continue
            reading = folding.read(properties)
            if reading is None:
                continue
            # A plain tuple finds what is filed under the equal named one.
            hour_key = (folding.meter, timestamp_us // HOUR_US, subscription)
            tally = hours.get(hour_key)  # type: ignore[call-overload]
            if tally is None:
                tally = hours[HourKey(*hour_key)] = Tally()
            tally.add(folding.aggregation, reading.number)
            if folding.aggregation == UNIQUE:
                operation = LastOperation(timestamp_us, event_id, reading.is_present)
                self._note((HourKey(*hour_key), reading.value), operation)

    def rollups(self) -> dict[RollupKey, Tally]:
        """Return what is added to each rollup row, hours and days, in the order of their keys."""
        found = {
            RollupKey(meter, HOUR, hour, subscription, NO_GROUP): tally
            for (meter, hour, subscription), tally in self.hours.items()
        }
        for (meter, hour, subscription), tally in self.hours.items():
            day_key = RollupKey(meter, DAY, hour // HOURS_PER_DAY, subscription, NO_GROUP)
            found.setdefault(day_key, Tally()).merge(tally)
        return dict(sorted(found.items()))

    def value_sets(self) -> dict[ValueKey, LastOperation]:
        """Return the newest operations by value set row, hours and days, in order."""
        found: dict[ValueKey, LastOperation] = {}
        for ((meter, hour, subscription), value), operation in self.values.items():
            for grain, bucket in ((HOUR, hour), (DAY, hour // HOURS_PER_DAY)):
                key = ValueKey(meter, grain, bucket, subscription, NO_GROUP, value)
                if key not in found or operation > found[key]:
                    found[key] = operation
        return dict(sorted(found.items()))

    def _note(self, key: tuple[HourKey, str], operation: LastOperation) -> None:
        known = self.values.get(key)
        if known is None or operation > known:
            self.values[key] = operation


def exact_sum(left: Decimal | None, right: Decimal) -> Decimal:
    """Add without ever rounding."""
    return right if left is None else _EXACT.add(left, right)


def folding_of(meter: int, definition: Definition) -> Folding:
    """Compile a meter."""
    return Folding(meter, reader_of(definition), definition.aggregation)


def foldings_of(meters: Mapping[MeterKey, RegisteredMeter]) -> dict[MeterKey, Folding]:
    """Compile a registry."""
    return {key: folding_of(meter.meter, meter.definition) for key, meter in meters.items()}
