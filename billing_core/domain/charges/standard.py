"""Standard charge: every unit costs the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Steps, unit_step
from billing_core.domain.charges.terms import Price, Terms, Usage, read_decimal
from billing_core.domain.errors import Problems


@dataclass(frozen=True)
class Standard(Terms):
    """`amount` in major units per unit (`docs/rules/metering.md` 3.3)."""

    charge_model = "standard"
    keys = ("amount",)
    defaults = {"amount": "0"}  # noqa: RUF012 - declared ClassVar in Terms

    is_projected_by_units = True

    amount: Decimal

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        return {"amount": read_decimal(stored.get("amount"), "invalid_amount", problems)}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Return units times price; prorated units are spread over the full ones."""
        working = _Multiplied(usage.units, self.amount)
        return Price(usage.units * self.amount, usage.shown_units, working)


class _Multiplied(NamedTuple):
    units: Decimal
    amount: Decimal

    def details(self) -> dict[str, Any]:
        return {}

    def steps(self) -> Steps:
        return (unit_step(self.units, self.amount),)
