"""Percentage charge: a share of the metered amount, plus a fixed fee per event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import accumulate
from typing import Any

from billing_core.domain.charges.terms import (
    PROPERTIES,
    ZERO,
    Price,
    Terms,
    Usage,
    average,
    read_decimal,
    read_integer,
    read_optional_decimal,
)
from billing_core.domain.errors import Problems
from billing_core.domain.money import plain

PERCENT = Decimal(100)
_COUNTED = frozenset({"count_agg", "unique_count_agg"})


@dataclass(frozen=True, slots=True)
class _Allowance:
    """What is free: units of the metered amount, and events for the fixed fee."""

    units: Decimal
    events: int


@dataclass(frozen=True)
class Percentage(Terms):
    """`rate` percent of the units, plus `fixed_amount` per event, with free allowances and limits.

    N = `free_units_per_events` and A = `free_units_per_total_aggregation` in what follows. Setting
    a limit per transaction switches to pricing each event alone (`docs/rules/metering.md` 3.8).
    """

    charge_model = "percentage"
    keys = (
        "rate",
        "fixed_amount",
        "free_units_per_events",
        "free_units_per_total_aggregation",
        "per_transaction_min_amount",
        "per_transaction_max_amount",
    )
    defaults = {"rate": "0"}  # noqa: RUF012 - declared ClassVar in Terms

    rate: Decimal
    fixed_amount: Decimal
    free_units_per_events: int
    free_units_per_total_aggregation: Decimal
    per_transaction_min_amount: Decimal | None
    per_transaction_max_amount: Decimal | None

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        def optional(key: str, code: str) -> Decimal | None:
            return read_optional_decimal(stored.get(key), code, problems)

        rate = read_decimal(stored.get("rate"), "invalid_rate", problems)
        fixed = optional("fixed_amount", "invalid_fixed_amount")
        events = stored.get("free_units_per_events")
        aggregation = "free_units_per_total_aggregation"
        free_units = optional(aggregation, f"invalid_{aggregation}")
        free_events = (
            0
            if events is None
            else read_integer(events, 1, "invalid_free_units_per_events", problems)
        )
        minimum = optional("per_transaction_min_amount", "invalid_amount")
        maximum = optional("per_transaction_max_amount", "invalid_amount")
        if minimum is not None and maximum is not None and maximum < minimum:
            problems.add(PROPERTIES, "per_transaction_max_lower_than_per_transaction_min")
        return {
            "rate": rate,
            "fixed_amount": fixed or ZERO,
            "free_units_per_events": free_events,
            "free_units_per_total_aggregation": free_units or ZERO,
            "per_transaction_min_amount": minimum,
            "per_transaction_max_amount": maximum,
        }

    @property
    def has_limits(self) -> bool:
        """Whether each event's price has a minimum or a maximum."""
        limits = (self.per_transaction_min_amount, self.per_transaction_max_amount)
        return limits != (None, None)

    @property
    def needs_values(self) -> bool:
        """Whether `Usage.values` must hold one number per event that took part, in order.

        True with free events, free units or limits per transaction. Order is (timestamp,
        ingestion). `count_agg` does without; for `unique_count_agg` only their number is read, so
        that there is one entry per event rather than per distinct value.
        """
        allowance = self.free_units_per_events or self.free_units_per_total_aggregation
        return bool(allowance) or self.has_limits

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:
        """Price the whole, or each event alone where a limit is set.

        Free allowances exist for sum_agg, count_agg and unique_count_agg only; other aggregations
        have no running total.
        """
        if self.needs_values and aggregation == "sum_agg":
            assert len(usage.values) == usage.events_count, "the events' values are missing"
        free = self._allowance(usage, aggregation)
        paid_units = max(usage.units - free.units, ZERO)
        paid_events = max(usage.events_count - free.events, 0) if usage.units else 0
        per_unit = paid_units * self._share
        fixed = paid_events * self.fixed_amount
        total = per_unit + fixed
        if self.has_limits:
            total = self._limited_total(usage, aggregation)
        details = {
            "units": plain(usage.units),
            "free_units": plain(free.units),
            "free_events": free.events,
            "paid_units": plain(paid_units),
            "rate": plain(self.rate),
            "per_unit_total_amount": plain(per_unit),
            "paid_events": paid_events,
            "fixed_fee_unit_amount": plain(self.fixed_amount),
            "fixed_fee_total_amount": plain(fixed),
            "min_max_adjustment_total_amount": plain(total - per_unit - fixed),
        }
        return Price(total, average(total, usage.units), details)

    @property
    def _share(self) -> Decimal:
        return self.rate / PERCENT

    def _allowance(self, usage: Usage, aggregation: str) -> _Allowance:
        """Return the free units and events of the whole, from the running total of the events."""
        events, units = self.free_units_per_events, self.free_units_per_total_aggregation
        if aggregation in _COUNTED and (events or units):
            # The running total of a count is 1, 2, … units, never written down.
            count = int(usage.units)
            last = Decimal(count)
            at_free_events = Decimal(events) if 0 < events < count else None
            below = min(_wholly_below(units), count)
        elif aggregation == "sum_agg" and (events or units):
            running = self._running_totals(usage.values)
            last = running[-1] if running else ZERO
            at_free_events = None
            below = sum(1 for total in running if total < units)
        else:
            return _Allowance(ZERO, events)
        if not last:
            free_units = ZERO
        elif at_free_events is not None:
            free_units = at_free_events
        else:
            free_units = min(last, units) if units else last
        return _Allowance(free_units, min((n for n in (events, below) if n), default=0))

    def _running_totals(self, values: Sequence[Decimal]) -> list[Decimal]:
        """Return the first N running totals, or without N all up to the first one above A."""
        if self.free_units_per_events:
            return list(accumulate(values[: self.free_units_per_events]))
        running: list[Decimal] = []
        for total in accumulate(values):
            running.append(total)
            if total > self.free_units_per_total_aggregation:
                break
        return running

    def _limited_total(self, usage: Usage, aggregation: str) -> Decimal:
        """Add up the events, each alone, after the free ones; with N and A set, A alone governs."""
        if aggregation in _COUNTED:
            several = aggregation == "unique_count_agg"
            events = (len(usage.values) if several else 0) or usage.events_count
            return self._limited_count(events)
        return sum(map(self._limited, self._charged(_per_event(usage, aggregation))), ZERO)

    def _limited_count(self, events: int) -> Decimal:
        """Price events that bring one unit each, without writing them down."""
        each = self._limited(Decimal(1))
        free_units = self.free_units_per_total_aggregation
        if not free_units:
            return max(events - self.free_units_per_events, 0) * each
        wholly_free = _wholly_below(free_units)
        if events <= wholly_free:
            return ZERO
        cut = self._limited(Decimal(1) - (free_units - wholly_free))
        return cut + (events - wholly_free - 1) * each

    def _charged(self, values: list[Decimal]) -> list[Decimal]:
        """Return what is charged of each event that is not wholly free."""
        free_events, free_units = self.free_units_per_events, self.free_units_per_total_aggregation
        for position, value in enumerate(values):
            if free_events <= 0 and free_units <= 0:
                return values[position:]
            free_events -= 1
            if 0 < free_units <= value:
                return [value - free_units, *values[position + 1 :]]
            if free_units > 0:
                free_units -= value
        return []

    def _limited(self, value: Decimal) -> Decimal:
        amount = value * self._share + self.fixed_amount
        if self.per_transaction_min_amount is not None:
            amount = max(amount, self.per_transaction_min_amount)
        if self.per_transaction_max_amount is not None:
            amount = min(amount, self.per_transaction_max_amount)
        return amount


def _wholly_below(units: Decimal) -> int:
    """Return how many of 1, 2, 3 … are strictly less than `units`."""
    return max(int(units.to_integral_value(rounding=ROUND_CEILING)) - 1, 0)


def _per_event(usage: Usage, aggregation: str) -> list[Decimal]:
    """Return the share of the units that each event brought: of a maximum, the first greatest."""
    if aggregation == "max_agg" and usage.values:
        greatest = usage.values.index(max(usage.values))
        return [
            value if position == greatest else ZERO for position, value in enumerate(usage.values)
        ]
    return list(usage.values)
