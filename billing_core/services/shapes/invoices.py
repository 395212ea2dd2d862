"""What an invoice and its fees look like."""

from collections.abc import Sequence
from typing import Any

from billing_core.services.shapes import credit_notes as note_shapes
from billing_core.services.shapes import customers, subscriptions
from billing_core.services.shapes import fees as fee_shapes
from billing_core.store import credit_notes
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
    used = await credit_notes.credits_on(unit, invoice.id)
    return InvoiceFullOut.of(
        invoice,
        **_parts(invoice, file_url),
        billing_periods=[_period(line) for line in lines],
        credits=[note_shapes.use(credit, invoice) for credit in used],
        fees=fee_shapes.of_invoice(fees),
        subscriptions=await subscriptions.several(unit, [line.subscription for line in lines]),
        error_details=[],
    )


def _parts(invoice: Invoice, file_url: str | None) -> dict[str, Any]:
    due = 0 if invoice.status == "voided" else _unpaid(invoice)
    return {
        "billing_entity_code": invoice.entity.code,
        "total_due_amount_cents": due,
        "file_url": file_url,
        "xml_url": None,
        "web_url": None,
        "purchase_order_number": None,
        "customer": customers.out(invoice.customer),
        "metadata": invoice.notes,
        "applied_taxes": invoice.applied_taxes,
        "applied_invoice_custom_sections": [],
        "applied_usage_thresholds": [],
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
