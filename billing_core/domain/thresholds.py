"""Usage thresholds: how far lifetime usage has come towards each, and which it has just passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from billing_core.domain.money import exact_context, quantize, split_minor

RATIO_PLACES = 15
# of a recurring threshold so many reached steps are told, the last ones
MOST_STEPS = 100
NOT_BEGUN = Decimal(0)
REACHED = Decimal(1)


@dataclass(frozen=True, slots=True)
class Completion:
    """A threshold in minor units and the share of the way to it, from 0 to 1, 15 decimals."""

    amount_cents: int
    ratio: Decimal


class Crossed(NamedTuple):
    """The fixed thresholds that were passed, rising, and whether the recurring one was."""

    fixed: tuple[int, ...]
    recurring: bool


def crossed(fixed: Sequence[int], recurring: int | None, before: int, used: int) -> Crossed:
    """Return which thresholds new usage passes, all in minor units.

    `before` is the lifetime usage that was looked at before, `used` what has come since; below zero
    it passes nothing. `fixed` are rising. The recurring threshold counts from the largest fixed one
    while that is ahead, then in steps of all usage (`docs/rules/subscriptions.md` 8.3).
    """
    largest, total = (fixed[-1] if fixed else 0), before + used
    if used < 0:
        return Crossed((), recurring=False)
    if before < largest:
        passed = tuple(amount for amount in fixed if before < amount <= total)
        return Crossed(passed, recurring=recurring is not None and total - largest >= recurring)
    return Crossed((), recurring=recurring is not None and used + before % recurring >= recurring)


def share_of_credit(credit: int, matched: Sequence[int], amounts: Sequence[int]) -> list[int]:
    """Divide a credit over fees, all in minor units; the shares add up to it.

    `matched` is what was billed of each fee before, at most its amount, `amounts` the fees, which
    together are at least the credit. What was billed before comes first.
    """
    first = min(credit, sum(matched))
    left = [amount - share for amount, share in zip(amounts, matched, strict=True)]
    both = zip(split_minor(first, matched), split_minor(credit - first, left), strict=True)
    return [one + other for one, other in both]


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
        first = max(1, passed - MOST_STEPS + 1)
        amounts += [last + recurring * number for number in range(first, passed + 2)]
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
