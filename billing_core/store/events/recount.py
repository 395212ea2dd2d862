"""A second opinion: rollups, value sets and counters counted again from the raw events."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeVar

from billing_core.domain.metrics import ZERO, numeric
from billing_core.store.events.participation import (
    COUNT,
    MAX,
    SUM,
    UNIQUE,
    Definition,
    MeterKey,
    fact_of,
    value_name,
)
from billing_core.store.events.records import instant
from billing_core.store.events.rollups import (
    DAY,
    DAY_US,
    HOUR,
    HOUR_US,
    NO_GROUP,
    FoldedEvent,
    LastOperation,
    RollupKey,
    ValueKey,
    exact_sum,
)

MOST_DIFFERENCES = 100
Key = TypeVar("Key")
Value = TypeVar("Value")


class Counted(NamedTuple):
    """What a rollup row says."""

    events_count: int
    total: Decimal | None
    greatest: Decimal | None


@dataclass(slots=True)
class State:
    """Everything that is derived from events. `codes` holds only how many live events there are."""

    rollups: dict[RollupKey, Counted] = field(default_factory=dict)
    values: dict[ValueKey, LastOperation] = field(default_factory=dict)
    codes: dict[MeterKey, int] = field(default_factory=dict)


def count_again(
    events: Iterable[FoldedEvent],
    meters: Mapping[MeterKey, tuple[int, Definition]],
    state: State,
) -> None:
    """Derive everything from live events, without any of the code that ingestion uses."""
    for event in events:
        _, org_id, subscription, code, _, _ = event
        key = MeterKey(org_id, code)
        state.codes[key] = state.codes.get(key, 0) + 1
        if key in meters and subscription is not None:
            _count_event(state, event, subscription, *meters[key])


def _count_event(
    state: State, event: FoldedEvent, subscription: str, meter: int, definition: Definition
) -> None:
    event_id, _, _, _, timestamp_us, properties = event
    fact = fact_of(definition, instant(timestamp_us), event_id, properties)
    aggregation = definition.aggregation
    number = numeric(fact.value)
    if number is None and aggregation not in {COUNT, UNIQUE}:
        return
    for grain, width_us in ((HOUR, HOUR_US), (DAY, DAY_US)):
        bucket = timestamp_us // width_us
        key = RollupKey(meter, grain, bucket, subscription, NO_GROUP)
        known = state.rollups.get(key, Counted(0, None, None))
        state.rollups[key] = Counted(
            known.events_count + 1,
            exact_sum(known.total, number or ZERO) if aggregation == SUM else None,
            max(known.greatest or number or ZERO, number or ZERO) if aggregation == MAX else None,
        )
        if aggregation == UNIQUE:
            value_key = ValueKey(*key, value_name(fact.value))
            operation = LastOperation(timestamp_us, event_id, fact.operation != "remove")
            state.values[value_key] = max(state.values.get(value_key, operation), operation)


def compare(kept: State, counted: State) -> list[str]:
    """Name what differs between what is kept and what the events say, at most a hundred times."""
    return [
        *_differences("rollup", kept.rollups, counted.rollups, tuple),
        *_differences("value", kept.values, counted.values, tuple),
        *_differences("counter", kept.codes, counted.codes, lambda key: (key.org_id.hex(), key[1])),
    ][:MOST_DIFFERENCES]


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
