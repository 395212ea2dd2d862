"""Credit notes that callers ask for: estimated, checked against the invoice, made and changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from billing_core.domain.credits import ITEM_PLACES, NoteTotals, creditable, gross
from billing_core.domain.errors import Invalid, NotAllowed, NotFound, Problems
from billing_core.domain.invoice import ZERO
from billing_core.domain.money import exact_context, quantize, round_half_up
from billing_core.services import metadata
from billing_core.services.credit_notes import Division, add, totals_of, void
from billing_core.services.invoice_credits import due_cents, note_line
from billing_core.store import credit_notes, invoices
from billing_core.store.tables import CreditNote, Fee, Invoice
from billing_core.store.unit import Unit
from billing_core.wire.credit_notes import (
    CreditNoteChange,
    CreditNoteEstimateIn,
    CreditNoteIn,
    CreditNoteItemIn,
    EstimatedCreditNoteOut,
    EstimatedItemOut,
    EstimatedTaxOut,
)

# also a voided invoice can be credited: what was paid on it is owed back (money.md 3.2)
CREDITED = frozenset({"draft", "finalized", "voided"})
TOO_MUCH = "higher_than_remaining_invoice_amount"
Part = tuple[Fee, Decimal]


@dataclass(frozen=True, slots=True)
class Room:
    """What earlier notes have left of an invoice, in minor units.

    `gross_cents` is what its fees cost with taxes, coupons left out; `creditable` may have a
    fraction.
    """

    invoice: Invoice
    left_of: Mapping[UUID, Decimal]
    gross_cents: int
    noted: Division
    creditable: Decimal

    @property
    def refundable_cents(self) -> int:
        """What was paid and not refunded; nothing while a full payment is not confirmed (3.11)."""
        paid = self.invoice.total_paid_amount_cents
        in_doubt = paid == self.invoice.total_amount_cents
        if self.invoice.status == "draft" or (
            in_doubt and self.invoice.payment_status != "succeeded"
        ):
            return 0
        return max(paid - self.noted.refund_cents, 0)

    @property
    def due_cents(self) -> int:
        """What is still due on the invoice: nothing on a voided one."""
        return 0 if self.invoice.status == "voided" else max(due_cents(self.invoice), 0)


async def create(unit: Unit, data: CreditNoteIn) -> CreditNote:
    """Make a note of these parts of fees (`docs/rules/money.md` 3.2 to 3.9).

    The total may end one minor unit beside what was asked for, so that it adds up.
    """
    invoice, room, parts = await _asked(unit, data)
    totals = await totals_of(unit, invoice, parts)
    wanted = Division(
        data.credit_amount_cents or 0,
        data.refund_amount_cents or 0,
        data.offset_amount_cents or 0,
    )
    _check_amounts(room, totals, wanted)
    return await add(
        unit,
        invoice,
        parts,
        totals,
        _aligned(totals, wanted),
        reason=data.reason or "other",
        description=data.description,
        metadata=data.metadata,
    )


async def estimate(unit: Unit, data: CreditNoteEstimateIn) -> EstimatedCreditNoteOut:
    """Return what a note of these parts could be worth at most (`docs/rules/money.md` 3.10)."""
    invoice, room, parts = await _asked(unit, data)
    totals = await totals_of(unit, invoice, parts)
    most, taxes = _most(totals)
    snapshots = {tax.tax_code: tax for fee, _ in parts for tax in fee.applied_taxes}
    return EstimatedCreditNoteOut(
        lago_invoice_id=invoice.id,
        invoice_number=invoice.number,
        currency=invoice.currency,
        taxes_amount_cents=taxes,
        precise_taxes_amount_cents=totals.precise_taxes_amount_cents,
        taxes_rate=totals.taxes_rate,
        sub_total_excluding_taxes_amount_cents=totals.sub_total_excluding_taxes_amount_cents,
        max_creditable_amount_cents=most,
        max_refundable_amount_cents=min(most, room.refundable_cents),
        max_offsettable_amount_cents=min(most, room.due_cents),
        coupons_adjustment_amount_cents=totals.coupons_adjustment_amount_cents,
        precise_coupons_adjustment_amount_cents=totals.precise_coupons_adjustment_amount_cents,
        items=[
            EstimatedItemOut(amount_cents=round_half_up(amount), lago_fee_id=fee.id)
            for fee, amount in parts
        ],
        applied_taxes=[
            EstimatedTaxOut(
                lago_tax_id=applied.tax.id,
                tax_name=applied.tax.name,
                tax_code=applied.tax.code,
                tax_rate=applied.tax.rate,
                tax_description=snapshots[applied.tax.code].tax_description or "",
                base_amount_cents=applied.base_amount_cents,
                amount_cents=applied.amount_cents,
                amount_currency=invoice.currency,
            )
            for applied in totals.applied_taxes
        ],
    )


async def plan_for_void(
    unit: Unit, invoice: Invoice, credit_cents: int, refund_cents: int
) -> Division:
    """Check what an invoice that is about to be voided is to give back.

    Raises `Invalid` (credit_refund_amount: total_amount_exceeds_invoice_amount); see
    `docs/rules/money.md` 1.8.2.
    """
    room = await _room(unit, invoice, await invoices.fees(unit, invoice.id))
    wanted = Division(credit_cents, refund_cents)
    if wanted.total_cents > room.creditable or refund_cents > room.refundable_cents:
        raise Invalid.field("credit_refund_amount", "total_amount_exceeds_invoice_amount")
    return wanted


async def credit_voided(unit: Unit, invoice: Invoice, wanted: Division) -> None:
    """Give back what was planned of a voided invoice, in equal shares of its fees.

    What remains becomes a second note that is void from the start: nothing of the invoice can be
    credited later (`docs/rules/money.md` 1.8.2).
    """
    fees = await invoices.fees(unit, invoice.id)
    left_of = (await _room(unit, invoice, fees)).left_of
    left = [(fee, left_of[fee.id]) for fee in fees if left_of[fee.id] > 0]
    most, _ = _most(await totals_of(unit, invoice, left))
    if wanted.total_cents and most:
        with exact_context():
            share = Decimal(wanted.total_cents) / most
            parts = [
                (fee, quantize(min(amount * share, amount), ITEM_PLACES)) for fee, amount in left
            ]
        totals = await totals_of(unit, invoice, parts)
        await add(unit, invoice, parts, totals, _aligned(totals, wanted))
        left = [(fee, one - two) for (fee, one), (_, two) in zip(left, parts, strict=True)]
    rest = await totals_of(unit, invoice, left)
    if rest.total_amount_cents > 0:
        note = await add(unit, invoice, left, rest, Division(rest.total_amount_cents))
        await void(unit, note.id)


async def get_to_change(unit: Unit, note_id: UUID) -> CreditNote:
    """Return a finalized note with its customer locked, or refuse."""
    note = await credit_notes.lock(unit, note_id)
    if note is None:
        raise NotFound("credit_note")
    return note


async def update(unit: Unit, note_id: UUID, data: CreditNoteChange) -> CreditNote:
    """Say how the refund of a note went, or merge metadata (`docs/rules/money.md` 3.16, 3.18)."""
    note = await get_to_change(unit, note_id)
    if data.refund_status is not None:
        if note.refund_status is None:
            raise Invalid.field("refund_status", "value_is_invalid")
        note.refund_status = data.refund_status
        note.refunded_at = unit.now if data.refund_status == "succeeded" else None
    if data.metadata is not None:
        metadata.merge(unit, note, data.metadata)
    note.updated_at = unit.now
    await unit.flush()
    return note


async def _asked(unit: Unit, data: CreditNoteEstimateIn) -> tuple[Invoice, Room, list[Part]]:
    invoice = await invoices.lock(unit, data.invoice_id)
    if invoice is None or invoice.status not in invoices.VISIBLE:
        raise NotFound("invoice")
    if invoice.status not in CREDITED or invoice.invoice_type == "credit":
        raise NotAllowed("invalid_type_or_status")
    fees = {fee.id: fee for fee in await invoices.fees(unit, invoice.id)}
    room = await _room(unit, invoice, list(fees.values()))
    return invoice, room, _parts(data.items, fees, room)


async def _room(unit: Unit, invoice: Invoice, fees: Sequence[Fee]) -> Room:
    credited = await credit_notes.credited(unit, [fee.id for fee in fees])
    left_of = {fee.id: fee.amount_cents - credited.get(fee.id, ZERO) for fee in fees}
    notes = await credit_notes.on_invoice(unit, invoice.id, "draft", "finalized")
    reductions = invoice.coupons_amount_cents + invoice.progressive_billing_credit_amount_cents
    return Room(
        invoice=invoice,
        left_of=left_of,
        gross_cents=gross([(fee.amount_cents, fee.taxes_rate) for fee in fees]),
        noted=Division(
            sum(note.credit_amount_cents for note in notes),
            sum(note.refund_amount_cents for note in notes),
            sum(note.offset_amount_cents for note in notes),
        ),
        creditable=creditable(
            [note_line(fee, left_of[fee.id]) for fee in fees],
            invoice.fees_amount_cents,
            reductions,
        ),
    )


def _parts(items: Sequence[CreditNoteItemIn], fees: Mapping[UUID, Fee], room: Room) -> list[Part]:
    problems = Problems()
    left = dict(room.left_of)
    for item in items:
        if item.fee_id not in fees:
            raise NotFound("fee")
        left[item.fee_id] -= max(item.amount_cents, 0)
        if item.amount_cents < 0:
            problems.add("amount_cents", "invalid_value")
        elif left[item.fee_id] < 0:
            problems.add("amount_cents", "higher_than_remaining_fee_amount")
    problems.check()
    return [(fees[item.fee_id], Decimal(item.amount_cents)) for item in items]


def _check_amounts(room: Room, totals: NoteTotals, wanted: Division) -> None:
    """Refuse what is more than the invoice leaves, or not what the items give (3.8)."""
    problems = Problems()
    noted = room.noted
    if min(wanted.total_cents, totals.aligned(wanted.total_cents)) <= 0:
        problems.add("base", "total_amount_must_be_positive")
    if abs(wanted.total_cents - totals.rounded_cents) > 1:
        problems.add("base", "does_not_match_item_amounts")
    if wanted.refund_cents:
        if not room.refundable_cents and not noted.refund_cents:
            problems.add("refund_amount_cents", "cannot_refund_unpaid_invoice")
        elif wanted.refund_cents > room.refundable_cents:
            problems.add("refund_amount_cents", TOO_MUCH)
    if wanted.credit_cents > room.gross_cents - noted.credit_cents - noted.offset_cents + 1:
        problems.add("credit_amount_cents", TOO_MUCH)
    if wanted.total_cents > room.gross_cents - noted.total_cents + 1:
        problems.add("base", TOO_MUCH)
    if wanted.offset_cents > room.due_cents or wanted.offset_cents > room.creditable:
        problems.add("offset_amount_cents", TOO_MUCH)
    problems.check()


def _aligned(totals: NoteTotals, wanted: Division) -> Division:
    """Let the total add up: a minor unit more or less lands on the first part there is (3.9)."""
    change = totals.aligned(wanted.total_cents) - wanted.total_cents
    if wanted.credit_cents:
        return Division(wanted.credit_cents + change, wanted.refund_cents, wanted.offset_cents)
    if wanted.refund_cents:
        return Division(0, wanted.refund_cents + change, wanted.offset_cents)
    return Division(0, 0, wanted.offset_cents + change)


def _most(totals: NoteTotals) -> tuple[int, int]:
    """Return the largest total and its taxes; where they do not add up one of them gives way."""
    most, taxes = totals.rounded_cents, totals.taxes_amount_cents
    added = totals.sub_total_excluding_taxes_amount_cents + taxes
    if added < most:
        return most - 1, taxes
    return most, taxes - 1 if added > most else taxes
