"""Graduated percentage charge: each tier takes its share of the metered amount that falls in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Step, Steps, flat_step, percent_step
from billing_core.domain.charges.terms import Price, Terms, Usage
from billing_core.domain.charges.tiers import ADJACENT_OR_NEXT, Tier, read_tiers, visited, walk
from billing_core.domain.errors import Problems
from billing_core.domain.money import exact_context, plain

PERCENT = Decimal(100)


@dataclass(frozen=True)
class GraduatedPercentage(Terms):
    """The walk of `Graduated` with `rate` percent of the units instead of a unit price.

    A tier always holds the unit it starts at, so with adjacent bounds (0-10, 10-20) the unit at
    each border is billed in both (`docs/rules/metering.md` 3.9, example E25).
    """

    charge_model = "graduated_percentage"
    keys = ("graduated_percentage_ranges",)
    defaults = {  # noqa: RUF012 - declared ClassVar in Terms
        "graduated_percentage_ranges": [
            {"from_value": 0, "to_value": None, "rate": "0", "flat_amount": "0"}
        ]
    }

    tiers: tuple[Tier, ...]

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        key, price = "graduated_percentage_ranges", ("rate", "invalid_rate")
        percent = read_tiers(stored, key, ADJACENT_OR_NEXT, problems, price)
        with exact_context():
            shares = (replace(tier, per_unit_amount=_share(tier)) for tier in percent)
            return {"tiers": tuple(shares)}

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Add up the visited tiers; details list them."""
        total, last, held = walk(self.tiers, usage.units)
        return Price(total, usage.units, _Walked(self.tiers, last, held))


class _Walked(NamedTuple):
    tiers: Sequence[Tier]
    last: Tier
    held: Decimal

    def details(self) -> dict[str, Any]:
        with exact_context():
            rows = [_details(tier, units) for tier, units in visited(*self)]
        return {"graduated_percentage_ranges": rows}

    def steps(self) -> Steps:
        steps: list[Step] = []
        with exact_context():
            for tier, units in visited(*self):
                about = tier.bounds
                steps.append(percent_step(units, _rate(tier), **about))
                steps.append(flat_step(tier.flat_amount, **about))
        return tuple(steps)


def _share(tier: Tier) -> Decimal:
    return tier.per_unit_amount / PERCENT


def _rate(tier: Tier) -> Decimal:
    return tier.per_unit_amount * PERCENT


def _details(tier: Tier, units: Decimal) -> dict[str, Any]:
    share = units * tier.per_unit_amount
    return {
        "from_value": tier.from_shown,
        "to_value": tier.to_shown,
        "flat_unit_amount": plain(tier.flat_amount),
        "rate": plain(_rate(tier)),
        "units": plain(units),
        "per_unit_total_amount": plain(share),
        "total_with_flat_amount": plain(share + tier.flat_amount),
    }
