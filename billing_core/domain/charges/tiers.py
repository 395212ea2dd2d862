"""Tiers of graduated and volume prices: reading them and refusing lists with gaps."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.domain.charges.terms import PROPERTIES, ZERO, read_bound, read_decimal
from billing_core.domain.errors import Problems

MAX_TIERS = 1000  # a bound for pricing time, far beyond any price list


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: bounds in units (`to_value` None is open), amounts in major units.

    `from_shown` and `to_shown` are the bounds as they were sent.
    """

    from_value: Decimal
    to_value: Decimal | None
    per_unit_amount: Decimal
    flat_amount: Decimal
    from_shown: Any
    to_shown: Any


def read_tiers(
    stored: Mapping[str, Any], key: str, steps: frozenset[int], problems: Problems
) -> tuple[Tier, ...]:
    """Read the tiers under `key`, noting `missing_<key>`, `invalid_<key>` or `invalid_amount`.

    `steps` is how far the next tier's from_value may lie above the previous to_value. The first
    tier starts at 0 or 1 and only the last one is open (`docs/rules/metering.md` 3.1).
    """
    ranges = stored.get(key)
    if not isinstance(ranges, list) or not ranges:
        problems.add(PROPERTIES, f"missing_{key}")
        return ()
    if len(ranges) > MAX_TIERS or not all(isinstance(tier, dict) for tier in ranges):
        problems.add(PROPERTIES, f"invalid_{key}")
        return ()
    if not _bounds_fit(ranges, steps):
        problems.add(PROPERTIES, f"invalid_{key}")
    return tuple(_tier(tier, problems) for tier in ranges)


def _tier(tier: dict[str, Any], problems: Problems) -> Tier:
    return Tier(
        from_value=read_bound(tier.get("from_value")) or ZERO,
        to_value=read_bound(tier.get("to_value")),
        per_unit_amount=read_decimal(tier.get("per_unit_amount"), "invalid_amount", problems),
        flat_amount=read_decimal(tier.get("flat_amount"), "invalid_amount", problems),
        from_shown=tier.get("from_value"),
        to_shown=tier.get("to_value"),
    )


def _bounds_fit(ranges: list[dict[str, Any]], steps: frozenset[int]) -> bool:
    previous: Decimal | None = None
    for position, tier in enumerate(ranges):
        is_last = position == len(ranges) - 1
        start, end = read_bound(tier.get("from_value")), read_bound(tier.get("to_value"))
        if start is None:
            return False
        follows = start in (0, 1) if previous is None else start - previous in steps
        closes = tier.get("to_value") is None if is_last else end is not None and end > start
        if not follows or not closes:
            return False
        previous = end
    return True
