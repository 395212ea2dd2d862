"""What must always be true of credit notes and their use on invoices."""

from collections.abc import Sequence

from billing_core.domain.credits import note_totals
from billing_core.services.invoice_credits import note_line
from billing_core.store import credit_notes, invoices
from billing_core.store.tables import CreditNote, Invoice
from billing_core.store.unit import Unit

BATCH = 200


async def notes_add_up(unit: Unit) -> list[str]:
    """Re-derive each credit note from its items, and its balance from its uses."""
    found: list[str] = []
    last = None
    while batch := await credit_notes.all_after(unit, last, BATCH):
        used = await credit_notes.used(unit, [note.id for note in batch])
        for note in batch:
            if note.status != "deleted":
                found.extend(_differences(note, used.get(note.id, 0)))
        last = batch[-1].id
    return found


async def uses_add_up(unit: Unit) -> list[str]:
    """Check what each invoice says that notes paid or offset against the notes themselves."""
    found: list[str] = []
    last = None
    while batch := await invoices.all_after(unit, last, BATCH):
        found.extend(await _uses(unit, batch))
        last = batch[-1].id
    return found


async def _uses(unit: Unit, batch: Sequence[Invoice]) -> list[str]:
    paid, offset = await credit_notes.sums_on(unit, [invoice.id for invoice in batch])
    return [
        f"invoice {invoice.number} ({invoice.id}): {name} is {getattr(invoice, name)}, "
        f"notes give {given.get(invoice.id, 0)}"
        for invoice in batch
        for name, given in (
            ("credit_notes_amount_cents", paid),
            ("total_offsetted_credit_note_amount_cents", offset),
        )
        if getattr(invoice, name) != given.get(invoice.id, 0)
    ]


def _differences(note: CreditNote, used_cents: int) -> list[str]:
    totals = note_totals([note_line(item.fee, item.precise_amount_cents) for item in note.items])
    usable = note.credit_status != "voided"
    expected = {
        "sub_total_excluding_taxes_amount_cents": totals.sub_total_excluding_taxes_amount_cents,
        "coupons_adjustment_amount_cents": totals.coupons_adjustment_amount_cents,
        "total_amount_cents": note.credit_amount_cents
        + note.refund_amount_cents
        + note.offset_amount_cents,
        "balance_amount_cents": note.credit_amount_cents - used_cents if usable else 0,
    }
    return [
        f"credit note {note.number} ({note.id}): {name} is {getattr(note, name)}, not {derived}"
        for name, derived in expected.items()
        if getattr(note, name) != derived
    ]
