"""What stands on an invoice's PDF."""

from uuid import UUID

from billing_core.clock import wall_now
from billing_core.domain.errors import NotFound
from billing_core.ports import (
    DocumentLine,
    DocumentSection,
    DocumentTotal,
    InvoiceDocument,
    Party,
)
from billing_core.services.document_details import Wording, description, details
from billing_core.store import files, invoices
from billing_core.store.tables import (
    BillingEntity,
    Customer,
    Fee,
    Invoice,
    InvoiceSubscription,
    StoredFile,
)
from billing_core.store.unit import Unit


async def invoice_document(
    unit: Unit, invoice_id: UUID, wording: Wording
) -> InvoiceDocument | None:
    """Gather everything printed on an invoice; None unless it is finalized or voided."""
    invoice = await invoices.visible(unit, invoice_id, "finalized", "voided")
    if invoice is None:
        return None
    locale = invoice.customer.document_locale or invoice.entity.document_locale
    fees = await invoices.fees(unit, invoice.id)
    lines = await invoices.lines(unit, invoice.id)
    return InvoiceDocument(
        number=invoice.number,
        locale=locale,
        currency=invoice.currency,
        issuing_date=invoice.issuing_date,
        payment_due_date=invoice.payment_due_date,
        seller=_seller(invoice.entity, locale, wording),
        buyer=_buyer(invoice.customer, locale, wording),
        sections=tuple(
            section
            for line in lines
            # a plan paid in advance may end without a fee: a heading alone says nothing
            if (section := _section(line, fees, invoice.timezone, locale, wording)).lines
        ),
        totals=_totals(invoice, locale, wording),
        notes=(invoice.entity.invoice_footer,) if invoice.entity.invoice_footer else (),
        status=invoice.status,
    )


async def store_pdf(unit: Unit, invoice_id: UUID, content: bytes) -> Invoice | None:
    """Keep a rendered PDF and put it on its invoice."""
    invoice = await invoices.lock(unit, invoice_id)
    if invoice is None:
        return None
    row = StoredFile(
        org_id=unit.org_id,
        created_at=wall_now(),
        name=f"{invoice.number}.pdf",
        content_type="application/pdf",
        content=content,
    )
    await files.add(unit, row)
    invoice.file_id = row.id
    return invoice


def _seller(entity: BillingEntity, locale: str, wording: Wording) -> Party:
    city = " ".join(part for part in (entity.zipcode, entity.city) if part)
    return Party(
        name=entity.legal_name or entity.name,
        lines=_lines(
            entity.address_line1,
            entity.address_line2,
            city,
            entity.state,
            entity.country and wording.country(entity.country, locale),
            entity.tax_identification_number,
            entity.email,
        ),
    )


def _buyer(customer: Customer, locale: str, wording: Wording) -> Party:
    person = " ".join(part for part in (customer.firstname, customer.lastname) if part)
    name = customer.legal_name or customer.name or person or customer.external_id
    city = " ".join(part for part in (customer.zipcode, customer.city) if part)
    return Party(
        name=name,
        lines=_lines(
            customer.address_line1,
            customer.address_line2,
            city,
            customer.state,
            customer.country and wording.country(customer.country, locale),
            customer.tax_identification_number,
            customer.email,
        ),
    )


def _lines(*parts: str | None) -> tuple[str, ...]:
    return tuple(part for part in parts if part)


def _section(
    line: InvoiceSubscription, fees: list[Fee], tz: str, locale: str, wording: Wording
) -> DocumentSection:
    subscription = line.subscription
    own = [fee for fee in fees if fee.subscription_id == subscription.id]
    title = subscription.name or subscription.plan.invoice_display_name or subscription.plan.name
    return DocumentSection(
        title=title,
        period=None,
        lines=tuple(_line(fee, tz, locale, wording) for fee in own),
    )


def _line(fee: Fee, tz: str, locale: str, wording: Wording) -> DocumentLine:
    return DocumentLine(
        description=description(fee, locale, wording),
        details=details(fee, tz, locale, wording),
        units=fee.units,
        unit_amount=fee.precise_unit_amount,
        amount_minor=fee.amount_cents,
        tax_rate=fee.taxes_rate,
    )


def _totals(invoice: Invoice, locale: str, wording: Wording) -> tuple[DocumentTotal, ...]:
    def total(key: str, amount: int) -> DocumentTotal:
        return DocumentTotal(wording.label(locale, key), amount)

    totals = [total("subtotal", invoice.fees_amount_cents)]
    for key, amount in (
        ("progressive_billing", invoice.progressive_billing_credit_amount_cents),
        ("coupons", invoice.coupons_amount_cents),
    ):
        if amount:
            totals.append(total(key, -amount))
    totals.extend(
        DocumentTotal(f"{tax.tax_name} ({wording.percent(tax.tax_rate, locale)})", tax.amount_cents)
        for tax in invoice.applied_taxes
        if len(invoice.applied_taxes) > 1
    )
    if invoice.taxes_amount_cents or invoice.applied_taxes:
        totals.append(total("taxes", invoice.taxes_amount_cents))
    for key, amount in (
        ("credit_notes", invoice.credit_notes_amount_cents),
        ("prepaid_credits", invoice.prepaid_credit_amount_cents),
    ):
        if amount:
            totals.append(total(key, -amount))
    settled = invoice.total_paid_amount_cents + invoice.total_offsetted_credit_note_amount_cents
    due = 0 if invoice.status == "voided" else invoice.total_amount_cents - settled
    totals.append(total("total", invoice.total_amount_cents))
    totals.append(total("amount_due", due))
    return tuple(totals)


async def file(unit: Unit, file_id: UUID) -> StoredFile:
    """Return a stored document, or refuse."""
    found = await files.get(unit, file_id)
    if found is None:
        raise NotFound("file")
    return found
