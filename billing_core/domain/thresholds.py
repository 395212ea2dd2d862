"""Usage thresholds: how far lifetime usage has come towards each."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_core.domain.money import exact_context, quantize

RATIO_PLACES = 15
NOT_BEGUN = Decimal(0)
REACHED = Decimal(1)


@dataclass(frozen=True, slots=True)
class Completion:
    """A threshold in minor units and the share of the way to it, from 0 to 1, 15 decimals."""

    amount_cents: int
    ratio: Decimal


def completions(fixed: Sequence[int], recurring: int | None, total: int) -> list[Completion]:
    """Return how far `total` has come: the thresholds reached, the next one, and later fixed ones.

    `fixed` are rising; `recurring`, above zero, repeats after the largest of them (after 0 without
    any), and what it lacks is counted from the last amount that was reached
    (`docs/rules/metering.md` 5.4 and 8.24).
    """
    amounts = list(fixed)
    if recurring is not None:
        last = amounts[-1] if amounts else 0
        passed = max(total - last, 0) // recurring
        amounts += [last + recurring * number for number in range(1, passed + 2)]
    before = [0, *amounts]
    return [
        Completion(amount, _ratio(start, amount, total))
        for start, amount in zip(before, amounts, strict=False)
    ]


def _ratio(start: int, amount: int, total: int) -> Decimal:
    if total >= amount:
        return REACHED
    if total <= start:
        return NOT_BEGUN
    with exact_context():
        return quantize(Decimal(total - start) / (amount - start), RATIO_PLACES)
