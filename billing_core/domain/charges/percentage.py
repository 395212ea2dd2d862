"""Percentage charge: a share of the metered amount, plus a fixed fee per event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import accumulate
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Steps, flat_step, free_step, percent_step
from billing_core.domain.charges.terms import (
    PROPERTIES,
    ZERO,
    Price,
    Terms,
    Usage,
    read_decimal,
    read_integer,
    read_optional_decimal,
)
from billing_core.domain.errors import Problems
from billing_core.domain.money import exact_context, plain

PERCENT = Decimal(100)
_COUNTED = frozenset({"count_agg", "unique_count_agg"})
_LIMITED = _COUNTED | {"sum_agg", "max_agg"}


class _Events(NamedTuple):
    """So many events, and the units of the metered amount that they bring."""

    number: int
    units: Decimal


_NO_EVENTS = _Events(0, ZERO)
_FREE, _RATE, _LEAST, _MOST = "free", "rate", "minimum", "maximum"


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
    share: Decimal  # of one unit: a hundredth of the rate
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
        with exact_context():
            share = rate / PERCENT
        return {
            "rate": rate,
            "share": share,
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
        have no running total. A weighted sum has no price per event, so limits do not touch it.
        """
        limited = self.has_limits and aggregation in _LIMITED
        if (self.needs_values and aggregation == "sum_agg") or (
            limited and aggregation == "max_agg"
        ):
            assert len(usage.values) == usage.events_count, "the events' values are missing"
        free = self._allowance(usage, aggregation)
        paid_events = max(usage.events_count - free.number, 0) if usage.units else 0
        paid = _Events(paid_events, max(usage.units - free.units, ZERO))
        events = self._by_limit(usage, aggregation) if limited else None
        if events is None:
            total = paid.units * self.share + paid.number * self.fixed_amount
        else:
            total = self._limited_total(events)
        return Price(total, usage.units, _Shared(self, usage.units, free, paid, events, total))

    def _allowance(self, usage: Usage, aggregation: str) -> _Events:
        """Return what is free of the whole, for units and for fixed fees, by running totals."""
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
            return _Events(events, ZERO)
        if not last:
            free_units = ZERO
        elif at_free_events is not None:
            free_units = at_free_events
        else:
            free_units = min(last, units) if units else last
        return _Events(min((n for n in (events, below) if n), default=0), free_units)

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

    def _by_limit(self, usage: Usage, aggregation: str) -> dict[str, _Events]:
        """Sort the events, each alone, by what sets their price: a limit, the rate, or nothing.

        With N and A set, A alone governs what is free. Events that bring one unit each are never
        written down.
        """
        if aggregation in _COUNTED:
            several = aggregation == "unique_count_agg"
            count = (len(usage.values) if several else 0) or usage.events_count
            seen, charged = _Events(count, Decimal(count)), self._charged_count(count)
        else:
            values = _per_event(usage, aggregation)
            seen = _Events(len(values), sum(values, ZERO))
            charged = [(value, 1) for value in self._charged(values)]
        sorted_out: dict[str, _Events] = {}
        for value, times in charged:
            kind = self._priced_by(value)
            known = sorted_out.get(kind, _NO_EVENTS)
            sorted_out[kind] = _Events(known.number + times, known.units + times * value)
            seen = _Events(seen.number - times, seen.units - times * value)
        return sorted_out | {_FREE: seen}

    def _priced_by(self, value: Decimal) -> str:
        amount = value * self.share + self.fixed_amount
        least, most = self.per_transaction_min_amount, self.per_transaction_max_amount
        if least is not None and amount < least:
            return _LEAST
        return _MOST if most is not None and amount > most else _RATE

    def limit(self, kind: str) -> Decimal:
        """Return what each event at a limit costs."""
        least, most = self.per_transaction_min_amount, self.per_transaction_max_amount
        return (least if kind == _LEAST else most) or ZERO

    def _limited_total(self, events: Mapping[str, _Events]) -> Decimal:
        rated = events.get(_RATE, _NO_EVENTS)
        total = rated.units * self.share + rated.number * self.fixed_amount
        for kind in (_LEAST, _MOST):
            if kind in events:
                total += events[kind].number * self.limit(kind)
        return total

    def _charged_count(self, events: int) -> list[tuple[Decimal, int]]:
        """Return how many events are charged for how much of their one unit."""
        free_units = self.free_units_per_total_aggregation
        if not free_units:
            return [(Decimal(1), max(events - self.free_units_per_events, 0))]
        wholly_free = _wholly_below(free_units)
        if events <= wholly_free:
            return []
        cut = Decimal(1) - (free_units - wholly_free)
        return [(cut, 1), (Decimal(1), events - wholly_free - 1)]

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


class _Shared(NamedTuple):
    terms: Percentage
    units: Decimal
    free: _Events
    paid: _Events
    events: Mapping[str, _Events] | None
    total: Decimal

    def details(self) -> dict[str, Any]:
        with exact_context():
            per_unit = self.paid.units * self.terms.share
            fixed = self.paid.number * self.terms.fixed_amount
            adjustment = self.total - per_unit - fixed
        return {
            "units": plain(self.units),
            "free_units": plain(self.free.units),
            "free_events": self.free.number,
            "paid_units": plain(self.paid.units),
            "rate": plain(self.terms.rate),
            "per_unit_total_amount": plain(per_unit),
            "paid_events": self.paid.number,
            "fixed_fee_unit_amount": plain(self.terms.fixed_amount),
            "fixed_fee_total_amount": plain(fixed),
            "min_max_adjustment_total_amount": plain(adjustment),
        }

    def steps(self) -> Steps:
        free, rated = self.free, self.paid
        if self.events is not None:
            free, rated = self.events[_FREE], self.events.get(_RATE, _NO_EVENTS)
        steps = [free_step(free.units, free.number)] if free.number or free.units else []
        steps.append(percent_step(rated.units, self.terms.rate))
        steps.append(flat_step(self.terms.fixed_amount, rated.number, reason="event"))
        for kind in (_LEAST, _MOST):
            held = (self.events or {}).get(kind, _NO_EVENTS)
            if held.number:
                limit, units = self.terms.limit(kind), plain(held.units)
                steps.append(flat_step(limit, held.number, reason=kind, units=units))
        return tuple(steps)
