"""Dynamic charge: every event brings its own amount."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Steps, minor_step
from billing_core.domain.charges.terms import NOTHING, Price, Terms, Usage
from billing_core.domain.errors import Problems


@dataclass(frozen=True)
class Dynamic(Terms):
    """The sum of the events' `precise_total_amount_cents` (`docs/rules/metering.md` 3.10).

    Only events that took part in the units bring their amount, and zero units cost nothing.
    """

    charge_model = "dynamic"
    keys = ()
    defaults = {}  # noqa: RUF012 - declared ClassVar in Terms

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:  # noqa: ARG003 - one signature for all models
        return {}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Return the amount that came with the events."""
        return price_given(usage) if usage.units else NOTHING


def price_given(usage: Usage) -> Price:
    """Return `usage.amount_cents` in major units. Call it in `exact_context`."""
    assert usage.amount_cents is not None, "the amount of the events is missing"
    assert usage.subunit > 0, "the subunit of the amount is missing"
    amount = usage.amount_cents / usage.subunit
    return Price(amount, usage.units, _Given(usage.amount_cents, usage.subunit))


class _Given(NamedTuple):
    minor: Decimal
    subunit: int

    def details(self) -> dict[str, Any]:
        return {}

    def steps(self) -> Steps:
        return (minor_step(self.minor, self.subunit),)
