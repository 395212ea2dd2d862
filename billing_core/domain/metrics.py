"""Metering: what each aggregation means, as a fold over the plain list of events."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import (
    MAX_PREC,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Decimal,
    localcontext,
)
from typing import Any

from billing_core.domain.money import exact_context

_NUMERIC = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_ROUNDINGS = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_DAY_SECONDS = 86_400
ZERO = Decimal(0)
UNITS_PLACES = 20  # what a division of units keeps (docs/rules/metering.md 9)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as an aggregation sees it.

    `order` is the order of ingestion and decides between equal instants; `value` is the text of the
    metric's property (`property_text`), None when it is absent or null; `operation` is the text of
    `operation_type`, which only `unique_count_agg` reads.
    """

    at: datetime
    order: int
    value: str | None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """Aggregated units and the number of events that took part."""

    units: Decimal
    events_count: int


@dataclass(frozen=True, slots=True)
class Weighted:
    """A level weighted by the time it held, and the level at the end (`total_aggregated_units`)."""

    units: Decimal
    end_level: Decimal


def property_text(value: Any) -> str | None:
    """Return a JSON value as the text that matching and aggregating read.

    Numbers are written out (`1e3` -> "1000", `1.50` decoded as a Decimal -> "1.50"), booleans as
    "true" and "false", null as None, objects and arrays as compact JSON
    (`docs/rules/metering.md` 1.7).
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return _compact_json(value)
    # Through Decimal: str() refuses integers of more than 4300 digits.
    exact = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    return format(exact, "f")


@dataclass(frozen=True, slots=True)
class _Token:
    """Text that is already JSON."""

    text: str


def _compact_json(value: Any) -> str:
    """Write nested JSON without recursion: the depth is the sender's choice, not ours."""
    written: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Token):
            written.append(item.text)
        elif isinstance(item, Mapping | list | tuple):
            waiting.extend(reversed(list(_opened(item))))
        elif isinstance(item, str):
            written.append(json.dumps(item, ensure_ascii=False))
        else:
            written.append(property_text(item) or "null")
    return "".join(written)


def _opened(item: Mapping[str, Any] | list[Any] | tuple[Any, ...]) -> Iterable[Any]:
    """Take one level of brackets off."""
    is_object = isinstance(item, Mapping)
    yield _Token("{" if is_object else "[")
    for position, part in enumerate(item):
        if position:
            yield _Token(",")
        if isinstance(item, Mapping):
            yield _Token(json.dumps(part, ensure_ascii=False) + ":")
            yield item[part]
        else:
            yield part
    yield _Token("}" if is_object else "]")


def numeric(text: str | None) -> Decimal | None:
    """Return the number a property text holds, or None when its event does not take part.

    Only optional minus, digits and decimals count: "1e3", "+5", ".5", "5." and " 5" do not
    (`docs/rules/metering.md` 1.7). Digits are never lost, however many there are.
    """
    if text is None or _NUMERIC.fullmatch(text) is None:
        return None
    return Decimal(text)


def fold(aggregation: str, events: Sequence[Fact]) -> Folded:
    """Aggregate the events of one window, bucket and group.

    `aggregation` is count_agg, sum_agg, max_agg, latest_agg, unique_count_agg or weighted_sum_agg,
    of which only the change of level is told here (`weighted_sum` weights it); another one raises
    `KeyError`. This is the meaning every event store must equal (`docs/rules/metering.md` 2.2).
    """
    return _FOLDS[aggregation](events)


def _count(events: Sequence[Fact]) -> Folded:
    return Folded(Decimal(len(events)), len(events))


def _numbers(events: Iterable[Fact]) -> list[Decimal]:
    return [number for event in events if (number := numeric(event.value)) is not None]


def _sum(events: Sequence[Fact]) -> Folded:
    values = _numbers(events)
    # Additions of written-out numbers need as many digits as they need, not a fixed precision.
    with localcontext(prec=MAX_PREC):
        return Folded(sum(values, ZERO), len(values))


def _max(events: Sequence[Fact]) -> Folded:
    values = _numbers(events)
    return Folded(max(values, default=ZERO), len(values))


def _latest(events: Sequence[Fact]) -> Folded:
    values = _numbers(sorted(events, key=_position))
    return Folded(max(values[-1], ZERO) if values else ZERO, len(values))


def _unique(events: Sequence[Fact]) -> Folded:
    present: dict[str, bool] = {}
    for event in sorted(events, key=_position):
        if event.value is None:
            continue  # nothing was counted, whatever else the event tells
        # A leading remove finds the value already absent, a repeated add finds it present: both
        # contribute nothing. Whatever is not "remove" adds, as an absent operation does.
        present[event.value] = event.operation != "remove"
    units = sum(present.values())
    return Folded(Decimal(units), units)


def _position(event: Fact) -> tuple[datetime, int]:
    return event.at, event.order


_FOLDS: dict[str, Callable[[Sequence[Fact]], Folded]] = {
    "count_agg": _count,
    "sum_agg": _sum,
    "max_agg": _max,
    "latest_agg": _latest,
    "unique_count_agg": _unique,
    "weighted_sum_agg": _sum,
}


def weighted_sum(
    initial: Decimal, events: Sequence[Fact], start: datetime, end: datetime, period_days: int
) -> Weighted:
    """Weight a level by the seconds it held in `[start, end)`: what weighted_sum_agg means.

    `initial` is the level at `start`, each event of the window a change of it; the last segment
    ends with the last second. Divided by the seconds of `period_days`, the days of the whole
    period, however short the window (`docs/rules/metering.md` 2.2).
    """
    level, since, unit_seconds = initial, start, ZERO
    with localcontext(prec=MAX_PREC):
        for event in sorted(events, key=_position):
            unit_seconds += level * _seconds(since, event.at)
            level += numeric(event.value) or ZERO
            since = event.at
        unit_seconds += level * _seconds(since, closing_second(end))
    return Weighted(_per_period(unit_seconds, period_days), level)


def weighted_units(  # noqa: PLR0913, PLR0917 - two sums and the window they belong to
    initial: Decimal,
    units: Decimal,
    unit_seconds: Decimal,
    start: datetime,
    end: datetime,
    period_days: int,
) -> Weighted:
    """Return what `weighted_sum` does, from sums that stores keep instead of the events.

    `units` is the sum of the changes in `[start, end)`; `unit_seconds` that of each change times
    the seconds from its event to `closing_second(end)`.
    """
    with localcontext(prec=MAX_PREC):
        total = initial * _seconds(start, closing_second(end)) + unit_seconds
        return Weighted(_per_period(total, period_days), initial + units)


def closing_second(end: datetime) -> datetime:
    """Return where the last segment of a weighted window `[.., end)` ends.

    That is the last instant inside, rounded up to a whole second: an end of day that excludes
    midnight gives midnight, a termination at 12:00:00 sharp (which belongs to the window) 12:00:00.
    """
    return _EPOCH - (_EPOCH - (end - _MICROSECOND)) // _SECOND * _SECOND


def _seconds(start: datetime, end: datetime) -> Decimal:
    return Decimal((end - start) // _MICROSECOND).scaleb(-6)


def _per_period(unit_seconds: Decimal, period_days: int) -> Decimal:
    with exact_context(), localcontext(prec=_room_for(unit_seconds)):
        average = unit_seconds / (period_days * _DAY_SECONDS)
        return average.quantize(Decimal(1).scaleb(-UNITS_PLACES))


def apply_rounding(units: Decimal, function: str | None, precision: int | None) -> Decimal:
    """Round aggregated units as the metric asks, before they are priced.

    `function` is round (half away from zero), ceil, floor or None for no rounding; `precision`
    counts decimals, may be negative and defaults to 0 (`docs/rules/metering.md` 2.4).
    """
    if function is None:
        return units
    with exact_context(), localcontext(prec=_room_for(units)):
        rounded = units.scaleb(precision or 0).to_integral_value(rounding=_ROUNDINGS[function])
        return Decimal(format(rounded.scaleb(-(precision or 0)), "f"))


def _room_for(value: Decimal) -> int:
    """Return a precision that leaves every digit of a value standing, and many more."""
    return 400 + len(value.as_tuple().digits)
