"""What coupons look like, those that customers have, and their use on an invoice."""

from collections.abc import Sequence
from typing import Any

from billing_core.store import coupons as store
from billing_core.store.tables import AppliedCoupon, Coupon, CouponCredit, Invoice
from billing_core.store.unit import Unit
from billing_core.wire.coupons import AppliedCouponOut, AppliedCouponUseOut, CouponOut
from billing_core.wire.credit_notes import CreditInvoiceOut, CreditItemOut, CreditOut


async def out(unit: Unit, coupon: Coupon) -> CouponOut:
    """Return the wire model of one coupon."""
    return (await several(unit, [coupon]))[0]


async def several(unit: Unit, coupons: Sequence[Coupon]) -> list[CouponOut]:
    """Return the wire models of coupons, with a query each for plans and metrics."""
    codes = await store.target_codes(unit, coupons)
    found = []
    for coupon in coupons:
        plans = [codes[one.plan_id] for one in coupon.targets if one.plan_id]
        metrics = [
            codes[one.billable_metric_id] for one in coupon.targets if one.billable_metric_id
        ]
        found.append(
            CouponOut.of(
                coupon,
                limited_plans=bool(plans),
                plan_codes=sorted(plans),
                limited_billable_metrics=bool(metrics),
                billable_metric_codes=sorted(metrics),
            )
        )
    return found


async def applied(unit: Unit, row: AppliedCoupon) -> AppliedCouponOut:
    """Return the wire model of a customer's coupon."""
    used = await store.used(unit, [row.id])
    return AppliedCouponOut.of(row, **_parts(row, used.get(row.id, (0, 0))[1]))


async def applied_page(unit: Unit, rows: Sequence[AppliedCoupon]) -> list[AppliedCouponUseOut]:
    """Return the wire models of a list, with what each took off invoices."""
    ids = [row.id for row in rows]
    used = await store.used(unit, ids)
    credits_ = await store.credits_with(unit, ids)
    return [
        AppliedCouponUseOut.of(
            row,
            **_parts(row, used.get(row.id, (0, 0))[1]),
            credits=[
                use(credit, credit.invoice)
                for credit in credits_
                if credit.applied_coupon_id == row.id
            ],
        )
        for row in rows
    ]


def use(credit: CouponCredit, invoice: Invoice) -> CreditOut:
    """Return the wire model of a coupon's use on an invoice; coupons come off before taxes."""
    coupon = credit.applied_coupon.coupon
    return CreditOut.of(
        credit,
        before_taxes=True,
        item=CreditItemOut(
            lago_item_id=coupon.id, type="coupon", code=coupon.code, name=coupon.name
        ),
        invoice=CreditInvoiceOut(lago_id=invoice.id, payment_status=invoice.payment_status),
    )


def _parts(row: AppliedCoupon, used_cents: int) -> dict[str, Any]:
    remaining = None
    if row.frequency == "once" and row.amount_cents is not None:
        remaining = row.amount_cents - used_cents
    return {
        "coupon_code": row.coupon.code,
        "coupon_name": row.coupon.name,
        "coupon_status": row.coupon.status,
        "coupon_deleted_at": row.coupon.deleted_at,
        "external_customer_id": row.customer.external_id,
        "amount_cents_remaining": remaining,
        "expiration_at": row.coupon.expiration_at,
    }
