"""Queries about overrides of plans: who lives on them, and what moves to one when it is made."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select

from billing_core.store.tables import (
    Fee,
    FixedChargeOverride,
    FixedChargeUnits,
    Invoice,
    Plan,
    Subscription,
)
from billing_core.store.unit import Unit

FOLLOWING = ("active", "pending")


async def lived_on(unit: Unit, plan_id: UUID) -> list[Plan]:
    """Return the overrides of a plan with an active or pending subscription, the oldest first."""
    on_it = select(Subscription.plan_id).where(Subscription.status.in_(FOLLOWING))
    rows = await unit.session.scalars(
        select(Plan)
        .where(Plan.parent_id == plan_id, Plan.deleted_at.is_(None), Plan.id.in_(on_it))
        .order_by(Plan.created_at, Plan.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def customers_on_overrides(unit: Unit, plan_id: UUID) -> list[UUID]:
    """Return the customers who live on overrides of a plan, in the order they are locked."""
    rows = await unit.session.scalars(
        select(Subscription.customer_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .where(Plan.parent_id == plan_id, Subscription.status.in_(FOLLOWING))
        .order_by(Subscription.customer_id)
        .distinct()
    )
    return list(rows)


async def move(unit: Unit, subscription_id: UUID, copies: Mapping[UUID | None, UUID]) -> None:
    """Let what a subscription has of a plan's parts belong to their copies from now on.

    That is its history of units, and the fees of its drafts: when those are computed again, credit
    notes find theirs. Final fees go on to name what they were priced by.
    """
    history = await unit.session.scalars(
        select(FixedChargeUnits).where(FixedChargeUnits.subscription_id == subscription_id)
    )
    for noted in history:
        noted.fixed_charge_id = copies.get(noted.fixed_charge_id, noted.fixed_charge_id)
    drafted = await unit.session.scalars(
        select(Fee)
        .join(Invoice, Invoice.id == Fee.invoice_id)
        .where(Fee.subscription_id == subscription_id, Invoice.status == "draft")
    )
    for fee in drafted:
        fee.charge_id = copies.get(fee.charge_id, fee.charge_id)
        fee.charge_filter_id = copies.get(fee.charge_filter_id, fee.charge_filter_id)
        fee.fixed_charge_id = copies.get(fee.fixed_charge_id, fee.fixed_charge_id)
    await unit.flush()


async def forget_own_units(unit: Unit, subscription_id: UUID) -> None:
    """Delete a subscription's own numbers of units."""
    rows = await unit.session.scalars(
        select(FixedChargeOverride).where(FixedChargeOverride.subscription_id == subscription_id)
    )
    for row in rows:
        await unit.session.delete(row)
    await unit.flush()
