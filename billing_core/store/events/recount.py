"""A second opinion: rollups, value sets and counters counted again from the raw events."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from billing_core.domain.metrics import ZERO, Fact, numeric
from billing_core.ports import EventBacklog, MeterBuild
from billing_core.store.events.participation import (
    COUNT,
    EXACT,
    LATEST,
    MAX,
    SUM,
    UNIQUE,
    WEIGHTED,
    Definition,
    MeterKey,
    fact_of,
    value_name,
)
from billing_core.store.events.records import instant
from billing_core.store.events.rollups import (
    DAY,
    DAY_US,
    EIGHT_DAYS,
    HOUR,
    HOUR_US,
    LONG,
    FoldedEvent,
    LastOperation,
    NewestNumber,
    RollupKey,
    Tally,
    ValueKey,
    exact_sum,
)

MOST_DIFFERENCES = 100
# How far builds have come, in ids from the first event of their code.
BUILDS = """
    SELECT meter.org, meter.code, meter.cursor_id - counted.lowest_id + 1,
           meter.boundary_id - counted.lowest_id + 1
    FROM {meters} AS meter
    JOIN event_codes AS counted ON counted.org = meter.org AND counted.code = meter.code
    WHERE meter.cursor_id < meter.boundary_id ORDER BY meter.meter
"""
Key = TypeVar("Key")
Value = TypeVar("Value")


_WIDTHS = ((HOUR, HOUR_US), (DAY, DAY_US), (LONG, 64 * DAY_US))


@dataclass(slots=True)
class State:
    """Everything that is derived from events. `codes` holds only how many live events there are."""

    rollups: dict[RollupKey, Tally] = field(default_factory=dict)
    values: dict[ValueKey, LastOperation] = field(default_factory=dict)
    codes: dict[MeterKey, int] = field(default_factory=dict)


def count_again(
    events: Iterable[FoldedEvent],
    meters: Mapping[MeterKey, Sequence[tuple[int, Definition]]],
    state: State,
) -> None:
    """Derive everything from live events, without any of the code that ingestion uses."""
    for event in events:
        _, org_id, subscription, code, *_ = event
        key = MeterKey(org_id, code)
        state.codes[key] = state.codes.get(key, 0) + 1
        if subscription is not None:
            for meter, definition in meters.get(key, ()):
                _count_event(state, event, subscription, meter, definition)


def _count_event(
    state: State, event: FoldedEvent, subscription: str, meter: int, definition: Definition
) -> None:
    event_id, _, _, _, at_us, properties, amount = event
    fact, group = fact_of(definition, instant(at_us), event_id, properties)
    aggregation = definition.aggregation
    number = numeric(fact.value)
    if not _takes_part(aggregation, fact):
        return
    if aggregation == UNIQUE and fact.value is not None:
        operation = LastOperation(at_us, event_id, fact.operation != "remove")
        for grain, width_us in (*_WIDTHS, (EIGHT_DAYS, 8 * DAY_US)):
            bucket = at_us // width_us
            kept_under = ValueKey(meter, grain, bucket, subscription, group, value_name(fact.value))
            state.values[kept_under] = max(state.values.get(kept_under, operation), operation)
    for grain, width_us in _WIDTHS:
        key = RollupKey(meter, grain, at_us // width_us, subscription, group)
        kept = state.rollups.setdefault(key, Tally())
        kept.events_count += 1
        value = number or ZERO
        if aggregation in {SUM, WEIGHTED}:
            kept.total = exact_sum(kept.total, value)
        if aggregation == WEIGHTED:
            kept.moment = exact_sum(kept.moment, EXACT.multiply(value, Decimal(at_us)))
        if aggregation == MAX:
            kept.greatest = value if kept.greatest is None else max(kept.greatest, value)
        if aggregation == LATEST:
            newest = NewestNumber(at_us, event_id, value)
            kept.newest = max(kept.newest or newest, newest)
        if amount is not None:
            kept.amount = exact_sum(kept.amount, Decimal(amount))


def _takes_part(aggregation: str, fact: Fact) -> bool:
    if aggregation == UNIQUE:
        return fact.value is not None
    return aggregation == COUNT or numeric(fact.value) is not None


def compare(kept: State, counted: State) -> list[str]:
    """Name what differs between what is kept and what the events say, at most a hundred times."""
    return [
        *_differences("rollup", kept.rollups, counted.rollups, tuple),
        *_differences("value", kept.values, counted.values, tuple),
        *_differences("counter", kept.codes, counted.codes, lambda key: (key.org_id.hex(), key[1])),
    ][:MOST_DIFFERENCES]


def backlog_of(unfolded_events: int, builds: Iterable[Sequence[Any]]) -> EventBacklog:
    """Return a backlog from a number and rows of `BUILDS`."""
    return EventBacklog(
        unfolded_events,
        tuple(MeterBuild(UUID(bytes=org), code, done, total) for org, code, done, total in builds),
    )


def _differences(
    what: str,
    kept: Mapping[Key, Value],
    counted: Mapping[Key, Value],
    name: Callable[[Key], object],
) -> Iterable[str]:
    for key in kept.keys() | counted.keys():
        if kept.get(key) != counted.get(key):
            yield (
                f"event {what} {name(key)}: kept {kept.get(key)}, the events say {counted.get(key)}"
            )
