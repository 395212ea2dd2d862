"""Prorated graduated price: each event pays, for its part of the period, the tiers it crosses."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Step, Steps, at_least_step, flat_step, prorated_step
from billing_core.domain.charges.terms import ZERO, Price, Usage
from billing_core.domain.charges.tiers import Tier


class _Piece(NamedTuple):
    """Units that entered (or left, below zero) one tier, counted for `part` of `whole`."""

    tier: Tier
    units: Decimal
    part: Decimal
    whole: Decimal

    def worth(self) -> Fraction:
        price = Fraction(self.units) * Fraction(self.tier.per_unit_amount)
        return price * Fraction(self.part) / Fraction(self.whole)

    def step(self) -> Step:
        price, about = self.tier.per_unit_amount, self.tier.bounds
        return prorated_step(self.units, self.part, self.whole, price, **about)


def price_prorated(tiers: Sequence[Tier], usage: Usage) -> Price:
    """Price `usage.events` one after the other (`docs/rules/metering.md` 3.7, "clean").

    Each event's full units are split over the tiers they cross, upward or downward, and each piece
    costs its share of the event's prorated units times the tier's price; below zero the first tier
    goes on. Pieces in all are worth at least nothing, and nothing when the full units end below
    zero or the prorated units are zero. Flat amounts are whole: those of all tiers up to the one
    the greatest running total reached; of the first alone when the prorated units are zero.
    Call it in `exact_context`.
    """
    pieces, total, peak = _pieces(tiers, usage.events if usage.units else ())
    if total < ZERO:
        pieces = []
    worth = sum((piece.worth() for piece in pieces), Fraction(0))
    visited = _visited(tiers, peak)
    # Ratios such as 1/7 are summed as fractions, so that halves of a cent are seen as such.
    amount = max(Decimal(worth.numerator) / worth.denominator, ZERO)
    amount += sum((tier.flat_amount for tier in visited), ZERO)
    return Price(amount, usage.shown_units, _Prorated(pieces, visited, is_raised=worth < 0))


def _pieces(
    tiers: Sequence[Tier], events: Sequence[tuple[Decimal, Decimal]]
) -> tuple[list[_Piece], Decimal, Decimal]:
    """Return the pieces, one per tier and ratio, and the last and the greatest running total."""
    found: dict[tuple[Decimal, Fraction], _Piece] = {}
    total = peak = ZERO
    for full, prorated in events:
        # An addition that was gone before the period counts nowhere, nor does its removal.
        if not full or (not prorated and (full > ZERO or total + full < ZERO)):
            continue
        ratio = Fraction(prorated) / Fraction(full)
        for tier, units in _crossed(tiers, total, total + full):
            key = (tier.from_value, ratio)
            before = found.get(key)
            if before is None:
                found[key] = _Piece(tier, units, prorated, full)
            else:
                found[key] = before._replace(units=before.units + units)
        total += full
        peak = max(peak, total)
    return list(found.values()), total, peak


def _crossed(tiers: Sequence[Tier], start: Decimal, end: Decimal) -> Iterator[tuple[Tier, Decimal]]:
    """Yield the units of each tier between two running totals, negative on the way down."""
    low, high = min(start, end), max(start, end)
    floor = low
    for tier in tiers:
        ceiling = high if tier.to_value is None else min(high, tier.to_value)
        if ceiling > floor:
            yield tier, ceiling - floor if end > start else floor - ceiling
            floor = ceiling


def _visited(tiers: Sequence[Tier], peak: Decimal) -> Sequence[Tier]:
    last = next(
        place for place, tier in enumerate(tiers) if tier.to_value is None or tier.to_value >= peak
    )
    return tiers[: last + 1]


class _Prorated(NamedTuple):
    pieces: Sequence[_Piece]
    visited: Sequence[Tier]
    is_raised: bool

    def details(self) -> dict[str, Any]:
        return {}

    def steps(self) -> Steps:
        pieces = tuple(piece.step() for piece in self.pieces)
        if self.is_raised:
            pieces = (at_least_step(ZERO, pieces),)
        return (*pieces, *(flat_step(tier.flat_amount, **tier.bounds) for tier in self.visited))
