"""Queries about coupons, who has them, and what they took off invoices."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select

from billing_core.store.invoices import GONE
from billing_core.store.pages import page_of
from billing_core.store.tables import (
    AppliedCoupon,
    BillableMetric,
    Charge,
    Coupon,
    CouponCredit,
    Customer,
    Fee,
    Invoice,
    Plan,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

ACTIVE_FIRST = case((Coupon.status == "active", 0), else_=1)


def add(unit: Unit, row: Any) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def by_code(unit: Unit, code: str) -> Coupon | None:
    """Find a coupon that was not deleted."""
    return await unit.session.scalar(
        select(Coupon).where(Coupon.code == code, Coupon.deleted_at.is_(None))
    )


async def lock(unit: Unit, code: str) -> Coupon | None:
    """Find a coupon, as it is now, and keep others from changing or applying it meanwhile."""
    return await unit.session.scalar(
        select(Coupon)
        .where(Coupon.code == code, Coupon.deleted_at.is_(None))
        .with_for_update(of=Coupon, key_share=True)
        .execution_options(populate_existing=True)
    )


async def page(unit: Unit, wanted: Page) -> tuple[list[Coupon], int]:
    """List coupons: active ones first, then those that expire first (api-conventions 3)."""
    order = (
        ACTIVE_FIRST,
        Coupon.expiration_at.asc().nulls_last(),
        Coupon.created_at.desc(),
        Coupon.id.desc(),
    )
    return await page_of(unit, select(Coupon).where(Coupon.deleted_at.is_(None)), wanted, *order)


async def is_applied(unit: Unit, coupon_id: UUID, customer_id: UUID | None = None) -> bool:
    """Tell whether anybody, or a customer, has or had a coupon."""
    query = select(AppliedCoupon.id).where(AppliedCoupon.coupon_id == coupon_id).limit(1)
    if customer_id is not None:
        query = query.where(AppliedCoupon.customer_id == customer_id)
    return await unit.session.scalar(query) is not None


async def expired(unit: Unit, at: datetime) -> list[Coupon]:
    """Return the active coupons that have expired."""
    rows = await unit.session.scalars(
        select(Coupon).where(
            Coupon.status == "active", Coupon.deleted_at.is_(None), Coupon.expiration_at <= at
        )
    )
    return list(rows)


async def earliest_expiry(unit: Unit) -> datetime | None:
    """Return when the next active coupon expires."""
    return await unit.session.scalar(
        select(func.min(Coupon.expiration_at)).where(
            Coupon.status == "active", Coupon.deleted_at.is_(None), Coupon.org_id == unit.org_id
        )
    )


async def applied(unit: Unit, applied_id: UUID) -> AppliedCoupon | None:
    """Find an applied coupon, as it is now."""
    return await unit.session.scalar(
        select(AppliedCoupon)
        .where(AppliedCoupon.id == applied_id)
        .execution_options(populate_existing=True)
    )


async def applied_page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[AppliedCoupon], int]:
    """List applied coupons, newest first."""
    query = select(AppliedCoupon)
    if filters.get("status"):
        query = query.where(AppliedCoupon.status == filters["status"])
    if filters.get("external_customer_id"):
        owners = select(Customer.id).where(
            Customer.external_id == filters["external_customer_id"], Customer.deleted_at.is_(None)
        )
        query = query.where(AppliedCoupon.customer_id.in_(owners))
    if filters.get("coupon_code[]"):
        named = select(Coupon.id).where(Coupon.code.in_(filters["coupon_code[]"]))
        query = query.where(AppliedCoupon.coupon_id.in_(named))
    order = (AppliedCoupon.created_at.desc(), AppliedCoupon.id.desc())
    return await page_of(unit, query, wanted, *order)


async def active_of(unit: Unit, customer_ids: Iterable[UUID]) -> list[AppliedCoupon]:
    """Return the coupons that some customers have, the one they got first before later ones.

    The caller holds the customers' locks, so that they stay as they are read.
    """
    rows = await unit.session.scalars(
        select(AppliedCoupon)
        .where(
            AppliedCoupon.customer_id.in_(sorted(set(customer_ids))),
            AppliedCoupon.status == "active",
        )
        .order_by(AppliedCoupon.created_at, AppliedCoupon.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def active_with(unit: Unit, coupon_id: UUID) -> list[AppliedCoupon]:
    """Return the active applications of a coupon, in the order of their customers."""
    rows = await unit.session.scalars(
        select(AppliedCoupon)
        .where(AppliedCoupon.coupon_id == coupon_id, AppliedCoupon.status == "active")
        .order_by(AppliedCoupon.customer_id, AppliedCoupon.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def credits_on(unit: Unit, invoice_ids: Sequence[UUID]) -> dict[UUID, list[CouponCredit]]:
    """Return what coupons took off each of some invoices, in the order they did."""
    rows = await unit.session.scalars(
        select(CouponCredit)
        .where(CouponCredit.invoice_id.in_(invoice_ids))
        .order_by(CouponCredit.invoice_id, CouponCredit.position)
    )
    found: dict[UUID, list[CouponCredit]] = {}
    for row in rows:
        found.setdefault(row.invoice_id, []).append(row)
    return found


async def credits_with(unit: Unit, applied_ids: Sequence[UUID]) -> list[CouponCredit]:
    """Return what some applied coupons took off invoices, whatever became of these."""
    rows = await unit.session.scalars(
        select(CouponCredit)
        .where(CouponCredit.applied_coupon_id.in_(applied_ids))
        .order_by(CouponCredit.created_at, CouponCredit.id)
    )
    return list(rows)


async def used(unit: Unit, applied_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return what applied coupons took off invoices that stand: how often, and minor units."""
    rows = await unit.session.execute(
        select(
            CouponCredit.applied_coupon_id,
            func.count(),
            func.sum(CouponCredit.amount_cents),
        )
        .join(Invoice, Invoice.id == CouponCredit.invoice_id)
        .where(
            CouponCredit.applied_coupon_id.in_(applied_ids),
            CouponCredit.org_id == unit.org_id,
            Invoice.status.not_in(GONE),
        )
        .group_by(CouponCredit.applied_coupon_id)
    )
    return {row[0]: (row[1], int(row[2])) for row in rows}


async def sums_on(unit: Unit, invoice_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return what coupons took off each of some invoices."""
    rows = await unit.session.execute(
        select(CouponCredit.invoice_id, func.sum(CouponCredit.amount_cents))
        .where(CouponCredit.invoice_id.in_(invoice_ids), CouponCredit.org_id == unit.org_id)
        .group_by(CouponCredit.invoice_id)
    )
    return {row[0]: int(row[1]) for row in rows}


async def plans_of(unit: Unit, fees: Iterable[Fee]) -> dict[UUID, UUID]:
    """Return the plan of each subscription of these fees, of an override that it was made from."""
    ids = sorted({fee.subscription_id for fee in fees if fee.subscription_id is not None})
    rows = await unit.session.execute(
        select(Subscription.id, Plan.id, Plan.parent_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .where(Subscription.id.in_(ids), Subscription.org_id == unit.org_id)
    )
    return {row[0]: row[2] or row[1] for row in rows}


async def metrics_of(unit: Unit, fees: Iterable[Fee]) -> dict[UUID, UUID]:
    """Return the metric of each charge of these fees."""
    ids = sorted({fee.charge_id for fee in fees if fee.charge_id is not None})
    rows = await unit.session.execute(
        select(Charge.id, Charge.billable_metric_id).where(
            Charge.id.in_(ids), Charge.org_id == unit.org_id
        )
    )
    return {row[0]: row[1] for row in rows}


async def target_codes(unit: Unit, coupons: Iterable[Coupon]) -> dict[UUID, str]:
    """Return the codes of the plans and metrics that some coupons are limited to, by id."""
    targets = [target for coupon in coupons for target in coupon.targets]
    found: dict[UUID, str] = {}
    for model, ids in (
        (Plan, {target.plan_id for target in targets}),
        (BillableMetric, {target.billable_metric_id for target in targets}),
    ):
        wanted = sorted(one for one in ids if one is not None)
        if wanted:
            rows = await unit.session.execute(
                select(model.id, model.code).where(
                    model.id.in_(wanted), model.org_id == unit.org_id
                )
            )
            found.update({row[0]: row[1] for row in rows})
    return found


async def metrics_of_plans(unit: Unit, plan_ids: Sequence[UUID]) -> set[UUID]:
    """Return the metrics that plans, or overrides of them, price."""
    plans = select(Plan.id).where(or_(Plan.id.in_(plan_ids), Plan.parent_id.in_(plan_ids)))
    rows = await unit.session.scalars(
        select(Charge.billable_metric_id).where(
            Charge.plan_id.in_(plans), Charge.deleted_at.is_(None), Charge.org_id == unit.org_id
        )
    )
    return set(rows)


async def all_after(unit: Unit, after: UUID | None, limit: int) -> Sequence[AppliedCoupon]:
    """Walk all applied coupons by key, for `tallygate verify`."""
    query = select(AppliedCoupon).order_by(AppliedCoupon.id).limit(limit)
    if after is not None:
        query = query.where(AppliedCoupon.id > after)
    return (await unit.session.scalars(query)).all()
