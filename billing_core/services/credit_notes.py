"""Credit notes: made when paid days go unused, read, and voided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.calendar import local_date
from billing_core.domain.credits import (
    NoteTotals,
    PaidDays,
    note_totals,
    paid_days,
    paid_share,
    refund_of,
    unused_amount,
)
from billing_core.domain.errors import NotAllowed, NotFound
from billing_core.domain.invoice import ZERO
from billing_core.domain.numbering import note_number
from billing_core.services import billing_entities, finalization, invoice_credits
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import credit_notes, customers, invoices, subscriptions
from billing_core.store.tables import CreditNote, Fee, Invoice, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

# on these an invoice asks for money, so that some of it can be taken back
CREDITABLE = frozenset({"draft", "pending", "failed", "finalized"})


@dataclass(frozen=True, slots=True)
class Division:
    """How the total of a note divides, in minor units."""

    credit_cents: int
    refund_cents: int = 0
    offset_cents: int = 0

    @property
    def total_cents(self) -> int:
        """All three together."""
        return self.credit_cents + self.refund_cents + self.offset_cents


async def get(unit: Unit, note_id: UUID) -> CreditNote:
    """Return a finalized note, or refuse."""
    note = await credit_notes.visible(unit, note_id)
    if note is None:
        raise NotFound("credit_note")
    return note


async def page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[CreditNote], int]:
    """List finalized notes, newest first; an unknown billing entity is a 404."""
    await billing_entities.check_codes(unit, filters.get("billing_entity_codes[]"))
    return await credit_notes.page(unit, filters, wanted)


async def of_customer(
    unit: Unit, external_customer_id: str, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[CreditNote], int]:
    """List a customer's notes; an unknown customer is a 404."""
    if await customers.by_external_id(unit, external_customer_id) is None:
        raise NotFound("customer")
    return await page(unit, {**filters, "external_customer_id": external_customer_id}, wanted)


async def void(unit: Unit, note_id: UUID) -> CreditNote:
    """Take back what is left of a note's balance (`docs/rules/money.md` 3.15)."""
    note = await credit_notes.lock(unit, note_id)
    if note is None:
        raise NotFound("credit_note")
    if not note.balance_amount_cents:
        raise NotAllowed("no_voidable_amount")
    note.balance_amount_cents = 0
    note.credit_status = "voided"
    note.voided_at = note.updated_at = unit.now
    await unit.flush()
    return note


async def credit_unused(
    unit: Unit, subscription: Subscription, *, upgraded: bool
) -> CreditNote | None:
    """Take back the days that were paid in advance and are not used (subscriptions.md 2.7).

    For a subscription that has just ended; `upgraded` when a dearer plan took over, which pays for
    the day of the change. None when there is nothing to take back: in arrears, when the wish is
    "skip", and when no standing invoice has charged the period that was cut short. Doing it again
    takes back nothing more, so the note of a fee that is billed late can be asked for at any time.
    """
    wish = subscription.on_termination_credit_note or "credit"
    if not subscription.plan.pay_in_advance or wish == "skip":
        return None
    await customers.lock(unit, subscription.customer_id)
    fee = await credit_notes.last_subscription_fee(unit, subscription.id)
    invoice = await _standing_invoice(unit, subscription, fee)
    if fee is None or invoice is None:
        return None
    days = _days(unit, subscription, fee, upgraded=upgraded)
    price = fee.amount_details.get("plan_amount_cents", subscription.plan.amount_cents)
    before = (await credit_notes.credited(unit, [fee.id])).get(fee.id, ZERO)
    part = (fee, unused_amount(days, price, fee.amount_cents, before))
    totals = await totals_of(unit, invoice, [part])
    if totals.total_amount_cents <= 0:
        return None
    used_value = min(days.worth(days.used, price), Decimal(fee.amount_cents))
    used_cents = note_totals([invoice_credits.note_line(fee, used_value)]).total_amount_cents
    refund = 0
    if wish != "credit":
        refund = await _refund(unit, invoice, fee, totals.total_amount_cents, used_cents)
    rest = totals.total_amount_cents - refund
    offset = rest if wish == "offset" else 0
    division = Division(rest - offset, refund, offset)
    return await add(unit, invoice, [part], totals, division)


async def credit_late_fee(unit: Unit, subscription: Subscription) -> None:
    """Take back unused days of a fee that was billed after its subscription had ended."""
    if subscription.status == "terminated":
        upgraded = bool(await subscriptions.successors(unit, [subscription.id]))
        await credit_unused(unit, subscription, upgraded=upgraded)


async def _standing_invoice(
    unit: Unit, subscription: Subscription, fee: Fee | None
) -> Invoice | None:
    """Return the invoice that charged the period in which a subscription ended."""
    ended_at = subscription.terminated_at or unit.now
    if fee is None or fee.invoice_id is None or fee.from_datetime is None or not fee.amount_cents:
        return None
    if fee.to_datetime is None or not fee.from_datetime <= ended_at < fee.to_datetime:
        return None
    invoice = await invoices.lock(unit, fee.invoice_id)
    return invoice if invoice is not None and invoice.status in CREDITABLE else None


def _days(unit: Unit, subscription: Subscription, fee: Fee, *, upgraded: bool) -> PaidDays:
    assert fee.from_datetime is not None, "checked with the period"
    ended_at = subscription.terminated_at or unit.now
    return paid_days(
        times_of(subscription),
        fee.from_datetime,
        ended_at,
        upgraded=upgraded,
        trial_end=subscription.trial_ends_at,
    )


async def _refund(unit: Unit, invoice: Invoice, fee: Fee, total: int, used_cents: int) -> int:
    """Return what goes back as money: paid for the fee beyond its used days, not yet refunded."""
    refunded = sum(
        note.refund_amount_cents
        for note in await credit_notes.on_invoice(unit, invoice.id, "finalized")
    )
    paid = invoice.total_paid_amount_cents
    with_taxes = fee.amount_cents + fee.taxes_precise_amount_cents
    with_taxes -= fee.precise_coupons_amount_cents
    share = paid_share(paid, with_taxes, invoice.sub_total_including_taxes_amount_cents)
    return min(refund_of(total, share, used_cents), max(paid - refunded, 0))


async def totals_of(
    unit: Unit, invoice: Invoice, parts: Sequence[tuple[Fee, Decimal]]
) -> NoteTotals:
    """Return a note's amounts; the last note of an invoice evens out what rounding did before."""
    lines = [invoice_credits.note_line(fee, amount) for fee, amount in parts]
    fees = await invoices.fees(unit, invoice.id)
    left = sum((fee.amount_cents for fee in fees), ZERO)
    left -= sum((await credit_notes.credited(unit, [fee.id for fee in fees])).values(), ZERO)
    left -= sum((amount for _, amount in parts), ZERO)
    if left > 0:
        return note_totals(lines)
    others = await credit_notes.on_invoice(unit, invoice.id, "draft", "finalized")
    rounding = sum(
        (note.taxes_amount_cents - note.precise_taxes_amount_cents for note in others), ZERO
    )
    return note_totals(lines, rounding)


async def add(  # noqa: PLR0913 - the parts of a note
    unit: Unit,
    invoice: Invoice,
    parts: Sequence[tuple[Fee, Decimal]],
    totals: NoteTotals,
    division: Division,
    *,
    reason: str = "other",
    description: str | None = None,
    metadata: dict[str, str | None] | None = None,
) -> CreditNote:
    """Write a note: a draft while its invoice is one, else final and announced at once.

    The caller holds the locks of the customer and the invoice.
    """
    sequence = await credit_notes.next_sequence(unit, invoice.id)
    note = CreditNote(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        number=note_number(invoice.number, sequence),
        sequential_id=sequence,
        issuing_date=local_date(unit.now, invoice.customer.applicable_timezone),
        status="draft",
        reason=reason,
        description=description,
        custom_metadata=metadata,
        currency=invoice.currency,
        total_amount_cents=division.total_cents,
        credit_amount_cents=division.credit_cents,
        refund_amount_cents=division.refund_cents,
        offset_amount_cents=division.offset_cents,
    )
    note.customer, note.invoice = invoice.customer, invoice
    invoice_credits.write_parts(unit, note, parts, totals)
    invoice_credits.write_statuses(note)
    credit_notes.add(unit, note)
    if invoice.status != "draft":
        await _finalize(unit, invoice, note)
    await unit.flush()
    return note


async def _finalize(unit: Unit, invoice: Invoice, note: CreditNote) -> None:
    before = invoice.payment_status
    invoice_credits.finalize(unit, invoice, note)
    await unit.flush()
    await invoice_credits.announce(unit, note)
    if invoice.payment_status != before:
        await finalization.announce(unit, invoice, "invoice.payment_status_updated")
