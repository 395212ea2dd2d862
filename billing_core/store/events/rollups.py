"""From stored events to what they add to rollups, value sets and counters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from billing_core.store.events.participation import (
    EXACT,
    LATEST,
    MAX,
    NO_GROUP,
    SUM,
    UNIQUE,
    WEIGHTED,
    Definition,
    MeterKey,
    Reading,
    RegisteredMeter,
    plain_number,
    reader_of,
)

# Buckets of an hour, a day, 8 and 64 days: the longest keep the history of recurring metrics short,
# however long it gets. Those of 8 days exist for value sets only, which hold many rows per bucket.
HOUR, DAY, LONG, EIGHT_DAYS = 0, 1, 2, 3
HOUR_US = 3_600_000_000
HOURS_PER_DAY = 24
DAY_US = HOURS_PER_DAY * HOUR_US
HOURS_PER_LONG = 64 * HOURS_PER_DAY
HOURS_PER_BUCKET = {
    HOUR: 1,
    DAY: HOURS_PER_DAY,
    EIGHT_DAYS: 8 * HOURS_PER_DAY,
    LONG: HOURS_PER_LONG,
}
TALLY_GRAINS = (LONG, DAY, HOUR)
VALUE_GRAINS = (LONG, EIGHT_DAYS, DAY, HOUR)

# The columns of a stored event that rollups depend on:
# (id, org, external_subscription_id, code, ts, properties, precise_total_amount_cents).
FoldedEvent = tuple[int, bytes, str | None, str, int, str, str | None]


class Folding(NamedTuple):
    """A meter ready to read events with; `number_of` is the short way where there is one."""

    meter: int
    read: Callable[[str], Reading | None]
    aggregation: str
    number_of: Callable[[str], Decimal | None] | None


Foldings = Mapping[MeterKey, Sequence[Folding]]


class HourKey(NamedTuple):
    """One hour of one group of one subscription; `hour` counts hours since 1970 UTC."""

    meter: int
    hour: int
    external_subscription_id: str
    group_key: str


class RollupKey(NamedTuple):
    """Address of one rollup row; `bucket` counts hours, days or 64 days since 1970 UTC."""

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


class NewestNumber(NamedTuple):
    """A number and its place in the order of events."""

    at_us: int
    id: int
    number: Decimal


@dataclass(slots=True)
class Tally:
    """What a bucket holds: a count, and beside it what the metric asks for.

    `total` for sums and weighted sums, `greatest` for maxima, `newest` for latest values; `moment`
    is the sum of delta times microseconds since 1970 for weighted sums, `amount` that of
    `precise_total_amount_cents` wherever an event has one.
    """

    events_count: int = 0
    total: Decimal | None = None
    greatest: Decimal | None = None
    moment: Decimal | None = None
    amount: Decimal | None = None
    newest: NewestNumber | None = None

    def add(self, aggregation: str, number: Decimal | None, at_us: int, event_id: int) -> None:
        """Count one event that takes part."""
        self.events_count += 1
        if number is None:
            return
        if aggregation == SUM:
            self.total = exact_sum(self.total, number)
        elif aggregation == MAX:
            if self.greatest is None or number > self.greatest:
                self.greatest = number
        elif aggregation == LATEST:
            newest = NewestNumber(at_us, event_id, number)
            self.newest = newest if self.newest is None else max(self.newest, newest)
        elif aggregation == WEIGHTED:
            self.total = exact_sum(self.total, number)
            self.moment = exact_sum(self.moment, EXACT.multiply(number, Decimal(at_us)))

    def merge(self, other: "Tally") -> None:
        """Count everything another tally has counted."""
        self.events_count += other.events_count
        if other.total is not None:
            self.total = exact_sum(self.total, other.total)
        if other.greatest is not None and (self.greatest is None or other.greatest > self.greatest):
            self.greatest = other.greatest
        if other.moment is not None:
            self.moment = exact_sum(self.moment, other.moment)
        if other.amount is not None:
            self.amount = exact_sum(self.amount, other.amount)
        if other.newest is not None and (self.newest is None or other.newest > self.newest):
            self.newest = other.newest


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
    """Everything some events add. Adding is commutative, so order and batching do not matter.

    `groups` holds what group keys that are not their own text stand for; `due` the ids of events
    whose code is watched.
    """

    hours: dict[HourKey, Tally] = field(default_factory=dict)
    values: dict[tuple[HourKey, str], LastOperation] = field(default_factory=dict)
    codes: dict[MeterKey, CodeCount] = field(default_factory=dict)
    groups: dict[tuple[int, str], str] = field(default_factory=dict)
    due: list[int] = field(default_factory=list)

    def fold(
        self,
        events: Iterable[FoldedEvent],
        foldings: Foldings,
        watched: frozenset[MeterKey] = frozenset(),
    ) -> None:
        """Add events; each must be in the store, and be added, exactly once."""
        previous: tuple[bytes, str] | None = None
        count, is_watched = CodeCount(0, 0, 0), False
        wanted: Sequence[Folding] = ()
        for event_id, org_id, subscription, code, at_us, properties, amount in events:
            if (org_id, code) != previous:
                # Traffic comes in runs of one code; the look-ups are worth sparing.
                previous = key = MeterKey(org_id, code)
                count = self.codes.setdefault(key, CodeCount(0, event_id, event_id))
                wanted, is_watched = foldings.get(key, ()), key in watched
            count.note(event_id)
            # Usage is asked of a subscription: an event without one can never be part of an answer.
            if subscription is None:
                continue
            if is_watched:
                self.due.append(event_id)
            for folding in wanted:
                hour = at_us // HOUR_US
                tally = self._taking_part(folding, hour, subscription, properties, at_us, event_id)
                if amount is not None and tally is not None:
                    tally.amount = exact_sum(tally.amount, Decimal(amount))

    def rollups(self) -> dict[RollupKey, Tally]:
        """Return what is added to each rollup row of every grain, in the order of their keys."""
        found: dict[RollupKey, Tally] = {}
        for (meter, hour, subscription, group_key), tally in self.hours.items():
            found[RollupKey(meter, HOUR, hour, subscription, group_key)] = tally
            for grain in (DAY, LONG):
                bucket = hour // HOURS_PER_BUCKET[grain]
                key = RollupKey(meter, grain, bucket, subscription, group_key)
                found.setdefault(key, Tally()).merge(tally)
        return dict(sorted(found.items(), key=_first))

    def value_sets(self) -> dict[ValueKey, LastOperation]:
        """Return the newest operations by value set row, of every grain, in order."""
        found: dict[ValueKey, LastOperation] = {}
        for ((meter, hour, subscription, group_key), value), operation in self.values.items():
            for grain in VALUE_GRAINS:
                bucket = hour // HOURS_PER_BUCKET[grain]
                key = ValueKey(meter, grain, bucket, subscription, group_key, value)
                if key not in found or operation > found[key]:
                    found[key] = operation
        return dict(sorted(found.items()))

    def _taking_part(  # noqa: PLR0913, PLR0917 - the parts of an event, once per event
        self,
        folding: Folding,
        hour: int,
        subscription: str,
        properties: str,
        at_us: int,
        event_id: int,
    ) -> Tally | None:
        """Add an event to the tally of its hour and group, None if it does not take part."""
        meter, read, aggregation, number_of = folding
        if number_of is not None:
            number = number_of(properties)
            if number is None:
                return None
            # A plain tuple finds what is filed under the equal named one.
            plain_key = (meter, hour, subscription, NO_GROUP)
            known: Tally | None = self.hours.get(plain_key)  # type: ignore[call-overload]
            tally = known or self.hours.setdefault(HourKey(*plain_key), Tally())
            tally.add(aggregation, number, at_us, event_id)
            return tally
        reading = read(properties)
        if reading is None:
            return None
        key = HourKey(meter, hour, subscription, reading.group_key)
        tally = self.hours.get(key) or self._new_tally(key, reading)
        tally.add(aggregation, reading.number, at_us, event_id)
        if aggregation == UNIQUE:
            operation = LastOperation(at_us, event_id, reading.is_present)
            self._note((key, reading.value), operation)
        return tally

    def _new_tally(self, key: HourKey, reading: Reading) -> Tally:
        if reading.group_text is not None:
            self.groups[key.meter, key.group_key] = reading.group_text
        tally = self.hours[key] = Tally()
        return tally

    def _note(self, key: tuple[HourKey, str], operation: LastOperation) -> None:
        known = self.values.get(key)
        if known is None or operation > known:
            self.values[key] = operation


def exact_sum(left: Decimal | None, right: Decimal) -> Decimal:
    """Add without ever rounding."""
    return right if left is None else EXACT.add(left, right)


def folding_of(meter: int, definition: Definition) -> Folding:
    """Compile a meter."""
    return Folding(meter, reader_of(definition), definition.aggregation, plain_number(definition))


def foldings_of(
    meters: Iterable[tuple[MeterKey, RegisteredMeter]],
) -> dict[MeterKey, list[Folding]]:
    """Compile a registry."""
    found: dict[MeterKey, list[Folding]] = {}
    for key, meter in meters:
        found.setdefault(key, []).append(folding_of(meter.meter, meter.definition))
    return found


def _first(item: tuple[RollupKey, Tally]) -> RollupKey:
    return item[0]
