"""Volume charge: the tier that the total reaches prices all units."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Steps, flat_step, unit_step
from billing_core.domain.charges.terms import NOTHING, ZERO, Price, Terms, Usage
from billing_core.domain.charges.tiers import Tier, read_tiers
from billing_core.domain.errors import Problems
from billing_core.domain.money import exact_context, plain

NEXT_OR_HOLE = frozenset({1, 2})


@dataclass(frozen=True)
class Volume(Terms):
    """All units at one tier's price, plus its flat amount (`docs/rules/metering.md` 3.5).

    Validation lets a hole of one unit through (0-100, 102 and up); what falls into it is priced by
    the next tier. A prorated charge whose full units are below zero costs nothing.
    """

    charge_model = "volume"
    keys = ("volume_ranges",)
    defaults = {  # noqa: RUF012 - declared ClassVar in Terms
        "volume_ranges": [
            {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
        ]
    }

    is_projected_by_units = True

    tiers: tuple[Tier, ...]

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        return {"tiers": read_tiers(stored, "volume_ranges", NEXT_OR_HOLE, problems)}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Price by the first tier that reaches up to the units; full units choose when prorated."""
        reached = usage.shown_units
        if reached < ZERO:
            return NOTHING
        tier = next(
            tier for tier in self.tiers if tier.to_value is None or reached <= tier.to_value
        )
        total = usage.units * tier.per_unit_amount + tier.flat_amount
        return Price(total, reached, _Reached(tier, usage.units))


class _Reached(NamedTuple):
    tier: Tier
    units: Decimal

    def details(self) -> dict[str, Any]:
        with exact_context():
            per_unit = self.units * self.tier.per_unit_amount
        return {
            "flat_unit_amount": plain(self.tier.flat_amount),
            "per_unit_amount": plain(self.tier.per_unit_amount),
            "per_unit_total_amount": plain(per_unit),
        }

    def steps(self) -> Steps:
        about = self.tier.bounds
        return (
            unit_step(self.units, self.tier.per_unit_amount, **about),
            flat_step(self.tier.flat_amount, **about),
        )
