"""Giving coupons to customers and taking them away (`docs/rules/money.md` 2.2)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from billing_core.domain.errors import Invalid, NotAllowed, NotFound
from billing_core.store import coupons as store
from billing_core.store import customers
from billing_core.store.tables import AppliedCoupon, Coupon, Customer
from billing_core.store.unit import Unit
from billing_core.wire.coupons import FIXED, AppliedCouponIn, CouponTermsIn
from billing_core.wire.pages import Page


async def create(unit: Unit, data: AppliedCouponIn) -> AppliedCoupon:
    """Give a customer a coupon, with terms that may differ from the coupon's own.

    Raises `NotFound` for an unknown customer and for a coupon that is unknown or has expired,
    `NotAllowed` for one whose limits meet those of another that the customer has, and `Invalid`
    for one that is used but once and for recurring terms without a duration.
    """
    known = await customers.by_external_id(unit, data.external_customer_id)
    if known is None:
        raise NotFound("customer")
    coupon = await store.lock(unit, data.coupon_code)  # before customers, everywhere
    customer = await customers.lock(unit, known.id)
    if coupon is None or is_over(unit, coupon):
        raise NotFound("coupon")
    if not coupon.reusable and await store.is_applied(unit, coupon.id, customer.id):
        raise Invalid.field("coupon", "coupon_is_not_reusable")
    await _check_overlap(unit, coupon, customer)
    return await give(unit, customer, coupon, data)


async def give(
    unit: Unit, customer: Customer, coupon: Coupon, terms: CouponTermsIn
) -> AppliedCoupon:
    """Write down that a locked customer has a coupon; the checks are the caller's."""
    is_fixed = coupon.coupon_type == FIXED
    frequency = terms.frequency or coupon.frequency
    duration = terms.frequency_duration or coupon.frequency_duration
    if frequency == "recurring" and duration is None:
        raise Invalid.field("frequency_duration", "value_is_mandatory")
    lasting = duration if frequency == "recurring" else None
    row = AppliedCoupon(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        coupon_id=coupon.id,
        customer_id=customer.id,
        amount_cents=(terms.amount_cents or coupon.amount_cents) if is_fixed else None,
        amount_currency=(terms.amount_currency or coupon.amount_currency) if is_fixed else None,
        percentage_rate=None if is_fixed else terms.percentage_rate or coupon.percentage_rate,
        frequency=frequency,
        frequency_duration=lasting,
        frequency_duration_remaining=lasting,
    )
    row.coupon, row.customer = coupon, customer
    store.add(unit, row)
    await unit.flush()
    return row


async def page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[AppliedCoupon], int]:
    """List what customers have and had, newest first."""
    return await store.applied_page(unit, filters, wanted)


async def of_customer(
    unit: Unit, external_customer_id: str, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[AppliedCoupon], int]:
    """List what a customer has and had; an unknown customer is a 404."""
    if await customers.by_external_id(unit, external_customer_id) is None:
        raise NotFound("customer")
    return await page(unit, {**filters, "external_customer_id": external_customer_id}, wanted)


async def terminate(unit: Unit, external_customer_id: str, applied_id: UUID) -> AppliedCoupon:
    """Take a coupon away from a customer; one that is used up is answered unchanged."""
    customer = await customers.by_external_id(unit, external_customer_id)
    if customer is None:
        raise NotFound("customer")
    await customers.lock(unit, customer.id)
    row = await store.applied(unit, applied_id)
    if row is None or row.customer_id != customer.id:
        raise NotFound("applied_coupon")
    if row.status == "active":
        end(unit, row)
    return row


async def terminate_all(unit: Unit, coupon: Coupon) -> None:
    """Take a locked coupon away from everybody."""
    owners = [row.customer_id for row in await store.active_with(unit, coupon.id)]
    await customers.lock_all(unit, owners)
    for row in await store.active_with(unit, coupon.id):  # as of the locks
        end(unit, row)


def end(unit: Unit, row: AppliedCoupon) -> None:
    """Let a customer's coupon take off no more."""
    row.status = "terminated"
    row.terminated_at = row.updated_at = unit.now


def is_over(unit: Unit, coupon: Coupon) -> bool:
    """Tell whether a coupon can be given to nobody any more."""
    expires_at = coupon.expiration_at
    return coupon.status != "active" or (expires_at is not None and expires_at <= unit.now)


async def _check_overlap(unit: Unit, coupon: Coupon, customer: Customer) -> None:
    """Refuse a limited coupon that meets another one of the customer, through plans or metrics."""
    if not coupon.targets:
        return
    plans, metrics = _limits([coupon])
    held = await store.active_of(unit, [customer.id])
    other_plans, other_metrics = _limits([row.coupon for row in held])
    meets = bool(plans & other_plans or metrics & other_metrics)
    if metrics and other_plans:
        meets = meets or bool(metrics & await store.metrics_of_plans(unit, sorted(other_plans)))
    if plans and other_metrics:
        meets = meets or bool(other_metrics & await store.metrics_of_plans(unit, sorted(plans)))
    if meets:
        raise NotAllowed("plan_overlapping")


def _limits(coupons: list[Coupon]) -> tuple[set[UUID], set[UUID]]:
    targets = [target for coupon in coupons for target in coupon.targets]
    return (
        {one.plan_id for one in targets if one.plan_id is not None},
        {one.billable_metric_id for one in targets if one.billable_metric_id is not None},
    )
