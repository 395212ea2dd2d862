"""What a credit note looks like, and its use on an invoice."""

from collections.abc import Sequence

from billing_core.services.shapes import customers
from billing_core.services.shapes import fees as fee_shapes
from billing_core.store.tables import Credit, CreditNote, Invoice, ProgressiveCredit
from billing_core.store.unit import Unit
from billing_core.wire.credit_notes import (
    CreditInvoiceOut,
    CreditItemOut,
    CreditNoteAppliedTaxOut,
    CreditNoteItemOut,
    CreditNoteOut,
    CreditOut,
)


async def one(unit: Unit, note: CreditNote) -> CreditNoteOut:
    """Return the wire model of one note."""
    return (await several(unit, [note]))[0]


async def several(unit: Unit, notes: Sequence[CreditNote]) -> list[CreditNoteOut]:
    """Return the wire models of notes, with one query for the fees on them."""
    items = [item for note in notes for item in note.items]
    fees = await fee_shapes.several(unit, [item.fee for item in items])
    shown = {
        item.id: CreditNoteItemOut.of(item, fee=fee) for item, fee in zip(items, fees, strict=True)
    }
    return [
        CreditNoteOut.of(
            note,
            billing_entity_code=note.invoice.entity.code,
            invoice_number=note.invoice.number,
            self_billed=note.invoice.self_billed,
            file_url=None,
            xml_url=None,
            customer=customers.out(note.customer),
            items=[shown[item.id] for item in note.items],
            applied_taxes=[CreditNoteAppliedTaxOut.of(tax) for tax in note.applied_taxes],
            metadata=note.custom_metadata,
            error_details=[],
        )
        for note in notes
    ]


def use(credit: Credit, invoice: Invoice) -> CreditOut:
    """Return the wire model of a note's use on an invoice; notes come off after taxes."""
    note = credit.note
    return CreditOut.of(
        credit,
        before_taxes=False,
        item=CreditItemOut(
            lago_item_id=note.id, type="credit_note", code=note.number, name=note.invoice.number
        ),
        invoice=CreditInvoiceOut(lago_id=invoice.id, payment_status=invoice.payment_status),
    )


def progressive(credit: ProgressiveCredit, invoice: Invoice) -> CreditOut:
    """Return the wire model of what a progressive invoice has billed before; it comes off fees."""
    earlier = credit.progressive_invoice
    return CreditOut.of(
        credit,
        amount_currency=invoice.currency,
        before_taxes=True,
        item=CreditItemOut(
            lago_item_id=earlier.id, type="invoice", code=earlier.number, name=earlier.number
        ),
        invoice=CreditInvoiceOut(lago_id=invoice.id, payment_status=invoice.payment_status),
    )
