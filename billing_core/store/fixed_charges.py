"""Queries about fixed charges, and how many units of them subscriptions have."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, select

from billing_core.store.invoices import GONE
from billing_core.store.pages import page_of
from billing_core.store.tables import (
    Fee,
    FixedCharge,
    FixedChargeOverride,
    FixedChargeUnits,
    Invoice,
    InvoiceSubscription,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


@dataclass(frozen=True, slots=True)
class Billed:
    """What a standing invoice bills of a fixed charge for a period, which ends before `end`.

    `at` is when it was billed; the amount is in minor units.
    """

    subscription_id: UUID
    fixed_charge_id: UUID
    add_on_id: UUID
    start: datetime
    end: datetime
    at: datetime
    units: Decimal
    amount_cents: int


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
    """Return the plan's subscriptions in force without a number of units of their own.

    Those that wait for their payment are among them.
    """
    overridden = select(FixedChargeOverride.subscription_id).where(
        FixedChargeOverride.fixed_charge_id == fixed_charge.id
    )
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.plan_id == fixed_charge.plan_id,
            Subscription.status.in_(("active", "incomplete")),
            Subscription.id.not_in(overridden),
        )
    )
    return list(rows)


async def changes(unit: Unit, subscription_ids: Iterable[UUID]) -> list[FixedChargeUnits]:
    """Return all changes of units of some subscriptions, in the order they were made.

    That is the order of their ids; `created_at` stands still with a test clock.
    """
    rows = await unit.session.scalars(
        select(FixedChargeUnits)
        .where(FixedChargeUnits.subscription_id.in_(sorted(subscription_ids)))
        .order_by(FixedChargeUnits.id)
    )
    return list(rows)


async def changes_by_ids(unit: Unit, ids: Iterable[UUID]) -> list[FixedChargeUnits]:
    """Return these changes, in the order they were made."""
    rows = await unit.session.scalars(
        select(FixedChargeUnits)
        .where(FixedChargeUnits.id.in_(sorted(ids)))
        .order_by(FixedChargeUnits.id)
    )
    return list(rows)


async def billed(
    unit: Unit, subscription_ids: Iterable[UUID], before: Invoice | None = None
) -> list[Billed]:
    """Return what standing invoices bill of the fixed charges of some subscriptions.

    With `before` only invoices that were made earlier count.
    """
    query: Select[Fee, datetime] = (
        select(Fee, InvoiceSubscription.billed_at)
        .join(Invoice, Invoice.id == Fee.invoice_id)
        .join(
            InvoiceSubscription,
            (InvoiceSubscription.invoice_id == Invoice.id)
            & (InvoiceSubscription.subscription_id == Fee.subscription_id),
        )
        .where(
            Fee.subscription_id.in_(sorted(subscription_ids)),
            Fee.fee_type == "fixed_charge",
            Fee.deleted_at.is_(None),
            Invoice.status.not_in(GONE),
        )
    )
    if before is not None:
        query = query.where(Invoice.id < before.id)
    return [_billed(fee, at) for fee, at in await unit.session.execute(query)]


async def own_units(unit: Unit, subscription_id: UUID) -> dict[UUID, FixedChargeOverride]:
    """Return the subscription's own numbers of units, by fixed charge."""
    rows = await unit.session.scalars(
        select(FixedChargeOverride).where(FixedChargeOverride.subscription_id == subscription_id)
    )
    return {row.fixed_charge_id: row for row in rows}


def _billed(fee: Fee, at: datetime) -> Billed:
    assert fee.subscription_id
    assert fee.fixed_charge_id
    assert fee.add_on_id
    assert fee.from_datetime
    assert fee.to_datetime
    return Billed(
        subscription_id=fee.subscription_id,
        fixed_charge_id=fee.fixed_charge_id,
        add_on_id=fee.add_on_id,
        start=fee.from_datetime,
        end=fee.to_datetime,
        at=at,
        units=fee.units,
        amount_cents=fee.amount_cents,
    )
