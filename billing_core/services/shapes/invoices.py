"""What an invoice and its fees look like."""

from collections.abc import Sequence
from typing import Any

from billing_core.services.invoice_contents import Contents
from billing_core.services.shapes import coupons as coupon_shapes
from billing_core.services.shapes import credit_notes as note_shapes
from billing_core.services.shapes import customers, subscriptions
from billing_core.services.shapes import fees as fee_shapes
from billing_core.store import coupons, credit_notes, progressive_invoices
from billing_core.store.tables import Fee, Invoice, InvoiceSubscription
from billing_core.store.unit import Unit
from billing_core.wire.dates import last_instant
from billing_core.wire.invoices import BillingPeriodOut, InvoiceFullOut, InvoiceOut


def out(invoice: Invoice, file_url: str | None) -> InvoiceOut:
    """Return the wire model of a list."""
    return InvoiceOut.of(invoice, **_parts(invoice, file_url))


async def full(
    unit: Unit,
    invoice: Invoice,
    lines: Sequence[InvoiceSubscription],
    fees: Sequence[Fee],
    file_url: str | None,
) -> InvoiceFullOut:
    """Return the wire model with fees, subscriptions, periods and the credits used on it."""
    (shape,) = await full_all(unit, [Contents(invoice, lines, fees)], file_url)
    return shape


async def full_all(
    unit: Unit, several: Sequence[Contents], file_url: str | None = None
) -> list[InvoiceFullOut]:
    """Return such wire models; what else they show is read once for all of them."""
    ids = [contents.invoice.id for contents in several]
    used = await credit_notes.credits_on(unit, ids)
    progressive = await progressive_invoices.credits_on(unit, ids)
    lowered = [one.invoice.id for one in several if one.invoice.coupons_amount_cents]
    taken = await coupons.credits_on(unit, lowered) if lowered else {}
    billed = [line.subscription for contents in several for line in contents.lines]
    shown = {shape.lago_id: shape for shape in await subscriptions.several(unit, billed)}
    return [
        InvoiceFullOut.of(
            invoice,
            **_parts(invoice, file_url),
            billing_periods=[_period(line) for line in lines],
            credits=[
                *(note_shapes.progressive(one, invoice) for one in progressive.get(invoice.id, ())),
                *(coupon_shapes.use(credit, invoice) for credit in taken.get(invoice.id, ())),
                *(note_shapes.use(credit, invoice) for credit in used.get(invoice.id, ())),
            ],
            fees=fee_shapes.of_invoice(fees),
            subscriptions=[shown[line.subscription_id] for line in lines],
            error_details=[],
        )
        for invoice, lines, fees, _ in several
    ]


def _parts(invoice: Invoice, file_url: str | None) -> dict[str, Any]:
    due = 0 if invoice.status == "voided" else _unpaid(invoice)
    return {
        "billing_entity_code": invoice.entity.code,
        "total_due_amount_cents": due,
        "file_url": file_url,
        "xml_url": None,
        "web_url": None,
        "customer": customers.out(invoice.customer),
        "metadata": invoice.notes,
        "applied_taxes": invoice.applied_taxes,
        "applied_invoice_custom_sections": [],
        "applied_usage_thresholds": invoice.applied_thresholds,
    }


def _unpaid(invoice: Invoice) -> int:
    settled = invoice.total_paid_amount_cents + invoice.total_offsetted_credit_note_amount_cents
    return invoice.total_amount_cents - settled


def _period(line: InvoiceSubscription) -> BillingPeriodOut:
    ends = {
        name: value and last_instant(value)
        for name, value in (
            ("charges_to_datetime", line.charges_to_datetime),
            ("fixed_charges_to_datetime", line.fixed_charges_to_datetime),
        )
    }
    return BillingPeriodOut.of(
        line,
        lago_subscription_id=line.subscription_id,
        external_subscription_id=line.subscription.external_id,
        lago_plan_id=line.subscription.plan_id,
        subscription_from_datetime=line.from_datetime,
        subscription_to_datetime=last_instant(line.to_datetime),
        **ends,
    )
