"""Graduated charge: each tier prices the units that fall into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.domain.charges.terms import ZERO, Price, Terms, Usage, average
from billing_core.domain.charges.tiers import Tier, read_tiers
from billing_core.domain.errors import Problems
from billing_core.domain.money import plain

ADJACENT_OR_NEXT = frozenset({0, 1})


@dataclass(frozen=True)
class Graduated(Terms):
    """Tiers are walked from the first up to the units; each visited one adds its flat amount.

    Both notations give the same split: 0-10, 11-20 (whole-unit bounds) and 0-10, 10-20 (adjacent
    bounds). The first tier's flat amount is due at zero units (`docs/rules/metering.md` 3.4).
    """

    charge_model = "graduated"
    keys = ("graduated_ranges",)
    defaults = {  # noqa: RUF012 - declared ClassVar in Terms
        "graduated_ranges": [
            {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
        ]
    }

    tiers: tuple[Tier, ...]

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        return {"tiers": read_tiers(stored, "graduated_ranges", ADJACENT_OR_NEXT, problems)}

    @property
    def is_adjacent(self) -> bool:
        """Whether every tier starts exactly where the previous one ends."""
        return len(self.tiers) > 1 and all(
            upper.from_value == lower.to_value
            for lower, upper in zip(self.tiers, self.tiers[1:], strict=False)
        )

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Add up the visited tiers; details list them."""
        total = ZERO
        visited: list[dict[str, Any]] = []
        # A tier that starts at a whole unit above the previous end holds that unit as well.
        first_unit = ZERO if self.is_adjacent else Decimal(1)
        for tier in self.tiers:
            reached = usage.units if tier.to_value is None else min(usage.units, tier.to_value)
            below = tier.from_value - first_unit if tier.from_value else ZERO
            tier_units = max(reached - below, ZERO)
            per_unit = tier_units * tier.per_unit_amount
            total += per_unit + tier.flat_amount
            visited.append(_details(tier, tier_units, per_unit))
            if tier.to_value is None or tier.to_value >= usage.units:
                break
        return Price(total, average(total, usage.units), {"graduated_ranges": visited})


def _details(tier: Tier, units: Decimal, per_unit: Decimal) -> dict[str, Any]:
    return {
        "from_value": tier.from_shown,
        "to_value": tier.to_shown,
        "flat_unit_amount": plain(tier.flat_amount),
        "per_unit_amount": plain(tier.per_unit_amount if units else ZERO),
        "units": plain(units),
        "per_unit_total_amount": plain(per_unit),
        "total_with_flat_amount": plain(per_unit + tier.flat_amount),
    }
