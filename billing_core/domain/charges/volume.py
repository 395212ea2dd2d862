"""Volume charge: the tier that the total reaches prices all units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing_core.domain.charges.terms import Price, Terms, Usage, average
from billing_core.domain.charges.tiers import Tier, read_tiers
from billing_core.domain.errors import Problems
from billing_core.domain.money import plain

NEXT_OR_HOLE = frozenset({1, 2})


@dataclass(frozen=True)
class Volume(Terms):
    """All units at one tier's price, plus its flat amount (`docs/rules/metering.md` 3.5).

    Validation lets a hole of one unit through (0-100, 102 and up); what falls into it is priced by
    the next tier.
    """

    charge_model = "volume"
    keys = ("volume_ranges",)
    defaults = {  # noqa: RUF012 - declared ClassVar in Terms
        "volume_ranges": [
            {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
        ]
    }

    tiers: tuple[Tier, ...]

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        return {"tiers": read_tiers(stored, "volume_ranges", NEXT_OR_HOLE, problems)}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Price by the first tier that reaches up to the units."""
        tier = next(
            tier for tier in self.tiers if tier.to_value is None or usage.units <= tier.to_value
        )
        per_unit = usage.units * tier.per_unit_amount
        total = per_unit + tier.flat_amount
        details = {
            "flat_unit_amount": plain(tier.flat_amount),
            "per_unit_amount": plain(tier.per_unit_amount),
            "per_unit_total_amount": plain(per_unit),
        }
        return Price(total, average(total, usage.units), details)
