"""From what was read to what is priced: the units of every bucket and group of a charge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing_core.domain.advance import HighWater
from billing_core.domain.calendar import days_between, local_date
from billing_core.domain.charges import Usage
from billing_core.domain.filters import Bucket
from billing_core.domain.metrics import Fact, apply_rounding, numeric, weighted_units
from billing_core.domain.money import exact_context
from billing_core.domain.recurring import (
    ceil5,
    double_ratio,
    prorated_sum,
    prorated_unique_count,
    sum_entries,
    unique_entries,
)
from billing_core.ports import NO_USAGE, MeteredEvent, MeteredUsage
from billing_core.services.metering import Metering

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Measured:
    """The usage of one bucket and group.

    `usage` is what the charge model prices, `aggregated` what the metric came to before it was
    rounded, `carried` what of it was there before the window. `breakdowns` are units by the pairs
    of presentation key and value.
    """

    bucket: Bucket
    usage: Usage
    aggregated: Decimal
    total_aggregated_units: Decimal
    carried: Decimal
    breakdowns: Mapping[tuple[tuple[str, str], ...], Decimal]
    shown: Decimal | None = None

    @property
    def shown_units(self) -> Decimal:
        """The units a fee shows: of what is paid by its peak, the real ones."""
        return self.usage.shown_units if self.shown is None else self.shown


def measured(metering: Metering) -> list[Measured]:
    """Measure every bucket, the default last, and in each of them every group that has events.

    A bucket without any is measured once, as the group of nulls (`docs/rules/metering.md` 3.13).
    """
    groups: dict[int | None, list[Bucket]] = {}
    for bucket in {**metering.used, **metering.carried}:
        groups.setdefault(bucket.filter, []).append(bucket)
    breakdowns = _breakdowns(metering)
    found: list[Measured] = []
    for position in (*range(len(metering.tariff.buckets.filters)), None):
        nobody = Bucket(position, (None,) * len(metering.tariff.buckets.keys_of(position)))
        found.extend(
            _measured(metering, bucket, breakdowns.get(bucket, {}))
            for bucket in sorted(groups.get(position, [nobody]), key=_by_texts)
        )
    return found


def _by_texts(bucket: Bucket) -> tuple[str, ...]:
    return tuple(text or "" for text in bucket.group)


def _measured(
    metering: Metering, bucket: Bucket, breakdowns: Mapping[tuple[tuple[str, str], ...], Decimal]
) -> Measured:
    used = metering.used.get(bucket, NO_USAGE)
    before = metering.carried.get(bucket, NO_USAGE)
    aggregated, total = _aggregated(metering, used, before)
    usage, carried = _usage(metering, bucket, used, aggregated), before.units
    shown = None
    if metering.is_paid_by_peak:
        shown = usage.units
        usage, carried = _paid_by_peak(metering, bucket, usage, used.units)
    elif metering.is_prorated:
        usage, carried = _prorated(metering, bucket, usage, used.units)
    return Measured(bucket, usage, aggregated, total, carried, breakdowns, shown)


def _aggregated(
    metering: Metering, used: MeteredUsage, carried: MeteredUsage
) -> tuple[Decimal, Decimal]:
    """Return the units of the window and, where it differs, what they add up to at its end."""
    if metering.metric.aggregation_type != "weighted_sum_agg":
        return used.units, max(used.units, ZERO)
    window = metering.window
    weighted = weighted_units(
        carried.units,
        used.units,
        used.unit_seconds,
        window.start,
        window.end,
        metering.span.period_days,
    )
    return weighted.units, weighted.end_level


def _usage(metering: Metering, bucket: Bucket, used: MeteredUsage, aggregated: Decimal) -> Usage:
    """Put together what any model may ask for."""
    values: list[Decimal] = []
    if metering.tariff.terms_of(bucket).needs_values:
        values = [_number(event) for event in metering.events.get(bucket, ())]
    return Usage(
        _rounded(metering, aggregated),
        used.events_count,
        values,
        amount_cents=used.amount_cents,
        subunit=metering.subunit,
    )


def _prorated(
    metering: Metering, bucket: Bucket, whole: Usage, total: Decimal
) -> tuple[Usage, Decimal]:
    """Prorate by local days; the fee shows whole units (`docs/rules/metering.md` 2.5)."""
    events, span = metering.events.get(bucket, ()), metering.span
    if metering.metric.aggregation_type == "unique_count_agg":
        history = [_fact(event) for event in events]
        prorated, entries = prorated_unique_count(history, span), unique_entries(history, span)
        carried = ZERO
    else:
        changes = [(local_date(event.at, span.tz), _number(event)) for event in events]
        with exact_context():
            carried = total - sum((value for _, value in changes), ZERO)
        prorated, entries = (
            prorated_sum(carried, changes, span),
            sum_entries(carried, changes, span),
        )
    units = _rounded(metering, prorated.units)
    return replace(whole, units=units, full_units=whole.units, events=entries), carried


def _paid_by_peak(
    metering: Metering, bucket: Bucket, whole: Usage, total: Decimal
) -> tuple[Usage, Decimal]:
    """Count what in-advance fees have paid: the greatest net use so far, never less.

    What was carried in was paid by the renewal (`docs/rules/metering.md` 5.1, 3.16).
    """
    span = metering.span
    changes = list(_changes(metering, metering.events.get(bucket, ())))
    mark, paid = HighWater(), ZERO
    for event, value in changes:
        rise = mark.after(value)
        mark = rise.state
        with exact_context():
            paid += _share(metering, event, rise.delta)
    with exact_context():
        carried = total - sum((value for _, value in changes), ZERO)
        ratio = span.carried_ratio if metering.charge.prorated else ONE
        units = max(carried * ratio + paid, ZERO)
    if metering.charge.prorated:
        return replace(whole, units=units, full_units=whole.units), carried
    return replace(whole, units=units), carried


def _share(metering: Metering, event: MeteredEvent, delta: Decimal) -> Decimal:
    if not metering.charge.prorated or not delta:
        return delta
    span = metering.span
    days = days_between(event.at, metering.window.last, span.tz)
    return ceil5(delta * double_ratio(days, span.period_days))


def _changes(
    metering: Metering, events: Sequence[MeteredEvent]
) -> Iterator[tuple[MeteredEvent, Decimal]]:
    """Yield the window's events with what each adds: for unique counts, 1 for a value not there."""
    is_sum = metering.metric.aggregation_type == "sum_agg"
    present: set[str | None] = set()
    for event in events:
        value = _number(event) if is_sum else _arrival(present, event)
        if event.at >= metering.window.start:
            yield event, value


def _arrival(present: set[str | None], event: MeteredEvent) -> Decimal:
    is_there = event.value in present
    if event.operation == "remove":
        present.discard(event.value)
        return -ONE if is_there else ZERO
    present.add(event.value)
    return ZERO if is_there else ONE


def _breakdowns(
    metering: Metering,
) -> dict[Bucket, dict[tuple[tuple[str, str], ...], Decimal]]:
    """Aggregate each breakdown by itself; an absent value is an empty text."""
    found: dict[Bucket, dict[tuple[tuple[str, str], ...], Decimal]] = {}
    keys = metering.tariff.buckets.breakdown_keys
    for part in {**metering.parts, **metering.carried_parts}:
        bucket, texts = part
        used = metering.parts.get(part, NO_USAGE)
        aggregated, _ = _aggregated(metering, used, metering.carried_parts.get(part, NO_USAGE))
        pairs = tuple((key, text or "") for key, text in zip(keys, texts, strict=True))
        found.setdefault(bucket, {})[pairs] = max(_rounded(metering, aggregated), ZERO)
    return found


def _rounded(metering: Metering, units: Decimal) -> Decimal:
    metric = metering.metric
    return apply_rounding(units, metric.rounding_function, metric.rounding_precision)


def _number(event: MeteredEvent) -> Decimal:
    return numeric(event.value) or ZERO


def _fact(event: MeteredEvent) -> Fact:
    return Fact(event.at, event.order, event.value, event.operation)
