"""Graduated charge: each tier prices the units that fall into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges.prorated import price_prorated
from billing_core.domain.charges.steps import Step, Steps, flat_step, unit_step
from billing_core.domain.charges.terms import ZERO, Price, Terms, Usage
from billing_core.domain.charges.tiers import (
    ADJACENT_OR_NEXT,
    Tier,
    meet,
    read_tiers,
    visited,
    walk,
)
from billing_core.domain.errors import Problems
from billing_core.domain.money import exact_context, plain


@dataclass(frozen=True)
class Graduated(Terms):
    """Tiers are walked from the first up to the units; each visited one adds its flat amount.

    Both notations give the same split: 0-10, 11-20 (whole-unit bounds) and 0-10, 10-20 (adjacent
    bounds). The first tier's flat amount is due at zero units (`docs/rules/metering.md` 3.4).
    Prorated usage is priced event by event (3.7).
    """

    charge_model = "graduated"
    keys = ("graduated_ranges",)
    defaults = {  # noqa: RUF012 - declared ClassVar in Terms
        "graduated_ranges": [
            {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
        ]
    }
    is_projected_by_units = True

    tiers: tuple[Tier, ...]

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        return {"tiers": meet(read_tiers(stored, "graduated_ranges", ADJACENT_OR_NEXT, problems))}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Add up the visited tiers; details list them."""
        if usage.full_units is not None:
            return price_prorated(self.tiers, usage)
        total, last, held = walk(self.tiers, usage.units)
        return Price(total, usage.units, _Walked(self.tiers, last, held))


class _Walked(NamedTuple):
    tiers: Sequence[Tier]
    last: Tier
    held: Decimal

    def details(self) -> dict[str, Any]:
        with exact_context():
            return {"graduated_ranges": [_details(tier, units) for tier, units in visited(*self)]}

    def steps(self) -> Steps:
        steps: list[Step] = []
        with exact_context():
            for tier, units in visited(*self):
                about = tier.bounds
                steps.append(unit_step(units, tier.per_unit_amount, **about))
                steps.append(flat_step(tier.flat_amount, **about))
        return tuple(steps)


def _details(tier: Tier, units: Decimal) -> dict[str, Any]:
    per_unit = units * tier.per_unit_amount
    return {
        "from_value": tier.from_shown,
        "to_value": tier.to_shown,
        "flat_unit_amount": plain(tier.flat_amount),
        "per_unit_amount": plain(tier.per_unit_amount if units else ZERO),
        "units": plain(units),
        "per_unit_total_amount": plain(per_unit),
        "total_with_flat_amount": plain(per_unit + tier.flat_amount),
    }
