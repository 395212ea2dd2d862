"""Making an invoice final: number, dates, payment status, and telling those who asked."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from billing_core.domain.calendar import local_date
from billing_core.domain.issuing import dates_at_finalization
from billing_core.domain.numbering import document_number
from billing_core.domain.states import check_invoice_transition
from billing_core.services import (
    invoice_contents,
    invoice_coupons,
    invoice_credits,
    wallet_payments,
)
from billing_core.services.billing_dates import rules_of
from billing_core.services.invoice_contents import Contents
from billing_core.services.shapes import invoices as shapes
from billing_core.store import customers, invoices, webhooks
from billing_core.store.tables import Customer, Invoice
from billing_core.store.unit import Unit

PDF_TOPIC = "invoices.pdf"
CREATED_TYPES = {"credit": "invoice.paid_credit_added"}  # of all others invoice.created


async def finalize(unit: Unit, invoice: Invoice) -> None:
    """Make an invoice final under its number, or close it when it is zero and to be skipped.

    The decision looks at the fees, not at the total (`docs/rules/money.md` 1.7.3). Credit notes of
    the customer pay what they can; the invoice's own drafts become final with it (3.2, 3.14).
    """
    await finalize_all(unit, [await invoice_contents.read(unit, invoice)])


async def finalize_all(unit: Unit, several: Sequence[Contents]) -> None:
    """Make invoices final, in this order, with few statements for all of them; see `finalize`."""
    owners = await customers.lock_all(unit, (one.invoice.customer_id for one in several))
    final: list[Contents] = []
    unpaid: list[Contents] = []
    for contents in several:
        invoice = contents.invoice
        if invoice.fees_amount_cents == 0 and not _keeps_zero(owners[invoice.customer_id]):
            check_invoice_transition(invoice.status, "closed")  # type: ignore[arg-type]
            invoice.status = "closed"
            continue
        check_invoice_transition(invoice.status, "finalized")  # type: ignore[arg-type]
        if invoice.status != "open":  # only a payment makes such an invoice final
            unpaid.append(contents)
        final.append(contents)
        invoice.status = "finalized"
        invoice.payment_status = "succeeded"
        invoice.finalized_at = invoice.updated_at = unit.now
    await _settle(unit, unpaid)
    for contents in unpaid:
        invoice = contents.invoice
        if invoice.total_amount_cents != invoice.total_paid_amount_cents:
            invoice.payment_status = "pending"
    await _number(unit, [contents.invoice for contents in final], owners)
    notes = []
    for contents in final:
        if not contents.is_new:
            notes += await invoice_credits.finalize_own(unit, contents.invoice)
        unit.promise(PDF_TOPIC, {"invoice_id": str(contents.invoice.id)})
    await announce_all(unit, final, "invoice.created")
    for note in notes:
        await invoice_credits.announce(unit, note)


async def _settle(unit: Unit, several: Sequence[Contents]) -> None:
    """Lower invoices by coupons, and pay them by what their customers have (money.md 1.4.1).

    Credit notes pay first, then wallets.
    """
    if several:
        await invoice_coupons.take_off(unit, several)
        await invoice_credits.use_balances(unit, several)
        await wallet_payments.pay(unit, [contents.invoice for contents in several])


async def hold(unit: Unit, invoice: Invoice) -> None:
    """Keep an invoice open: it is real, with a number, only when it is paid (money.md 1.1.2).

    What credit notes pay of it is set aside now, so that the rest can be asked for.
    """
    await customers.lock(unit, invoice.customer_id)
    check_invoice_transition(invoice.status, "open")  # type: ignore[arg-type]
    invoice.status = "open"
    invoice.updated_at = unit.now
    await _settle(unit, [await invoice_contents.read(unit, invoice)])
    await unit.flush()


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
    await announce_all(unit, [await invoice_contents.read(unit, invoice)], webhook_type)


async def announce_all(unit: Unit, several: Sequence[Contents], webhook_type: str) -> None:
    """Promise such a webhook for each of several invoices, if there is anybody to tell."""
    if not several or not await webhooks.count_endpoints(unit):
        return
    for contents, shape in zip(several, await shapes.full_all(unit, several), strict=True):
        kind = webhook_type
        if kind == "invoice.created":
            kind = CREATED_TYPES.get(contents.invoice.invoice_type, kind)
        unit.emit(kind, "invoice", shape.model_dump())


def _keeps_zero(customer: Customer) -> bool:
    choice = customer.finalize_zero_amount_invoice
    if choice == "inherit":
        return customer.entity.finalize_zero_amount_invoice
    return choice == "finalize"


async def _number(unit: Unit, several: Sequence[Invoice], owners: Mapping[UUID, Customer]) -> None:
    """Give invoices their numbers, in this order; the caller holds their customers' locks."""
    last = await invoices.last_sequences(unit, owners) if several else {}
    last_of_entity: dict[UUID, int] = {}
    for entity_id in sorted({one.billing_entity_id for one in several if _of_entity(one)}):
        last_of_entity[entity_id] = await invoices.last_entity_sequence(unit, entity_id)
    for invoice in several:
        entity = invoice.entity
        key = (invoice.customer_id, entity.id)
        invoice.sequential_id = last[key] = last.get(key, 0) + 1
        if _of_entity(invoice):
            last_of_entity[entity.id] += 1
            invoice.entity_sequential_id = last_of_entity[entity.id]
        invoice.number = document_number(
            entity.document_number_prefix,
            "per_billing_entity" if _of_entity(invoice) else "per_customer",
            owners[invoice.customer_id].sequential_id,
            invoice.sequential_id,
            invoice.entity_sequential_id or 0,
            local_date(unit.now, entity.timezone),
        )


def _of_entity(invoice: Invoice) -> bool:
    """Tell whether an invoice is numbered through its entity (`docs/rules/money.md` 1.2)."""
    return invoice.entity.document_numbering == "per_billing_entity" and not invoice.self_billed
