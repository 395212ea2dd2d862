"""Fees in advance that were paid: put together on one invoice at the billing run."""

from collections.abc import Sequence
from decimal import Decimal

from billing_core.domain.calendar import local_date
from billing_core.domain.invoice import AppliedTax, TaxRate, Totals
from billing_core.domain.issuing import dates_without_grace
from billing_core.domain.money import exact_context, quantize
from billing_core.services import finalization, invoice_build
from billing_core.services.billing_dates import rules_of
from billing_core.services.fee_lines import BilledLine
from billing_core.store import advance_fees, invoices
from billing_core.store.tables import Fee, FeeAppliedTax
from billing_core.store.unit import Unit

KIND = "advance_charges"
REGROUPED = "invoice"
RATE_PLACES = 2
ZERO = Decimal(0)


async def regroup(unit: Unit, lines: Sequence[BilledLine]) -> None:
    """Invoice the paid fees of the subscriptions that are billed, if one of their charges asks so.

    Those of the running period wait for its end, unless the subscription ends. One charge that asks
    speaks for all of its plan (`docs/rules/metering.md` 3.16, 8.21). The lines share customer and
    currency; the caller holds the customer's lock.
    """
    asked = {line.subscription.id: line for line in lines if _is_asked(line)}
    if not asked:
        return
    fees = [
        fee
        for fee in await advance_fees.paid_fees(unit, asked, unit.now)
        if fee.subscription_id is not None
        and fee.to_datetime is not None
        and (not asked[fee.subscription_id].recurring or fee.to_datetime <= unit.now)
    ]
    if not fees:
        return
    billed = {fee.subscription_id for fee in fees}
    first, *others = (line for key, line in asked.items() if key in billed)
    rules = rules_of(first.subscription.customer)
    dates = dates_without_grace(rules, local_date(unit.now, first.times.tz))
    invoice = await invoice_build.new_invoice(unit, first.subscription, dates, KIND)
    for line in (first, *others):
        invoices.add(unit, invoice_build.line_row(unit, invoice, _collecting(line)))
    for position, fee in enumerate(fees):
        fee.invoice_id, fee.position, fee.updated_at = invoice.id, position, unit.now
    totals = collected(fees)
    invoice_build.write_totals(unit, invoice, totals)
    invoice.total_paid_amount_cents = totals.total_amount_cents
    await unit.flush()
    await finalization.finalize(unit, invoice)


def collected(fees: Sequence[Fee]) -> Totals:
    """Add up fees that were taxed and paid one by one (`docs/rules/money.md` 1.4.6)."""
    amount = sum(fee.amount_cents for fee in fees)
    taxes = sum(fee.taxes_amount_cents for fee in fees)
    with exact_context():
        rate = quantize(Decimal(100 * taxes) / amount, RATE_PLACES) if amount else ZERO
    return Totals(
        fees_amount_cents=amount,
        coupons_amount_cents=0,
        sub_total_excluding_taxes_amount_cents=amount,
        taxes_amount_cents=taxes,
        taxes_rate=rate,
        sub_total_including_taxes_amount_cents=amount + taxes,
        total_amount_cents=amount + taxes,
        applied_taxes=tuple(_applied(fees)),
        fee_taxes=(),
    )


def _applied(fees: Sequence[Fee]) -> list[AppliedTax]:
    """Sum each tax, and the fees that carry it."""
    found: dict[object, tuple[FeeAppliedTax, int, int]] = {}
    for fee in fees:
        for tax in fee.applied_taxes:
            first, amount, base = found.get(tax.tax_id, (tax, 0, 0))
            found[tax.tax_id] = (first, amount + tax.amount_cents, base + fee.amount_cents)
    return [
        AppliedTax(
            TaxRate(
                tax.tax_id or tax.id, tax.tax_code, tax.tax_name, tax.tax_rate, tax.tax_description
            ),
            amount,
            base,
        )
        for tax, amount, base in found.values()
    ]


def _is_asked(line: BilledLine) -> bool:
    charges = line.subscription.plan.charges
    return any(charge.regroup_paid_fees == REGROUPED for charge in charges)


def _collecting(line: BilledLine) -> BilledLine:
    """Return the line as this invoice shows it: it is not the one that bills the period."""
    reason = "in_advance_charge_periodic" if line.recurring else line.reason
    return BilledLine(line.subscription, reason, line.at, line.whole_period)
