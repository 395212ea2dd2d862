"""Prepaid credit: what credits are worth, which wallets pay what, and what usage will take.

Money is in minor units, credits are decimals of five places; the rate is the money value, in major
units, of one credit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from billing_core.domain.money import (
    exact_context,
    major_from_minor,
    minor_from_major,
    quantize,
    round_half_up,
)

CREDIT_PLACES = 5
SMALLEST_PART = Decimal(1).scaleb(-CREDIT_PLACES)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Amount:
    """Some money and the credits it stands for."""

    cents: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Use:
    """What usage or a fee is for, as wallets tell it apart.

    `metric` is None for fees that no metric measures. With a `target` only the wallet of that code
    pays (`docs/rules/money.md` 4.1.6).
    """

    fee_type: str
    metric: Any = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is to be paid for one kind of use; it may hold fractions of a minor unit."""

    use: Use
    cents: Decimal


@dataclass(frozen=True, slots=True)
class Pocket:
    """A wallet that may pay: what it holds, and what it pays for, anything without limits.

    `is_refilled` tells that a threshold rule buys new credits when they run out.
    """

    balance_cents: int
    code: str | None = None
    fee_types: frozenset[str] = frozenset()
    metrics: frozenset[Any] = frozenset()
    is_refilled: bool = False

    def accepts(self, use: Use) -> bool:
        """Tell whether the wallet pays for a use (`docs/rules/money.md` 4.1.5, 4.1.6)."""
        if use.target is not None:
            return use.target == self.code
        if not self.fee_types and not self.metrics:
            return True
        return use.fee_type in self.fee_types or use.metric in self.metrics


def floored(credit_amount: Decimal) -> Decimal:
    """Cut a wished quantity of credits to five decimals (`docs/rules/money.md` 4.1.4)."""
    with exact_context():
        return credit_amount.quantize(SMALLEST_PART, rounding=ROUND_DOWN)


def credits_of(cents: int, rate: Decimal, currency: str) -> Decimal:
    """Return the credits that money buys, rounded to five decimals."""
    with exact_context():
        return quantize(major_from_minor(cents, currency) / rate, CREDIT_PLACES)


def bought(wished: Decimal, rate: Decimal, currency: str) -> Amount:
    """Return what a wished quantity comes to: only whole minor units are bought (4.1.1)."""
    with exact_context():
        cents = minor_from_major(wished * rate, currency)
    return Amount(cents, credits_of(cents, rate, currency))


def voided(held: Amount, wished: Decimal, rate: Decimal, currency: str) -> Amount:
    """Return what a void of some credits takes: they are kept raw (4.1.1, example E23).

    Its money is what the balance loses when the credits that stay are rounded, not the rounded
    worth of the void by itself: so money and credits never drift apart, and run out together.
    """
    with exact_context():
        left = minor_from_major((held.credits - wished) * rate, currency)
    return Amount(max(held.cents - left, 0), wished)


def spent(held: Amount, cents: int, rate: Decimal, currency: str) -> Amount:
    """Return what a payment takes: the last money takes all credits, others never more."""
    if cents == held.cents:
        return held
    return Amount(cents, min(credits_of(cents, rate, currency), held.credits))


def buckets_of(parts: Iterable[Bucket], total_cents: int) -> list[Bucket]:
    """Add up what fees leave to pay by use, the largest first (`docs/rules/money.md` 4.3.2, 4.3.3).

    Fractions that the invoice's one rounding has added go to the largest bucket, so that a wallet
    can pay the last minor unit.
    """
    sums: dict[Use, Decimal] = {}
    with exact_context():
        for part in parts:
            sums[part.use] = sums.get(part.use, ZERO) + part.cents
        found = [Bucket(use, cents) for use, cents in sums.items() if cents > 0]
        found.sort(key=lambda one: -one.cents)
        missing = total_cents - sum((one.cents for one in found), ZERO)
        if 0 < missing <= len(found):
            found[0] = replace(found[0], cents=found[0].cents + missing)
    return found


def payments(pockets: Sequence[Pocket], buckets: Sequence[Bucket], total_cents: int) -> list[int]:
    """Return what each wallet, in the order of use, pays of an invoice's total (4.3.4).

    Each rounds once; together they never pay more than the total, none more than it holds.
    """
    left = [bucket.cents for bucket in buckets]
    due = total_cents
    paid: list[int] = []
    with exact_context():
        for pocket in pockets:
            most = min(pocket.balance_cents, due)
            exact = ZERO
            for place, bucket in enumerate(buckets):
                if pocket.accepts(bucket.use):
                    part = min(left[place], most - exact)
                    left[place] -= part
                    exact += part
            amount = min(round_half_up(exact), most)
            due -= amount
            paid.append(amount)
    return paid


def foreseen(pockets: Sequence[Pocket], nets: Mapping[Use, int]) -> list[int]:
    """Return what usage that is not paid yet will take of each wallet, in the order of use (4.5.2).

    `nets` are minor units by use; one that was billed too much is negative and lessens the rest.
    The last wallet that accepts a use takes what is left of it, even if it falls below zero, and so
    does the first that is refilled.
    """
    budget = max(sum(nets.values()), 0)
    taken = [0] * len(pockets)
    for use, net in sorted(nets.items(), key=lambda one: (-one[1], str(one[0]))):
        accepting = [place for place, pocket in enumerate(pockets) if pocket.accepts(use)]
        open_cents = min(net, budget)
        if open_cents <= 0 or not accepting:
            continue
        budget -= open_cents
        for place in accepting:
            held = max(pockets[place].balance_cents - taken[place], 0)
            takes_all = place == accepting[-1] or pockets[place].is_refilled
            part = open_cents if takes_all else min(open_cents, held)
            taken[place] += part
            open_cents -= part
    return taken
