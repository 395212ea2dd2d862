"""What progressive invoices of a period have billed already is left off the invoices after them."""

from collections.abc import Container, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.credits import ITEM_PLACES
from billing_core.domain.invoice import ZERO
from billing_core.domain.money import exact_context, quantize
from billing_core.domain.thresholds import share_of_credit
from billing_core.services import credit_notes
from billing_core.services.fee_lines import BilledLine
from billing_core.store import credit_notes as note_store
from billing_core.store import invoices, progressive_invoices
from billing_core.store.tables import Fee, Invoice, ProgressiveCredit, Subscription
from billing_core.store.unit import Unit


async def deduct(
    unit: Unit,
    invoice: Invoice,
    lines: Sequence[BilledLine],
    fees: Sequence[Fee],
    among: Container[UUID],
) -> None:
    """Leave off an invoice that is being computed what was billed of its usage progressively.

    It comes off the fees before taxes. Where usage has shrunk since, what was billed too much
    becomes a credit note (`docs/rules/subscriptions.md` 8.5). The caller holds the customer's lock;
    `among` are the subscriptions that were ever billed so.
    """
    concerned = [line for line in lines if line.subscription.id in among]
    if not concerned:
        return
    await progressive_invoices.drop_credits(unit, invoice.id)
    invoice.progressive_billing_credit_amount_cents = 0
    for line in concerned:
        window = line.windows().charges
        if window is None or line.reason == "subscription_starting":
            continue  # no usage is billed
        earlier = await progressive_invoices.standing(
            unit, line.subscription.id, window, apart_from=invoice.id
        )
        if earlier:
            await _deduct(unit, invoice, earlier, _usage_fees(fees, line.subscription))


def _usage_fees(fees: Sequence[Fee], subscription: Subscription) -> list[Fee]:
    return [
        fee
        for fee in fees
        if fee.subscription_id == subscription.id
        and fee.charge_id is not None
        and fee.true_up_parent_fee_id is None
    ]


async def _deduct(
    unit: Unit, invoice: Invoice, earlier: Sequence[Invoice], fees: Sequence[Fee]
) -> None:
    billed = await _billed_cents(unit, invoice, earlier)
    newest = await invoices.fees(unit, earlier[-1].id)
    charges = await progressive_invoices.original_charges(unit, [*newest, *fees])
    billed_charges = {charges[fee.charge_id] for fee in newest if fee.charge_id}
    same = [fee for fee in fees if fee.charge_id and charges[fee.charge_id] in billed_charges]
    credit = min(billed, sum(fee.amount_cents for fee in same))
    if credit:
        known = {_place(fee, charges): fee.amount_cents for fee in newest}
        matched = [min(known.get(_place(fee, charges), 0), fee.amount_cents) for fee in same]
        shares = share_of_credit(credit, matched, [fee.amount_cents for fee in same])
        for fee, share in zip(same, shares, strict=True):
            fee.precise_coupons_amount_cents += share
        invoice.progressive_billing_credit_amount_cents += credit
        row = ProgressiveCredit(
            org_id=unit.org_id,
            created_at=unit.now,
            invoice_id=invoice.id,
            progressive_invoice_id=earlier[-1].id,
            amount_cents=credit,
        )
        row.progressive_invoice = earlier[-1]
        progressive_invoices.add(unit, row)
    await _give_back(unit, earlier, billed - credit)


async def _billed_cents(unit: Unit, invoice: Invoice, earlier: Sequence[Invoice]) -> int:
    """Return what progressive invoices billed before taxes and nobody has accounted for yet.

    Each of them already leaves off the ones before it.
    """
    ids = [one.id for one in earlier]
    billed = sum(one.sub_total_excluding_taxes_amount_cents for one in earlier)
    billed -= await progressive_invoices.credited_cents(unit, ids)
    return max(billed - await progressive_invoices.taken_cents(unit, ids, invoice.id), 0)


async def _give_back(unit: Unit, earlier: Sequence[Invoice], too_much_cents: int) -> None:
    """Credit what was billed too much on the newest invoice that still has it, its dearest fees."""
    left = Decimal(too_much_cents)
    for progressive in reversed(earlier):
        if left <= 0:
            return
        fees = await invoices.fees(unit, progressive.id)
        credited = await note_store.credited(unit, [fee.id for fee in fees])
        parts: list[tuple[Fee, Decimal]] = []
        for fee in sorted(fees, key=lambda one: -one.amount_cents):
            with exact_context():
                paid = fee.amount_cents - fee.precise_coupons_amount_cents
                if paid <= 0:
                    continue
                factor = Decimal(fee.amount_cents) / paid  # an item is what it was before coupons
                open_cents = paid - credited.get(fee.id, ZERO) / factor
                part = min(left, open_cents)
                left -= max(part, ZERO)
                if part > 0:
                    parts.append((fee, quantize(part * factor, ITEM_PLACES)))
        await _note(unit, progressive, parts)


async def _note(unit: Unit, progressive: Invoice, parts: Sequence[tuple[Fee, Decimal]]) -> None:
    locked = await invoices.lock(unit, progressive.id)
    if locked is None or not parts:
        return
    totals = await credit_notes.totals_of(unit, locked, parts)
    if totals.total_amount_cents > 0:
        division = credit_notes.Division(totals.total_amount_cents)
        await credit_notes.add(unit, locked, parts, totals, division)


def _place(fee: Fee, charges: Mapping[UUID, UUID]) -> tuple[Any, ...]:
    """Return what a fee is for, the same on an override of the plan."""
    charge_id = charges.get(fee.charge_id) if fee.charge_id else None
    values = fee.item.get("filters")
    return charge_id, str(values), tuple(sorted(fee.grouped_by.items()))
