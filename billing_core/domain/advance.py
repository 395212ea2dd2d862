"""Charges in advance: the price of one event, and the high-water mark that says what is new."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges import NOTHING, Price, Steps, Terms, Usage, charge_price
from billing_core.domain.charges.steps import at_least_step, minus_step
from billing_core.domain.money import exact_context, plain, quantize, round_half_up
from billing_core.domain.recurring import ceil5

ZERO = Decimal(0)
AVERAGE_PLACES = 2
_FIRST_FLAT = frozenset({"graduated", "graduated_percentage"})


@dataclass(frozen=True, slots=True)
class HighWater:
    """How far the units of one charge, bucket and group have come in a period, and the most paid.

    `maximum` is None before the first event; every period starts so, also for recurring metrics
    (`docs/rules/metering.md` 3.16 and 8.11).
    """

    current: Decimal = ZERO
    maximum: Decimal | None = None

    def after(self, value: Decimal) -> "Rise":
        """Return what an event of `value` adds; decreases never refund.

        `value` is the summed property, or for unique_count_agg +1 for the addition of a value that
        is not active, -1 for the removal of an active one and 0 for a repetition.
        """
        with exact_context():
            current = self.current + value
            own = max(value, ZERO)
            if self.maximum is None:
                return Rise(own, own, HighWater(current, current))
            if current <= self.maximum:
                return Rise(ZERO, own, HighWater(current, self.maximum))
            delta = current - self.maximum
            # A mark that began below zero jumps to what has been billed since (example E36).
            return Rise(delta, delta, HighWater(current, max(current, delta)))


class Rise(NamedTuple):
    """What one event adds: newly billed units, the units its fee shows, and the state after it.

    Price it with `advance_price` from `billed - delta` to `billed` units.
    """

    delta: Decimal
    shown_units: Decimal
    state: HighWater

    @property
    def billed(self) -> Decimal:
        """Return the units billed in the period up to this event, never below zero."""
        return max(self.state.maximum or ZERO, ZERO)


def prorated_rise(delta: Decimal, ratio: Decimal) -> Decimal:
    """Return newly billed units for the rest of a period, which is `ratio` of it (5 decimals, up).

    Price them, with `delta` as full units, from nothing: only standard terms are prorated in
    advance (`docs/rules/metering.md` 2.5, example E42).
    """
    with exact_context():
        return ceil5(delta * ratio)


def advance_price(
    terms: Terms, before: Usage, after: Usage, aggregation: str = "sum_agg", *, subunit: int
) -> Price:
    """Price one event: the usage with it less the usage without it, in unrounded major units.

    `before` has one event less (also in `values`) and less by what is newly billed; the difference
    never falls below zero. The first flat amount of graduated terms falls due with the first unit.
    The unit amount is that of the amount rounded to minor units, of which `subunit` make a major
    one. Source: `docs/rules/metering.md` 3.16.
    """
    higher, lower = _evaluate(terms, after, aggregation), _evaluate(terms, before, aggregation)
    with exact_context():
        amount = max(higher.amount - lower.amount, ZERO)
        rounded = Decimal(round_half_up(amount * subunit)) / subunit
        units = after.shown_units - before.shown_units
    return Price(amount, units, _Difference(terms.charge_model, higher, lower), rounded)


def _evaluate(terms: Terms, usage: Usage, aggregation: str) -> Price:
    if usage.units <= ZERO and terms.charge_model in _FIRST_FLAT:
        return NOTHING
    return charge_price(terms, usage, aggregation)


class _Difference(NamedTuple):
    charge_model: str
    higher: Price
    lower: Price

    def details(self) -> dict[str, Any]:
        """Return the differences of the two kinds of percentage; other models show none."""
        higher, lower = self.higher.details, self.lower.details
        if self.charge_model == "percentage":
            return _less(higher, lower, _PERCENTAGE_KEPT)
        if self.charge_model != "graduated_percentage":
            return {}
        key = "graduated_percentage_ranges"
        below = lower.get(key, [])
        tiers = [
            _tier_less(tier, below[place] if place < len(below) else {})
            for place, tier in enumerate(higher.get(key, []))
        ]
        return {key: tiers}

    def steps(self) -> Steps:
        steps = self.higher.steps
        if self.lower.steps:
            steps = (*steps, minus_step(self.lower.steps))
        return (at_least_step(ZERO, steps),) if self.higher.amount < self.lower.amount else steps


_PERCENTAGE_KEPT = frozenset({"rate", "fixed_fee_unit_amount"})
_TIER_KEPT = frozenset({"from_value", "to_value", "rate"})


def _less(higher: dict[str, Any], lower: dict[str, Any], kept: frozenset[str]) -> dict[str, Any]:
    """Return the details of one evaluation less those of another, save for the terms."""
    return {
        key: value if key in kept or key not in lower else _minus(value, lower[key])
        for key, value in higher.items()
    }


def _minus(value: Any, other: Any) -> Any:
    if isinstance(value, int):
        return value - other
    with exact_context():
        return plain(Decimal(value) - Decimal(other))


def _tier_less(tier: dict[str, Any], lower: dict[str, Any]) -> dict[str, Any]:
    """Return what was added to one tier; its total per unit is an average with 2 decimals."""
    less = _less(tier, lower, _TIER_KEPT)
    units, total = Decimal(less["units"]), Decimal(less["total_with_flat_amount"])
    with exact_context():
        average = quantize(total / units, AVERAGE_PLACES) if units else ZERO
    return less | {"per_unit_total_amount": plain(average)}
