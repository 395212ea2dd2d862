"""What must always be true: checked by `tallygate verify` and after scenario tests."""

from collections.abc import Awaitable, Callable

from billing_core.domain.invoice import assemble
from billing_core.services import (
    coupon_checks,
    credit_checks,
    fee_taxes,
    paid_fees,
    wallet_checks,
)
from billing_core.store import invoices
from billing_core.store.tables import Fee, Invoice
from billing_core.store.unit import Unit

Check = Callable[[Unit], Awaitable[list[str]]]
INVARIANTS: list[Check] = []
BATCH = 200
TOTALS = (
    "fees_amount_cents",
    "coupons_amount_cents",
    "sub_total_excluding_taxes_amount_cents",
    "taxes_amount_cents",
    "sub_total_including_taxes_amount_cents",
    "total_amount_cents",
)


def invariant(check: Check) -> Check:
    """Register a check; the returned strings are the violations."""
    INVARIANTS.append(check)
    return check


async def violations(unit: Unit) -> list[str]:
    """Run every check for one organization."""
    return [found for check in INVARIANTS for found in await check(unit)]


@invariant
async def invoices_equal_their_fees(unit: Unit) -> list[str]:
    """Re-derive each invoice's totals from its fees and the taxes that were applied to them."""
    found: list[str] = []
    last = None
    while batch := await invoices.all_after(unit, last, BATCH):
        for invoice in batch:
            fees = await invoices.fees(unit, invoice.id)
            found.extend(_differences(invoice, fees))
        last = batch[-1].id
    return found


@invariant
async def numbers_are_unbroken(unit: Unit) -> list[str]:
    """Check that the numbers of each customer's invoices run from 1 without a gap."""
    return [
        f"customer {customer_id}: {count} numbered invoices, but the highest number is {highest}"
        for customer_id, count, highest in await invoices.numbering(unit)
        if count != highest
    ]


for credits_check in (
    coupon_checks.discounts_add_up,
    coupon_checks.remainders_add_up,
    credit_checks.notes_add_up,
    credit_checks.uses_add_up,
    wallet_checks.balances_add_up,
    wallet_checks.payments_add_up,
):
    invariant(credits_check)


def _differences(invoice: Invoice, fees: list[Fee]) -> list[str]:
    used = invoice.credit_notes_amount_cents
    totals = assemble(
        [fee_taxes.taxed_line(fee) for fee in fees],
        progressive_billing_credit_amount_cents=invoice.progressive_billing_credit_amount_cents,
        credit_notes_amount_cents=used,
        prepaid_credit_amount_cents=invoice.prepaid_credit_amount_cents,
    )
    if invoice.invoice_type == paid_fees.KIND:
        totals = paid_fees.collected(fees)  # each was rounded, and paid, by itself
    return [
        f"invoice {invoice.number} ({invoice.id}): {name} is {getattr(invoice, name)}, "
        f"its fees give {getattr(totals, name)}"
        for name in TOTALS
        if getattr(invoice, name) != getattr(totals, name)
    ]
