"""What becomes of credit notes with an invoice: balances pay it, its own notes follow its life."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.calendar import local_date
from billing_core.domain.credits import (
    ITEM_PLACES,
    NoteLine,
    NoteTotals,
    note_totals,
    spread,
    uses,
)
from billing_core.domain.invoice import TaxRate
from billing_core.domain.money import exact_context, quantize, round_half_up
from billing_core.domain.numbering import note_number
from billing_core.services.invoice_contents import Contents
from billing_core.services.shapes import credit_notes as shapes
from billing_core.store import credit_notes, invoices
from billing_core.store.tables import (
    Credit,
    CreditNote,
    CreditNoteAppliedTax,
    CreditNoteItem,
    Fee,
    Invoice,
)
from billing_core.store.unit import Unit

# top-ups, one-off invoices and fees that were paid before are never paid by notes (money.md 1.4.2)
PAID_BY_NOTES = frozenset({"subscription", "progressive_billing"})


@dataclass(frozen=True, slots=True)
class SetAside:
    """An item of a draft note while the fees of its draft invoice are computed anew."""

    note: CreditNote
    fee: tuple[Any, ...]
    share: Decimal


async def use_balances(unit: Unit, several: Sequence[Contents]) -> None:
    """Pay invoices that become final with their customers' notes, the oldest first.

    Source: `docs/rules/money.md` 3.14. The caller holds the customers' locks: without them two
    invoices could use one balance.
    """
    owed = [
        contents
        for contents in several
        if contents.invoice.invoice_type in PAID_BY_NOTES and contents.invoice.total_amount_cents
    ]
    notes = await credit_notes.available(unit, (one.invoice.customer_id for one in owed))
    for invoice, _, fees, _ in owed:
        usable = [
            note
            for note in notes.get((invoice.customer_id, invoice.currency), ())
            if note.invoice_id != invoice.id and note.balance_amount_cents
        ]
        _use_all(unit, invoice, fees, usable)


def _use_all(
    unit: Unit, invoice: Invoice, fees: Sequence[Fee], notes: Sequence[CreditNote]
) -> None:
    taken = uses(invoice.total_amount_cents, [note.balance_amount_cents for note in notes])
    for note, amount in zip(notes, taken, strict=True):
        if amount:
            _use(unit, invoice, note, amount)
            _spread(fees, amount, invoice.total_amount_cents)
            invoice.credit_notes_amount_cents += amount
            invoice.total_amount_cents -= amount


async def give_back(unit: Unit, invoice: Invoice) -> None:
    """Return what a voided invoice had used to the balances, unless a note was itself voided."""
    for credit in (await credit_notes.credits_on(unit, [invoice.id])).get(invoice.id, ()):
        note = credit.note
        if note.credit_status != "voided":
            _record(unit, invoice, note, credit.amount_cents, given_back=True)
            note.balance_amount_cents += credit.amount_cents
            note.credit_status = "available"
            note.updated_at = unit.now


async def is_credited(unit: Unit, invoice: Invoice) -> bool:
    """Tell whether a note that was not voided has taken back some of an invoice."""
    notes = await credit_notes.on_invoice(unit, invoice.id, "finalized")
    return any(note.credit_status != "voided" for note in notes)


async def finalize_own(unit: Unit, invoice: Invoice) -> list[CreditNote]:
    """Make the draft notes of an invoice that becomes final, and has its number, final as well.

    The caller announces the returned notes after the invoice.
    """
    notes = await credit_notes.on_invoice(unit, invoice.id, "draft")
    for note in notes:
        finalize(unit, invoice, note)
    await unit.flush()
    return notes


def finalize(unit: Unit, invoice: Invoice, note: CreditNote) -> None:
    """Make a note final: its number, its day, and what it is used for.

    An offset never takes more off the invoice than is due on it; the rest becomes balance.
    """
    note.status = "finalized"
    note.number = note_number(invoice.number, note.sequential_id)
    note.issuing_date = local_date(unit.now, invoice.customer.applicable_timezone)
    note.finalized_at = note.updated_at = unit.now
    too_much = max(note.offset_amount_cents - due_cents(invoice), 0)
    note.offset_amount_cents -= too_much
    note.credit_amount_cents += too_much
    write_statuses(note)
    if note.offset_amount_cents:
        invoice.total_offsetted_credit_note_amount_cents += note.offset_amount_cents
        if due_cents(invoice) <= 0:
            invoice.payment_status = "succeeded"
            invoice.payment_overdue = False


def write_statuses(note: CreditNote) -> None:
    """Set what follows from the three amounts of a note that nobody has used yet."""
    note.balance_amount_cents = note.credit_amount_cents
    note.credit_status = "available" if note.credit_amount_cents else None
    note.refund_status = "pending" if note.refund_amount_cents else None


def due_cents(invoice: Invoice) -> int:
    """Return what is still to be paid on an invoice that stands (`docs/rules/money.md` 1.4.3)."""
    settled = invoice.total_paid_amount_cents + invoice.total_offsetted_credit_note_amount_cents
    return invoice.total_amount_cents - settled


async def announce(unit: Unit, note: CreditNote) -> None:
    """Promise the webhook of a note that became final (`docs/rules/money.md` 6.2)."""
    shape = await shapes.one(unit, note)
    unit.emit("credit_note.created", "credit_note", shape.model_dump())


async def delete_own(unit: Unit, invoice: Invoice) -> None:
    """Delete the draft notes of a draft that is deleted (`docs/rules/money.md` 1.7.2)."""
    for note in await credit_notes.on_invoice(unit, invoice.id, "draft"):
        _delete(unit, note)


async def set_aside(unit: Unit, invoice: Invoice) -> list[SetAside]:
    """Take the draft notes of a draft off its fees, which are about to be computed anew."""
    aside: list[SetAside] = []
    for note in await credit_notes.on_invoice(unit, invoice.id, "draft"):
        with exact_context():
            aside.extend(
                SetAside(note, _place(item.fee), item.precise_amount_cents / item.fee.amount_cents)
                for item in note.items
                if item.fee.amount_cents
            )
        note.items, note.applied_taxes = [], []
    await unit.flush()
    return aside


async def put_back(unit: Unit, invoice: Invoice, aside: Sequence[SetAside]) -> None:
    """Put draft notes back on the new fees, each item the same share of its fee as before.

    A note whose fees are gone is deleted (`docs/rules/money.md` 1.7.1).
    """
    if not aside:
        return
    fees = {_place(fee): fee for fee in await invoices.fees(unit, invoice.id)}
    parts: dict[UUID, list[tuple[Fee, Decimal]]] = {}
    for one in aside:
        found = parts.setdefault(one.note.id, [])
        if fee := fees.get(one.fee):
            with exact_context():
                found.append((fee, quantize(fee.amount_cents * one.share, ITEM_PLACES)))
    for note in {one.note.id: one.note for one in aside}.values():
        _rescale(unit, note, parts[note.id])
    await unit.flush()


def note_line(fee: Fee, precise_amount_cents: Decimal) -> NoteLine:
    """Return a part of a fee as the rules of notes see it, with the taxes the fee carries."""
    return NoteLine(
        key=fee.id,
        fee_amount_cents=fee.amount_cents,
        precise_coupons_amount_cents=fee.precise_coupons_amount_cents,
        precise_amount_cents=precise_amount_cents,
        taxes=tuple(
            TaxRate(tax.tax_id or tax.id, tax.tax_code, tax.tax_name, tax.tax_rate)
            for tax in fee.applied_taxes
        ),
    )


def write_parts(
    unit: Unit, note: CreditNote, parts: Sequence[tuple[Fee, Decimal]], totals: NoteTotals
) -> None:
    """Write the items, taxes and sums of a note; how its total divides is the caller's."""
    note.items = [_item(unit, note, fee, amount) for fee, amount in parts]
    snapshots = {tax.tax_code: tax for fee, _ in parts for tax in fee.applied_taxes}
    note.applied_taxes = [
        CreditNoteAppliedTax(
            org_id=unit.org_id,
            created_at=unit.now,
            credit_note_id=note.id,
            tax_id=snapshots[applied.tax.code].tax_id,
            tax_name=applied.tax.name,
            tax_code=applied.tax.code,
            tax_rate=applied.tax.rate,
            tax_description=snapshots[applied.tax.code].tax_description,
            base_amount_cents=applied.base_amount_cents,
            amount_cents=applied.amount_cents,
            amount_currency=note.currency,
        )
        for applied in totals.applied_taxes
    ]
    for name in (
        "sub_total_excluding_taxes_amount_cents",
        "taxes_amount_cents",
        "precise_taxes_amount_cents",
        "taxes_rate",
        "coupons_adjustment_amount_cents",
        "precise_coupons_adjustment_amount_cents",
    ):
        setattr(note, name, getattr(totals, name))


def _use(unit: Unit, invoice: Invoice, note: CreditNote, amount: int) -> None:
    note.balance_amount_cents -= amount
    note.updated_at = unit.now
    if not note.balance_amount_cents:
        note.credit_status = "consumed"
    _record(unit, invoice, note, amount, given_back=False)


def _record(
    unit: Unit, invoice: Invoice, note: CreditNote, amount: int, *, given_back: bool
) -> None:
    credit = Credit(
        org_id=unit.org_id,
        created_at=unit.now,
        invoice_id=invoice.id,
        credit_note_id=note.id,
        amount_cents=amount,
        amount_currency=invoice.currency,
        given_back=given_back,
    )
    credit.note = note
    credit_notes.add(unit, credit)


def _spread(fees: Sequence[Fee], amount: int, remaining: int) -> None:
    parts = spread(amount, remaining, [_unpaid(fee) for fee in fees])
    for fee, part in zip(fees, parts, strict=True):
        fee.precise_credit_notes_amount_cents += part


def _unpaid(fee: Fee) -> Decimal:
    with_taxes = fee.amount_cents + fee.taxes_precise_amount_cents
    return with_taxes - fee.precise_coupons_amount_cents - fee.precise_credit_notes_amount_cents


def _place(fee: Fee) -> tuple[Any, ...]:
    """Return what a fee is for, the same for every computation of a draft."""
    return (
        fee.fee_type,
        fee.subscription_id,
        fee.charge_id,
        fee.charge_filter_id,
        fee.fixed_charge_id,
        tuple(sorted(fee.grouped_by.items())),
        fee.true_up_parent_fee_id is None,
    )


def _rescale(unit: Unit, note: CreditNote, parts: Sequence[tuple[Fee, Decimal]]) -> None:
    totals = note_totals([note_line(fee, amount) for fee, amount in parts])
    before, total = note.total_amount_cents, totals.total_amount_cents
    if total <= 0:
        _delete(unit, note)
        return
    write_parts(unit, note, parts, totals)
    with exact_context():
        offset = round_half_up(Decimal(note.offset_amount_cents * total) / before)
    note.total_amount_cents = total
    note.offset_amount_cents = offset
    note.credit_amount_cents = total - offset  # nothing was paid on a draft: nothing to refund
    note.updated_at = unit.now
    write_statuses(note)


def _delete(unit: Unit, note: CreditNote) -> None:
    note.status = "deleted"
    note.balance_amount_cents = 0
    note.updated_at = unit.now


def _item(unit: Unit, note: CreditNote, fee: Fee, amount: Decimal) -> CreditNoteItem:
    item = CreditNoteItem(
        org_id=unit.org_id,
        created_at=unit.now,
        credit_note_id=note.id,
        fee_id=fee.id,
        amount_cents=round_half_up(amount),
        precise_amount_cents=quantize(amount, ITEM_PLACES),
        amount_currency=note.currency,
    )
    item.fee = fee
    return item
