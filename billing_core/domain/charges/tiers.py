"""Tiers of graduated and volume prices: reading them, refusing lists with gaps, walking them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

from billing_core.domain.charges.terms import PROPERTIES, ZERO, read_bound, read_decimal
from billing_core.domain.errors import Problems
from billing_core.domain.money import exact_context, plain

MAX_TIERS = 1000  # a bound for pricing time, far beyond any price list
ADJACENT_OR_NEXT = frozenset({0, 1})


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: bounds in units (`to_value` None is open), amounts in major units.

    `below` is how many units lie below it when the tiers are walked, `whole` what it costs when
    full, `bounds` what a step says of it; `from_shown` and `to_shown` are the bounds as they were
    sent. A tier of percentages has hundredths as its unit amounts.
    """

    from_value: Decimal
    to_value: Decimal | None
    per_unit_amount: Decimal
    flat_amount: Decimal
    below: Decimal
    from_shown: Any
    to_shown: Any
    whole: Decimal = field(init=False)
    bounds: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Work out what a full tier costs and how a step names the tier."""
        upper = self.to_value
        with exact_context():
            units = ZERO if upper is None else upper - self.below
            object.__setattr__(self, "whole", units * self.per_unit_amount + self.flat_amount)
        shown = {"from_value": plain(self.from_value), "to_value": upper and plain(upper)}
        object.__setattr__(self, "bounds", shown)


def walk(tiers: Sequence[Tier], units: Decimal) -> tuple[Decimal, Tier, Decimal]:
    """Return the amount of all tiers up to the one that holds `units`, that tier, and its units.

    Every visited tier adds its flat amount, the first one even without units. Call it in
    `exact_context`.
    """
    total = ZERO
    for tier in tiers:
        if tier.to_value is None or tier.to_value >= units:
            break
        total += tier.whole
    held = units - tier.below
    if held < ZERO:  # noqa: PLR1730 - a call costs more than all the rest of a tier
        held = ZERO  # less than the one unit that a first tier from 1 may leave out
    return total + held * tier.per_unit_amount + tier.flat_amount, tier, held


def visited(tiers: Sequence[Tier], last: Tier, held: Decimal) -> Iterator[tuple[Tier, Decimal]]:
    """Yield the tiers of a walk with the units in each: all are full but the last one.

    Use it in `exact_context`.
    """
    for tier in tiers:
        if tier is last or tier.to_value is None:
            break
        yield tier, tier.to_value - tier.below
    yield last, held


def read_tiers(
    stored: Mapping[str, Any],
    key: str,
    steps: frozenset[int],
    problems: Problems,
    price: tuple[str, str] = ("per_unit_amount", "invalid_amount"),
) -> tuple[Tier, ...]:
    """Read the tiers under `key`, noting `missing_<key>`, `invalid_<key>` or a price's code.

    `steps` is how far the next tier's from_value may lie above the previous to_value; `price` names
    the key of a tier's unit price and the code of a wrong one. The first tier starts at 0 or 1 and
    only the last one is open (`docs/rules/metering.md` 3.1).
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
    return tuple(_tier(tier, price, problems) for tier in ranges)


def meet(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Let tiers start where the previous one ends, if every boundary of the list is so written.

    Otherwise each starts at a whole unit above the previous end and holds that unit as well
    (`docs/rules/metering.md` 3.4).
    """
    pairs = list(pairwise(tiers))
    if pairs and all(upper.from_value == lower.to_value for lower, upper in pairs):
        return tuple(replace(tier, below=tier.from_value) for tier in tiers)
    return tuple(tiers)


def _tier(tier: dict[str, Any], price: tuple[str, str], problems: Problems) -> Tier:
    start = read_bound(tier.get("from_value")) or ZERO
    key, code = price
    with exact_context():
        below = start - 1 if start else ZERO
    return Tier(
        from_value=start,
        to_value=read_bound(tier.get("to_value")),
        per_unit_amount=read_decimal(tier.get(key), code, problems),
        flat_amount=read_decimal(tier.get("flat_amount"), "invalid_amount", problems),
        below=below,
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
