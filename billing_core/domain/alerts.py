"""Alerts: which thresholds a value passes on its way up, or on its way down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from billing_core.domain.money import exact_context

Direction = Literal["increasing", "decreasing"]
ZERO = Decimal(0)
# of a recurring threshold so many steps are named, those nearest to the value
MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class AlertThreshold:
    """A value that is watched; a recurring one, above zero, is the distance between steps.

    Values are minor units of money, or units of a metric or of credit, as the alert's type says.
    """

    value: Decimal
    recurring: bool = False
    code: str | None = None


def crossed(
    thresholds: Sequence[AlertThreshold],
    previous: Decimal,
    current: Decimal,
    direction: Direction = "increasing",
) -> list[AlertThreshold]:
    """Return the thresholds passed from `previous` to `current`, in the order they were reached.

    A step of a recurring threshold is returned with its own value. A previous value that sits on a
    threshold or a step has reached it before (`docs/rules/subscriptions.md` 10).
    """
    if direction == "increasing":
        return _increasing(thresholds, previous, current)
    mirrored = [one if one.recurring else _negated(one) for one in thresholds]
    return [_negated(one) for one in _increasing(mirrored, -previous, -current)]


def _increasing(
    thresholds: Sequence[AlertThreshold], previous: Decimal, current: Decimal
) -> list[AlertThreshold]:
    once = sorted((one for one in thresholds if not one.recurring), key=lambda one: one.value)
    if current <= previous or (once and current < once[0].value):
        return []
    passed = [one for one in once if previous < one.value <= current]
    last = once[-1].value if once else ZERO
    for one in thresholds:
        if one.recurring:
            passed += _steps(one, last, previous, current)
    return passed


def _steps(
    recurring: AlertThreshold, start: Decimal, previous: Decimal, current: Decimal
) -> list[AlertThreshold]:
    """Return the steps behind `start` that lie in `(previous, current]`."""
    with exact_context():
        first = int((max(previous, start) - start) // recurring.value) + 1
        last = int((current - start) // recurring.value) if current > start else 0
        first = max(first, last - MOST_STEPS + 1)
        return [
            replace(recurring, value=start + number * recurring.value)
            for number in range(first, last + 1)
        ]


def _negated(one: AlertThreshold) -> AlertThreshold:
    return replace(one, value=-one.value)
