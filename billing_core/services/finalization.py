"""Making an invoice final: number, dates, payment status, and telling those who asked."""

from billing_core.domain.calendar import local_date
from billing_core.domain.issuing import dates_at_finalization
from billing_core.domain.numbering import document_number
from billing_core.domain.states import check_invoice_transition
from billing_core.services import invoice_credits
from billing_core.services.billing_dates import rules_of
from billing_core.services.shapes import invoices as shapes
from billing_core.store import customers, invoices
from billing_core.store.tables import Customer, Invoice
from billing_core.store.unit import Unit

PDF_TOPIC = "invoices.pdf"


async def finalize(unit: Unit, invoice: Invoice) -> None:
    """Make an invoice final under its number, or close it when it is zero and to be skipped.

    The decision looks at the fees, not at the total (`docs/rules/money.md` 1.7.3). Credit notes of
    the customer pay what they can; the invoice's own drafts become final with it (3.2, 3.14).
    """
    customer = await customers.lock(unit, invoice.customer_id)
    if invoice.fees_amount_cents == 0 and not _keeps_zero(customer):
        check_invoice_transition(invoice.status, "closed")  # type: ignore[arg-type]
        invoice.status = "closed"
        return
    check_invoice_transition(invoice.status, "finalized")  # type: ignore[arg-type]
    invoice.status = "finalized"
    invoice.finalized_at = unit.now
    invoice.updated_at = unit.now
    await invoice_credits.use_balances(unit, invoice)
    is_paid = invoice.total_amount_cents == invoice.total_paid_amount_cents
    invoice.payment_status = "succeeded" if is_paid else "pending"
    await _number(unit, invoice, customer)
    notes = await invoice_credits.finalize_own(unit, invoice)
    unit.promise(PDF_TOPIC, {"invoice_id": str(invoice.id)})
    await announce(unit, invoice, "invoice.created")
    for note in notes:
        await invoice_credits.announce(unit, note)


async def finalize_draft(unit: Unit, invoice: Invoice) -> None:
    """Finalize a draft: its dates follow the day it becomes final (money.md 1.3.4)."""
    lines = await invoices.lines(unit, invoice.id)
    today = local_date(unit.now, invoice.customer.applicable_timezone)
    dates = dates_at_finalization(
        rules_of(invoice.customer),
        invoice.issuing_date,
        today,
        bool(lines) and lines[0].recurring,
    )
    invoice.issuing_date = dates.issuing_date
    invoice.expected_finalization_date = dates.expected_finalization_date
    invoice.payment_due_date = dates.payment_due_date
    await finalize(unit, invoice)


async def announce(unit: Unit, invoice: Invoice, webhook_type: str) -> None:
    """Promise an invoice webhook with everything on it (`docs/rules/money.md` 6.2)."""
    lines = await invoices.lines(unit, invoice.id)
    fees = await invoices.fees(unit, invoice.id)
    shape = await shapes.full(unit, invoice, lines, fees, None)
    unit.emit(webhook_type, "invoice", shape.model_dump())


def _keeps_zero(customer: Customer) -> bool:
    choice = customer.finalize_zero_amount_invoice
    if choice == "inherit":
        return customer.entity.finalize_zero_amount_invoice
    return choice == "finalize"


async def _number(unit: Unit, invoice: Invoice, customer: Customer) -> None:
    entity = invoice.entity
    invoice.sequential_id = await invoices.next_sequence(unit, customer.id, entity.id)
    scheme = entity.document_numbering
    if invoice.self_billed:
        scheme = "per_customer"
    if scheme == "per_billing_entity":
        invoice.entity_sequential_id = await invoices.next_entity_sequence(unit, entity.id)
    invoice.number = document_number(
        entity.document_number_prefix,
        scheme,  # type: ignore[arg-type]  # checked on the way in
        customer.sequential_id,
        invoice.sequential_id,
        invoice.entity_sequential_id or 0,
        local_date(unit.now, entity.timezone),
    )
