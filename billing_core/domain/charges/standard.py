"""Standard charge: every unit costs the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.domain.charges.terms import ZERO, Price, Terms, Usage, read_decimal
from billing_core.domain.errors import Problems


@dataclass(frozen=True)
class Standard(Terms):
    """`amount` in major units per unit (`docs/rules/metering.md` 3.3)."""

    charge_model = "standard"
    keys = ("amount",)
    defaults = {"amount": "0"}  # noqa: RUF012 - declared ClassVar in Terms

    amount: Decimal

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        return {"amount": read_decimal(stored.get("amount"), "invalid_amount", problems)}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Return units times price; without units the unit amount is 0 too."""
        return Price(usage.units * self.amount, self.amount if usage.units else ZERO)
