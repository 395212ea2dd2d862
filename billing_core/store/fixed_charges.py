"""Queries about fixed charges, and how many units of them subscriptions have."""

from uuid import UUID

from sqlalchemy import select

from billing_core.store.pages import page_of
from billing_core.store.tables import FixedCharge, FixedChargeOverride, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


async def page(unit: Unit, plan_id: UUID, wanted: Page) -> tuple[list[FixedCharge], int]:
    """List the live fixed charges of a plan, newest first."""
    query = select(FixedCharge).where(
        FixedCharge.plan_id == plan_id, FixedCharge.deleted_at.is_(None)
    )
    return await page_of(unit, query, wanted, FixedCharge.created_at.desc(), FixedCharge.position)


async def of_add_on(unit: Unit, add_on_id: UUID) -> list[FixedCharge]:
    """Return the live fixed charges that sell an add-on, in whatever plan."""
    rows = await unit.session.scalars(
        select(FixedCharge).where(
            FixedCharge.add_on_id == add_on_id, FixedCharge.deleted_at.is_(None)
        )
    )
    return list(rows)


async def followers(unit: Unit, fixed_charge: FixedCharge) -> list[Subscription]:
    """Return the plan's active subscriptions without a number of units of their own."""
    overridden = select(FixedChargeOverride.subscription_id).where(
        FixedChargeOverride.fixed_charge_id == fixed_charge.id
    )
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.plan_id == fixed_charge.plan_id,
            Subscription.status == "active",
            Subscription.id.not_in(overridden),
        )
    )
    return list(rows)
