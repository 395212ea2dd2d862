"""How a window of time is cut into whole buckets and the rest."""

from dataclasses import dataclass

from billing_core.store.events.rollups import HOUR_US, HOURS_PER_BUCKET, TALLY_GRAINS

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WindowParts:
    """A half-open window `[start, end)` in microseconds, cut without gap or overlap.

    `spans` are half-open ranges of buckets by grain, read from rollups; `edges` half-open ranges of
    microseconds, each inside one hour, read from raw events. `whole_us` is everything between the
    edges, in microseconds.
    """

    spans: tuple[tuple[int, Span], ...]
    edges: tuple[Span, ...]
    whole_us: Span = (0, 0)


def cut(
    start_us: int,
    end_us: int,
    last_us: int | None = None,
    grains: tuple[int, ...] = TALLY_GRAINS,
) -> WindowParts:
    """Cut a window; an empty or inverted one has no parts.

    With `last_us`, the last microsecond of the window becomes an edge of its own. `grains` are the
    buckets that exist, the longest first.
    """
    if end_us <= start_us:
        return WindowParts((), ())
    if last_us is not None:
        rest = cut(start_us, last_us, None, grains)
        return WindowParts(rest.spans, (*rest.edges, (last_us, last_us + 1)), rest.whole_us)
    first, last = -(-start_us // HOUR_US), end_us // HOUR_US
    if first > last:
        return WindowParts((), ((start_us, end_us),))
    edges = _filled((start_us, first * HOUR_US), (last * HOUR_US, end_us))
    whole_us = (first * HOUR_US, last * HOUR_US) if first < last else (0, 0)
    return WindowParts(tuple(_buckets(first, last, grains)), edges, whole_us)


def _buckets(first_hour: int, last_hour: int, grains: tuple[int, ...]) -> list[tuple[int, Span]]:
    """Cover hours with the longest buckets that fit, the rest on both sides with shorter ones."""
    if first_hour >= last_hour:
        return []
    grain, *shorter = grains
    hours = HOURS_PER_BUCKET[grain]
    first, last = -(-first_hour // hours), last_hour // hours
    if first >= last:
        return _buckets(first_hour, last_hour, tuple(shorter))
    return [
        *_buckets(first_hour, first * hours, tuple(shorter)),
        (grain, (first, last)),
        *_buckets(last * hours, last_hour, tuple(shorter)),
    ]


def _filled(*spans: Span) -> tuple[Span, ...]:
    return tuple(span for span in spans if span[0] < span[1])
