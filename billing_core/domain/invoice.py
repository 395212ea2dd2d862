"""Invoice totals: fees, coupons, taxes and what is left to pay, each rounded where the law says."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.money import PRECISE_PLACES, exact_context, quantize, round_half_up

ZERO = Decimal(0)
PERCENT = Decimal(100)
RATE_PLACES = 5


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax as it stands on a document; `rate` in percent."""

    id: UUID
    code: str
    name: str
    rate: Decimal
    description: str | None = None


@dataclass(frozen=True, slots=True)
class FeeLine:
    """One fee, in minor units. `key` is the caller's name for it, `taxes` the level that won.

    `precise_amount_cents` is the unrounded amount; `precise_coupons_amount_cents` what coupons and
    progressive billing take off the fee, with 5 decimals.
    """

    key: Any
    amount_cents: int
    precise_amount_cents: Decimal
    taxes: tuple[TaxRate, ...]
    precise_coupons_amount_cents: Decimal = ZERO

    @property
    def taxable_cents(self) -> Decimal:
        """The fee less its coupons."""
        return self.amount_cents - self.precise_coupons_amount_cents


@dataclass(frozen=True, slots=True)
class AppliedTax:
    """One tax on the whole invoice: its own rounded amount, and its truncated base."""

    tax: TaxRate
    amount_cents: int
    fees_amount_cents: int


@dataclass(frozen=True, slots=True)
class FeeTaxes:
    """The taxes of one fee. `applied` pairs each tax with its own rounded amount."""

    key: Any
    taxes_amount_cents: int
    taxes_precise_amount_cents: Decimal
    taxes_rate: Decimal
    applied: tuple[tuple[TaxRate, int], ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """The amounts of an invoice in minor units, `taxes_rate` in percent with 5 decimals.

    `taxes_amount_cents` is rounded once over all fees, so it may differ by some minor units from
    the sum of `fee_taxes` and from the sum of `applied_taxes`; it is the one that is owed.
    """

    fees_amount_cents: int
    coupons_amount_cents: int
    sub_total_excluding_taxes_amount_cents: int
    taxes_amount_cents: int
    taxes_rate: Decimal
    sub_total_including_taxes_amount_cents: int
    total_amount_cents: int
    applied_taxes: tuple[AppliedTax, ...]
    fee_taxes: tuple[FeeTaxes, ...]


def assemble(
    lines: Sequence[FeeLine],
    *,
    coupons_amount_cents: int | None = None,
    progressive_billing_credit_amount_cents: int = 0,
    credit_notes_amount_cents: int = 0,
    prepaid_credit_amount_cents: int = 0,
) -> Totals:
    """Return the totals of `docs/rules/money.md` 1.4.3, 1.4.4, 1.5.3 and 1.5.4.

    Coupons default to what the lines carry, less the progressive billing credit they also carry.
    The total is asserted not to be negative.
    """
    with exact_context():
        fees = sum(line.amount_cents for line in lines)
        coupons = coupons_amount_cents
        if coupons is None:
            carried = sum((line.precise_coupons_amount_cents for line in lines), ZERO)
            coupons = max(round_half_up(carried) - progressive_billing_credit_amount_cents, 0)
        without_taxes = fees - progressive_billing_credit_amount_cents - coupons
        taxes = round_half_up(sum((_exact_tax(line) for line in lines), ZERO))
        with_taxes = without_taxes + taxes
        total = with_taxes - credit_notes_amount_cents - prepaid_credit_amount_cents
        assert total >= 0, total
        return Totals(
            fees_amount_cents=fees,
            coupons_amount_cents=coupons,
            sub_total_excluding_taxes_amount_cents=without_taxes,
            taxes_amount_cents=taxes,
            taxes_rate=_invoice_rate(lines, without_taxes),
            sub_total_including_taxes_amount_cents=with_taxes,
            total_amount_cents=total,
            applied_taxes=_applied_taxes(lines),
            fee_taxes=tuple(tax_fee(line) for line in lines),
        )


def tax_fee(line: FeeLine) -> FeeTaxes:
    """Return the taxes of one fee, rounded for this fee alone (`docs/rules/money.md` 1.4.4)."""
    with exact_context():
        rate = sum((tax.rate for tax in line.taxes), ZERO)
        precise_base = line.precise_amount_cents - line.precise_coupons_amount_cents
        return FeeTaxes(
            key=line.key,
            taxes_amount_cents=round_half_up(_exact_tax(line)),
            taxes_precise_amount_cents=quantize(precise_base * rate / PERCENT, PRECISE_PLACES),
            taxes_rate=rate,
            applied=tuple(
                (tax, round_half_up(line.taxable_cents * tax.rate / PERCENT)) for tax in line.taxes
            ),
        )


def _exact_tax(line: FeeLine) -> Decimal:
    return line.taxable_cents * sum((tax.rate for tax in line.taxes), ZERO) / PERCENT


def _taxed_lines(lines: Sequence[FeeLine]) -> list[tuple[TaxRate, list[FeeLine]]]:
    """Group the lines by tax, in the order in which taxes first appear."""
    taxes: dict[UUID, tuple[TaxRate, list[FeeLine]]] = {}
    for line in lines:
        for tax in line.taxes:
            taxes.setdefault(tax.id, (tax, []))[1].append(line)
    return list(taxes.values())


def _base(lines: Sequence[FeeLine]) -> Decimal:
    return sum((line.taxable_cents for line in lines), ZERO)


def _applied_taxes(lines: Sequence[FeeLine]) -> tuple[AppliedTax, ...]:
    return tuple(
        AppliedTax(
            tax=tax,
            amount_cents=round_half_up(_base(taxed) * tax.rate / PERCENT),
            fees_amount_cents=int(_base(taxed)),
        )
        for tax, taxed in _taxed_lines(lines)
    )


def _invoice_rate(lines: Sequence[FeeLine], without_taxes: int) -> Decimal:
    """Weigh each rate with the share of its base or, when nothing is due, of its fees."""
    if without_taxes:
        weighted = sum((tax.rate * _base(taxed) for tax, taxed in _taxed_lines(lines)), ZERO)
        return quantize(weighted / without_taxes, RATE_PLACES)
    if not lines:
        return ZERO
    weighted = sum((tax.rate * len(taxed) for tax, taxed in _taxed_lines(lines)), ZERO)
    return quantize(weighted / len(lines), RATE_PLACES)
