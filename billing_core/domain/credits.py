"""Credit notes: what unused days are worth, a note's taxes and rounding, and the use of balances.

All amounts are minor units of one currency; `precise_*` ones keep five decimals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from billing_core.domain.calendar import DAY, SubscriptionTimes, local_date
from billing_core.domain.invoice import PERCENT, RATE_PLACES, ZERO, TaxRate
from billing_core.domain.money import exact_context, quantize, round_half_up

ITEM_PLACES = 5
SMALLEST_PART = Decimal(1).scaleb(-ITEM_PLACES)


@dataclass(frozen=True, slots=True)
class PaidDays:
    """How the days of a fee that was paid in advance divide; `period` counts the whole period."""

    used: int
    unused: int
    period: int

    def worth(self, days: int, plan_amount_cents: int) -> Decimal:
        """Return the unrounded price of some of the days, in minor units."""
        with exact_context():
            return Decimal(days * plan_amount_cents) / self.period


def paid_days(
    times: SubscriptionTimes,
    fee_from: datetime,
    ended_at: datetime,
    *,
    upgraded: bool,
    trial_end: datetime | None = None,
) -> PaidDays:
    """Divide the period in which a subscription ended (`docs/rules/subscriptions.md` 2.7).

    All days are the customer's. That of the end is used, except after an upgrade: the new plan pays
    for it. Nothing is used of what was paid if the trial ended on that day, or would have later.
    """
    last_used = local_date(ended_at, times.tz)
    _, last_paid = times.grid().period(last_used)
    length = times.grid().length(last_used)
    if upgraded:
        last_used -= DAY
    first_paid = local_date(fee_from, times.tz)
    if trial_end is not None:
        first_paid = max(first_paid, min(local_date(trial_end, times.tz), last_paid + DAY))
        if local_date(trial_end, times.tz) >= last_used:
            last_used = first_paid - DAY
    used = max((last_used - first_paid).days + 1, 0)
    return PaidDays(used=used, unused=(last_paid - last_used).days, period=length)


def unused_amount(
    days: PaidDays, plan_amount_cents: int, fee_amount_cents: int, credited_before: Decimal
) -> Decimal:
    """Return what a note takes back of a fee: never more than is left, cut to five decimals.

    Source: `docs/rules/money.md` 3.17; `plan_amount_cents` is the plan's price of a whole period as
    the fee remembers it, `credited_before` the sum of the fee's earlier items.
    """
    with exact_context():
        left = min(days.worth(days.unused, plan_amount_cents), Decimal(fee_amount_cents))
        return max(left - credited_before, ZERO).quantize(SMALLEST_PART, rounding=ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class NoteLine:
    """A part of a fee that a note takes back, before coupons and taxes.

    `key` is the caller's name for the fee; the coupons and taxes are those of the whole fee.
    """

    key: Any
    fee_amount_cents: int
    precise_coupons_amount_cents: Decimal
    precise_amount_cents: Decimal
    taxes: tuple[TaxRate, ...]

    @property
    def coupons(self) -> Decimal:
        """The part's share of the fee's coupons, unrounded."""
        if not self.fee_amount_cents:
            return ZERO
        return self.precise_coupons_amount_cents * self.precise_amount_cents / self.fee_amount_cents

    @property
    def taxable(self) -> Decimal:
        """The part less its coupons."""
        return self.precise_amount_cents - self.coupons


@dataclass(frozen=True, slots=True)
class NoteTax:
    """One tax of a note; base and amount are each rounded for themselves."""

    tax: TaxRate
    base_amount_cents: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class NoteTotals:
    """The amounts of a note. `exact_cents` is items less coupons plus taxes, before rounding."""

    precise_coupons_adjustment_amount_cents: Decimal
    sub_total_excluding_taxes_amount_cents: int
    precise_taxes_amount_cents: Decimal
    taxes_rate: Decimal
    exact_cents: Decimal
    applied_taxes: tuple[NoteTax, ...]

    @property
    def coupons_adjustment_amount_cents(self) -> int:
        """The coupons' share, as it is shown."""
        return round_half_up(self.precise_coupons_adjustment_amount_cents)

    @property
    def taxes_amount_cents(self) -> int:
        """The taxes, rounded once."""
        return round_half_up(self.precise_taxes_amount_cents)

    @property
    def rounded_cents(self) -> int:
        """What the note is worth before it is aligned; a request may be one off."""
        return round_half_up(self.exact_cents)

    @property
    def total_amount_cents(self) -> int:
        """What the note is worth, aligned so that sub total and taxes add up to it."""
        return self.aligned(self.rounded_cents)

    def aligned(self, total_amount_cents: int) -> int:
        """Move a total one minor unit towards sub total plus taxes (`docs/rules/money.md` 3.9)."""
        wanted = self.sub_total_excluding_taxes_amount_cents + self.taxes_amount_cents
        return total_amount_cents + (wanted > total_amount_cents) - (wanted < total_amount_cents)


def note_totals(lines: Sequence[NoteLine], rounding_before: Decimal = ZERO) -> NoteTotals:
    """Return the amounts of a note (`docs/rules/money.md` 3.5 to 3.7).

    `rounding_before` is what rounding has added to the taxes of the invoice's other notes: the note
    that takes back the last of an invoice gives it back, any other passes nothing.
    """
    with exact_context():
        items = sum((line.precise_amount_cents for line in lines), ZERO)
        coupons = quantize(sum((line.coupons for line in lines), ZERO), ITEM_PLACES)
        taxes = sum((_tax(line) for line in lines), ZERO) - rounding_before
        precise_taxes = quantize(taxes, ITEM_PLACES)
        applied = _applied_taxes(lines)
        return NoteTotals(
            precise_coupons_adjustment_amount_cents=coupons,
            sub_total_excluding_taxes_amount_cents=round_half_up(items - coupons),
            precise_taxes_amount_cents=precise_taxes,
            taxes_rate=_rate(lines),
            exact_cents=items - coupons + precise_taxes,
            applied_taxes=applied,
        )


def gross(charged: Sequence[tuple[int, Decimal]]) -> int:
    """Return what fees cost with their taxes, coupons left out (`docs/rules/money.md` 3.8).

    `charged` are pairs of an amount in minor units and the sum of its tax rates in percent.
    """
    with exact_context():
        taxes = sum((amount * rate for amount, rate in charged), ZERO) / PERCENT
        return sum(amount for amount, _ in charged) + round_half_up(taxes)


def creditable(remaining: Sequence[NoteLine], fees_cents: int, reductions_cents: int) -> Decimal:
    """Return how much notes may still take back of an invoice; it may be fractional (3.11).

    `remaining` is what is left of each fee, `reductions_cents` what coupons and progressive billing
    took off all the fees, `fees_cents`.
    """
    if not fees_cents:
        return ZERO
    with exact_context():
        left = sum((line.precise_amount_cents for line in remaining), ZERO)
        taxes = round_half_up(sum((_tax(line) for line in remaining), ZERO))
        return left - left * reductions_cents / fees_cents + taxes


def refund_of(total_amount_cents: int, paid_share: Decimal, used_value: int) -> int:
    """Return what of a note goes back as money: what was paid beyond the days used.

    Source: `docs/rules/money.md` 3.17; never below 0 nor above the note's total.
    """
    with exact_context():
        return min(max(round_half_up(paid_share - used_value), 0), total_amount_cents)


def paid_share(paid_cents: int, fee_with_taxes: Decimal, invoice_with_taxes_cents: int) -> Decimal:
    """Return which part of the payments of an invoice paid for one of its fees."""
    if not invoice_with_taxes_cents:
        return ZERO
    with exact_context():
        return paid_cents * fee_with_taxes / invoice_with_taxes_cents


def uses(total_amount_cents: int, balances: Sequence[int]) -> list[int]:
    """Return how much each balance, the oldest first, pays of a total (`docs/rules/money.md` 3.14).

    Together never more than the total, each never more than the balance.
    """
    left = total_amount_cents
    taken: list[int] = []
    for balance in balances:
        use = min(balance, left)
        taken.append(use)
        left -= use
    return taken


def spread(credit_cents: int, remaining_cents: int, unpaid: Sequence[Decimal]) -> list[Decimal]:
    """Return which part of a credit pays each fee, by what the fees leave unpaid (E38).

    `remaining_cents` is the invoice's total before the credit, not 0.
    """
    with exact_context():
        return [
            quantize(credit_cents * max(amount, ZERO) / remaining_cents, ITEM_PLACES)
            for amount in unpaid
        ]


def _tax(line: NoteLine) -> Decimal:
    return line.taxable * sum((tax.rate for tax in line.taxes), ZERO) / PERCENT


def _applied_taxes(lines: Sequence[NoteLine]) -> tuple[NoteTax, ...]:
    bases: dict[str, tuple[TaxRate, Decimal]] = {}
    for line in lines:
        for tax in line.taxes:
            _, base = bases.get(tax.code, (tax, ZERO))
            bases[tax.code] = (tax, base + line.taxable)
    return tuple(
        NoteTax(tax, round_half_up(base), round_half_up(base * tax.rate / PERCENT))
        for tax, base in bases.values()
    )


def _rate(lines: Sequence[NoteLine]) -> Decimal:
    """Weigh the rates with their bases; 0 when nothing is taxed."""
    base = sum((line.taxable for line in lines), ZERO)
    if not base:
        return ZERO
    return quantize(sum((_tax(line) for line in lines), ZERO) * PERCENT / base, RATE_PLACES)
