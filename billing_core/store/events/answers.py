"""From rollup rows and raw events to the usage of a window, bucket by bucket."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from billing_core.domain.metrics import closing_second
from billing_core.ports import Group, MeteredUsage, UsageQuery
from billing_core.store.events.participation import (
    COUNT,
    EXACT,
    LATEST,
    MAX,
    UNIQUE,
    WEIGHTED,
    RegisteredMeter,
    definition_of,
    group_of,
)
from billing_core.store.events.raw_usage import window_us
from billing_core.store.events.records import micros
from billing_core.store.events.rollups import (
    TALLY_GRAINS,
    VALUE_GRAINS,
    Folding,
    LastOperation,
    Tally,
    folding_of,
)
from billing_core.store.events.windows import WindowParts, cut

ZERO = Decimal(0)


class RawEvent(NamedTuple):
    """A stored event in the order in which events count: by instant, then by ingestion."""

    timestamp_us: int
    id: int
    properties: str
    precise_total_amount_cents: str | None


@dataclass(slots=True)
class Question:
    """A usage query with the meter that answers it, and what has been found so far."""

    position: int
    query: UsageQuery
    meter: RegisteredMeter
    parts: WindowParts = field(init=False)
    folding: Folding = field(init=False)
    _columns: tuple[int, ...] = field(init=False)
    _bucket_of: dict[str, Hashable | None] = field(default_factory=dict)
    _tallies: dict[Hashable, Tally] = field(default_factory=dict)
    _values: dict[Hashable, dict[str, LastOperation]] = field(default_factory=dict)
    _present: dict[Hashable, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        last = self.query.last
        self.folding = folding_of(self.meter.meter, self.meter.definition)
        grains = VALUE_GRAINS if self.aggregation == UNIQUE else TALLY_GRAINS
        last_us = None if last is None else micros(last.at)
        self.parts = cut(*window_us(self.query), last_us, grains)
        kept = self.meter.definition.dimensions
        self._columns = tuple(kept.index(each) for each in self.query.meter.dimensions)

    @property
    def aggregation(self) -> str:
        """What is asked for."""
        return self.folding.aggregation

    @property
    def subscription(self) -> str:
        """Whose usage is asked for."""
        return self.query.external_subscription_id

    def add_tally(self, group_key: str, group_text: str | None, tally: Tally) -> None:
        """Add a rollup row."""
        bucket = self._bucket(group_key, group_text)
        if bucket is not None:
            self._tallies.setdefault(bucket, Tally()).merge(tally)

    def add_value(
        self, group_key: str, group_text: str | None, value: str, operation: LastOperation
    ) -> None:
        """Add a value set row: of several on one value the newest counts.

        An operation equal to the one before it changes nothing and a leading remove counts for
        nothing (`docs/rules/metering.md` 2.2), so each value counts one or zero by its newest
        operation alone.
        """
        bucket = self._bucket(group_key, group_text)
        if bucket is not None:
            values = self._values.setdefault(bucket, {})
            values[value] = max(values.get(value, operation), operation)

    def add_present(self, count: int) -> None:
        """Add so many values known to be present, none of which is told otherwise."""
        bucket = self._bucket("", None)
        if bucket is not None:
            self._present[bucket] = self._present.get(bucket, 0) + count

    def add_event(self, event: RawEvent) -> None:
        """Add a raw event, if it takes part."""
        last = self.query.last
        at_us, event_id = event.timestamp_us, event.id
        if last is not None and (at_us, event_id) > (micros(last.at), last.order):
            return
        reading = self.folding.read(event.properties)
        if reading is None:
            return
        if self.aggregation == UNIQUE:
            operation = LastOperation(at_us, event_id, reading.is_present)
            self.add_value(reading.group_key, reading.group_text, reading.value, operation)
            return
        tally = Tally()
        tally.add(self.aggregation, reading.number, at_us, event_id)
        if event.precise_total_amount_cents is not None:
            tally.amount = Decimal(event.precise_total_amount_cents)
        self.add_tally(reading.group_key, reading.group_text, tally)

    def operations(self) -> Iterable[tuple[str, LastOperation]]:
        """Return the newest operation on each value found so far, all groups together."""
        for values in self._values.values():
            yield from values.items()

    def forget_operations(self) -> None:
        """Leave the values to whoever was told `operations`."""
        self._values.clear()

    def usage(self) -> dict[Hashable, MeteredUsage]:
        """Return the answer."""
        if self.aggregation != UNIQUE:
            return {
                bucket: self._of_tally(tally)
                for bucket, tally in self._tallies.items()
                if tally.events_count
            }
        return {
            bucket: self._of_values(bucket) for bucket in self._values.keys() | self._present.keys()
        }

    def _of_tally(self, tally: Tally) -> MeteredUsage:
        units = tally.total or ZERO
        if self.aggregation == COUNT:
            units = Decimal(tally.events_count)
        elif self.aggregation == MAX:
            units = tally.greatest or ZERO
        elif self.aggregation == LATEST:
            units = max(tally.newest.number, ZERO) if tally.newest else ZERO
        unit_seconds = ZERO
        if self.aggregation == WEIGHTED:
            closing = Decimal(micros(closing_second(self.query.end)))
            whole = EXACT.multiply(units, closing)
            unit_seconds = EXACT.subtract(whole, tally.moment or ZERO).scaleb(-6, EXACT)
        return MeteredUsage(units, tally.events_count, unit_seconds, tally.amount or ZERO)

    def _of_values(self, bucket: Hashable) -> MeteredUsage:
        units = sum(each.is_present for each in self._values.get(bucket, {}).values())
        units += self._present.get(bucket, 0)
        return MeteredUsage(Decimal(units), units)

    def _bucket(self, group_key: str, group_text: str | None) -> Hashable | None:
        try:
            return self._bucket_of[group_key]
        except KeyError:
            kept = group_of(group_text or group_key)
            group: Group = tuple(kept[column] for column in self._columns)
            bucket = self._bucket_of[group_key] = self.query.bucket_of(group)
            return bucket


def answering(meters: Iterable[RegisteredMeter], query: UsageQuery) -> RegisteredMeter | None:
    """Return a complete meter that can answer a query, if there is one."""
    from_query = definition_of(query.meter)
    found = (each for each in meters if each.is_complete and each.definition.covers(from_query))
    return next(found, None)
