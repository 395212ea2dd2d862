"""What coupons take off an invoice, and how it is spread over the fees.

Amounts are minor units of the invoice's currency; what a fee loses keeps five decimals.
Source: `docs/rules/money.md` 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_core.domain.invoice import PERCENT, ZERO
from billing_core.domain.money import exact_context, quantize, round_half_up

SHARE_PLACES = 5
HELD_PLACES = 2


@dataclass(frozen=True, slots=True)
class Discount:
    """A coupon of a customer: at most `amount_cents`, or else `percentage_rate` of its base.

    `fees` are the positions of the fees that it is limited to, None where it is not limited.
    """

    amount_cents: int | None
    percentage_rate: Decimal | None
    fees: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class DiscountedFee:
    """A fee and what was taken off it before taxes so far."""

    amount_cents: int
    taken_cents: Decimal = ZERO

    @property
    def left_cents(self) -> Decimal:
        """What can be taken off it still."""
        return self.amount_cents - self.taken_cents


def apply(
    discounts: Sequence[Discount], fees: Sequence[DiscountedFee], subtotal_cents: int
) -> tuple[list[int], list[DiscountedFee]]:
    """Return what each discount takes off, 0 where it finds nothing, and the fees afterwards.

    `subtotal_cents` is the sum of the fees less progressive billing credits; the coupons take their
    turns until nothing of it is left (2.3 to 2.7).
    """
    amounts: list[int] = []
    after = list(fees)
    with exact_context():
        for discount in discounts:
            positions = range(len(after)) if discount.fees is None else sorted(discount.fees)
            base = Decimal(subtotal_cents)
            if discount.fees is not None:
                base = sum((after[position].left_cents for position in positions), ZERO)
            amount = min(_amount(discount, base), subtotal_cents)
            for position in positions if amount else ():
                after[position] = _lowered(after[position], amount, base)
            amounts.append(amount)
            subtotal_cents -= amount
    return amounts, after


def _amount(discount: Discount, base: Decimal) -> int:
    """Return whole minor units, no more than the base holds, so that the fees lose just as much.

    A base that misses a whole one only by the five decimals of its parts holds it.
    """
    held = max(int(quantize(base, HELD_PLACES)), 0)
    if discount.percentage_rate is None:
        assert discount.amount_cents is not None, "a coupon has an amount or a percentage"
        return min(discount.amount_cents, held)
    return min(round_half_up(base * discount.percentage_rate / PERCENT), held)


def _lowered(fee: DiscountedFee, amount: int, base: Decimal) -> DiscountedFee:
    taken = quantize(fee.taken_cents + amount * fee.left_cents / base, SHARE_PLACES)
    return DiscountedFee(fee.amount_cents, min(taken, Decimal(fee.amount_cents)))
