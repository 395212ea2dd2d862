"""Coupons lower invoices that become final, and are given back when one is voided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from billing_core.domain.coupons import Discount, DiscountedFee, apply
from billing_core.domain.invoice import assemble
from billing_core.services import applied_coupons, fee_taxes, invoice_credits
from billing_core.services.invoice_contents import Contents
from billing_core.store import coupons as store
from billing_core.store.tables import AppliedCoupon, CouponCredit, Fee, Invoice
from billing_core.store.unit import Unit

# top-ups, one-off invoices and fees that were paid before are never lowered (money.md 1.4.2)
LOWERED = frozenset({"subscription", "progressive_billing"})
TOTALS = (
    "coupons_amount_cents",
    "sub_total_excluding_taxes_amount_cents",
    "taxes_amount_cents",
    "taxes_rate",
    "sub_total_including_taxes_amount_cents",
    "total_amount_cents",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of some coupons and fees: uses so far, and which plans and metrics fees are of.

    `used_cents` is kept up to date from invoice to invoice.
    """

    used_cents: dict[UUID, int]
    plans: Mapping[UUID, UUID]
    metrics: Mapping[UUID, UUID]


async def take_off(unit: Unit, several: Sequence[Contents]) -> None:
    """Lower invoices that become final by their customers' coupons, in the order given.

    It comes off the fees before taxes, which are computed anew (`docs/rules/money.md` 2.3 to 2.8).
    The caller holds the customers' locks. Nothing more is read where nobody has coupons.
    """
    due = [
        contents
        for contents in several
        if contents.invoice.invoice_type in LOWERED
        and contents.invoice.sub_total_excluding_taxes_amount_cents > 0
        and not contents.invoice.coupons_amount_cents
    ]
    held: dict[UUID, list[AppliedCoupon]] = {}
    owners = [contents.invoice.customer_id for contents in due]
    for row in await store.active_of(unit, owners) if due else ():
        held.setdefault(row.customer_id, []).append(row)
    due = [contents for contents in due if contents.invoice.customer_id in held]
    if not due:
        return
    facts = await _read(unit, due, [row for rows in held.values() for row in rows])
    for contents in due:
        _lower(unit, contents, held[contents.invoice.customer_id], facts)
    await unit.flush()
    for invoice, _, _, is_new in due:
        if invoice.coupons_amount_cents and not is_new:  # its draft notes are worth less, too
            aside = await invoice_credits.set_aside(unit, invoice)
            await invoice_credits.put_back(unit, invoice, aside)


async def give_back(unit: Unit, invoice: Invoice) -> None:
    """Return what coupons took off an invoice that is owed no more (2.9).

    One that was used up with it counts again, unless nobody may have the coupon any more; what was
    taken away from the customer by hand stays away. The invoice goes on saying what was taken off.
    """
    if not invoice.coupons_amount_cents:
        return
    await unit.flush()  # the invoice does not stand any more
    taken = (await store.credits_on(unit, [invoice.id])).get(invoice.id, [])
    used = await store.used(unit, [credit.applied_coupon_id for credit in taken])
    for credit in taken:
        row = credit.applied_coupon
        _, used_cents = used.get(row.id, (0, 0))
        was_used_up = row.status == "terminated" and _is_used_up(
            row, used_cents + credit.amount_cents
        )
        if row.frequency_duration_remaining is not None:
            row.frequency_duration_remaining += 1
        if was_used_up and row.coupon.deleted_at is None and row.coupon.status == "active":
            row.status = "active"
            row.terminated_at = None
        row.updated_at = unit.now


async def _read(unit: Unit, due: Sequence[Contents], rows: Sequence[AppliedCoupon]) -> Facts:
    fees = [fee for contents in due for fee in contents.fees]
    targets = [target for row in rows for target in row.coupon.targets]
    amounts = [row.id for row in rows if row.frequency == "once" and row.amount_cents is not None]
    used = await store.used(unit, amounts) if amounts else {}
    return Facts(
        {applied_id: cents for applied_id, (_, cents) in used.items()},
        await store.plans_of(unit, fees) if any(one.plan_id for one in targets) else {},
        await store.metrics_of(unit, fees)
        if any(one.billable_metric_id for one in targets)
        else {},
    )


def _lower(unit: Unit, contents: Contents, held: Sequence[AppliedCoupon], facts: Facts) -> None:
    invoice, fees = contents.invoice, contents.fees
    rows = [
        row
        for row in sorted(held, key=_turn)
        if row.status == "active" and row.amount_currency in {None, invoice.currency}
    ]
    amounts, lowered = apply(
        [_discount(row, fees, facts) for row in rows],
        [DiscountedFee(fee.amount_cents, fee.precise_coupons_amount_cents) for fee in fees],
        invoice.sub_total_excluding_taxes_amount_cents,
    )
    for fee, after in zip(fees, lowered, strict=True):
        fee.precise_coupons_amount_cents = after.taken_cents
    for position, (row, amount) in enumerate(zip(rows, amounts, strict=True)):
        if amount:
            _record(unit, invoice, row, position, amount)
            facts.used_cents[row.id] = facts.used_cents.get(row.id, 0) + amount
            _consume(unit, row, facts.used_cents[row.id])
    if any(amounts):
        _tax_anew(invoice, fees, sum(amounts))


def _turn(row: AppliedCoupon) -> int:
    """Return when a coupon has its turn: limited to metrics first, then to plans, then others."""
    targets = row.coupon.targets
    if any(target.billable_metric_id for target in targets):
        return 0
    return 1 if targets else 2


def _discount(row: AppliedCoupon, fees: Sequence[Fee], facts: Facts) -> Discount:
    amount = row.amount_cents
    if amount is not None and row.frequency == "once":
        amount -= facts.used_cents.get(row.id, 0)
    return Discount(amount, row.percentage_rate, _eligible(row, fees, facts))


def _eligible(row: AppliedCoupon, fees: Sequence[Fee], facts: Facts) -> frozenset[int] | None:
    """Return the positions of the fees that a coupon is limited to (2.4)."""
    targets = row.coupon.targets
    if not targets:
        return None
    wanted = {target.plan_id or target.billable_metric_id for target in targets}
    return frozenset(
        position
        for position, fee in enumerate(fees)
        if (fee.subscription_id and facts.plans.get(fee.subscription_id) in wanted)
        or (fee.charge_id and facts.metrics.get(fee.charge_id) in wanted)
    )


def _record(unit: Unit, invoice: Invoice, row: AppliedCoupon, position: int, amount: int) -> None:
    credit = CouponCredit(
        org_id=unit.org_id,
        created_at=unit.now,
        invoice_id=invoice.id,
        applied_coupon_id=row.id,
        position=position,
        amount_cents=amount,
        amount_currency=invoice.currency,
    )
    credit.applied_coupon, credit.invoice = row, invoice
    store.add(unit, credit)


def _consume(unit: Unit, row: AppliedCoupon, used_cents: int) -> None:
    """Count a use; what is used up ends (2.8)."""
    if row.frequency_duration_remaining is not None:
        row.frequency_duration_remaining -= 1
    row.updated_at = unit.now
    if _is_used_up(row, used_cents):
        applied_coupons.end(unit, row)


def _is_used_up(row: AppliedCoupon, used_cents: int) -> bool:
    if row.frequency == "once":
        return row.amount_cents is None or used_cents >= row.amount_cents
    return row.frequency == "recurring" and not row.frequency_duration_remaining


def _tax_anew(invoice: Invoice, fees: Sequence[Fee], coupons_cents: int) -> None:
    """Compute the taxes of lowered fees from the rates that they carry, and what is owed then."""
    totals = assemble(
        [fee_taxes.taxed_line(fee) for fee in fees],
        coupons_amount_cents=coupons_cents,
        progressive_billing_credit_amount_cents=invoice.progressive_billing_credit_amount_cents,
    )
    for fee, taxes in zip(fees, totals.fee_taxes, strict=True):
        fee.taxes_amount_cents = taxes.taxes_amount_cents
        fee.taxes_precise_amount_cents = taxes.taxes_precise_amount_cents
        for row, (_, amount) in zip(fee.applied_taxes, taxes.applied, strict=True):
            row.amount_cents = amount
    rows = {row.tax_id: row for row in invoice.applied_taxes}
    for tax in totals.applied_taxes:
        rows[tax.tax.id].amount_cents = tax.amount_cents
        rows[tax.tax.id].fees_amount_cents = tax.fees_amount_cents
    for name in TOTALS:
        setattr(invoice, name, getattr(totals, name))
