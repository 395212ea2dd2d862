"""Coupons that an invoice preview supposes: those that there are, and ones that exist nowhere."""

from collections.abc import Sequence

from billing_core.domain.errors import NotFound
from billing_core.services import applied_coupons
from billing_core.store import coupons as store
from billing_core.store.tables import Coupon, Customer
from billing_core.store.unit import Unit
from billing_core.wire.coupons import FIXED, PERCENTAGE, PreviewCouponIn

Supposed = list[tuple[Coupon, PreviewCouponIn]]


async def find(unit: Unit, wanted: Sequence[PreviewCouponIn]) -> Supposed:
    """Return the coupons of these codes; one that nobody knows must bring its terms.

    Raises `NotFound` for the others, and for those that have expired.
    """
    found: Supposed = []
    for terms in wanted:
        coupon = await store.by_code(unit, terms.code)
        if coupon is None:
            coupon = _coupon(unit, terms)
        elif applied_coupons.is_over(unit, coupon):
            raise NotFound("coupon")
        found.append((coupon, terms))
    await unit.flush()
    return found


async def give(unit: Unit, customer: Customer, supposed: Supposed) -> None:
    """Let the customer of a preview have these coupons, after those that they have."""
    for coupon, terms in supposed:
        await applied_coupons.give(unit, customer, coupon, terms)


def _coupon(unit: Unit, terms: PreviewCouponIn) -> Coupon:
    is_whole = {
        FIXED: terms.amount_cents is not None and terms.amount_currency is not None,
        PERCENTAGE: terms.percentage_rate is not None,
    }
    if terms.coupon_type is None or not is_whole[terms.coupon_type]:
        raise NotFound("coupon")
    coupon = Coupon(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        name=terms.name or terms.code,
        code=terms.code,
        coupon_type=terms.coupon_type,
        frequency="forever",
        expiration="no_expiration",
    )
    coupon.targets = []
    store.add(unit, coupon)
    return coupon
