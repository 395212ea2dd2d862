"""How a window of time is cut into whole days, whole hours and the rest."""

from dataclasses import dataclass

from billing_core.store.events.rollups import HOUR_US, HOURS_PER_DAY

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WindowParts:
    """A half-open window `[start, end)` in microseconds, cut without gap or overlap.

    `days` and `hours` are half-open ranges of buckets read from rollups, `edges` half-open ranges
    of microseconds, each inside one hour, read from raw events. `whole` is everything between the
    edges, in hours.
    """

    days: Span | None
    hours: tuple[Span, ...]
    edges: tuple[Span, ...]
    whole: Span = (0, 0)


def cut(start_us: int, end_us: int) -> WindowParts:
    """Cut a window; an empty or inverted one has no parts."""
    if end_us <= start_us:
        return WindowParts(None, (), ())
    first_hour, last_hour = -(-start_us // HOUR_US), end_us // HOUR_US
    if first_hour > last_hour:
        return WindowParts(None, (), ((start_us, end_us),))
    edges = _filled((start_us, first_hour * HOUR_US), (last_hour * HOUR_US, end_us))
    first_day, last_day = -(-first_hour // HOURS_PER_DAY), last_hour // HOURS_PER_DAY
    if first_day >= last_day:
        return WindowParts(None, _filled((first_hour, last_hour)), edges, (first_hour, last_hour))
    hours = _filled((first_hour, first_day * HOURS_PER_DAY), (last_day * HOURS_PER_DAY, last_hour))
    return WindowParts((first_day, last_day), hours, edges, (first_hour, last_hour))


def _filled(*spans: Span) -> tuple[Span, ...]:
    return tuple(span for span in spans if span[0] < span[1])
