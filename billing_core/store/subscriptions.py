"""Queries about subscriptions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from billing_core.store.pages import page_of
from billing_core.store.tables import (
    BillingEntity,
    Customer,
    InvoiceSubscription,
    Plan,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

LIVING = ("active", "pending", "incomplete")


def add(unit: Unit, subscription: Subscription) -> None:
    """Put a new subscription in the unit."""
    unit.session.add(subscription)


async def newest(unit: Unit, external_id: str, status: str) -> Subscription | None:
    """Find the subscription an external id means in a given status; the newest, if several."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.external_id == external_id, Subscription.status == status)
        .order_by(
            Subscription.terminated_at.desc(),
            Subscription.started_at.desc(),
            Subscription.id.desc(),
        )
        .limit(1)
    )
    return rows.first()


async def any_newest(unit: Unit, external_id: str) -> Subscription | None:
    """Find the newest subscription of an external id, whatever its status."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.external_id == external_id)
        .order_by(Subscription.created_at.desc(), Subscription.id.desc())
        .limit(1)
    )
    return rows.first()


async def successors(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, Subscription]:
    """Return the subscription that took over from each of these, by the former one's id."""
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.previous_subscription_id.in_(sorted(ids)),
            Subscription.status.in_(("active", "terminated")),
        )
    )
    return {row.previous_subscription_id: row for row in rows if row.previous_subscription_id}


async def pending_successors(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, Subscription]:
    """Return the subscription that waits to take over from each of these, by the former one's id.

    There is at most one of each (`uq_subscriptions_pending_successor`).
    """
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.previous_subscription_id.in_(sorted(ids)),
            Subscription.status == "pending",
        )
    )
    return {row.previous_subscription_id: row for row in rows if row.previous_subscription_id}


async def waiting_successors(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, Subscription]:
    """Return what is to follow each of these, by the former one's id.

    It waits for the end of a period (pending) or for its payment (incomplete); there is at most one
    of each, for nothing is changed while a payment is awaited.
    """
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.previous_subscription_id.in_(sorted(ids)),
            Subscription.status.in_(("pending", "incomplete")),
        )
    )
    return {row.previous_subscription_id: row for row in rows if row.previous_subscription_id}


async def scheduled_changes(unit: Unit, plan_id: UUID) -> list[tuple[Subscription, Subscription]]:
    """Return active subscriptions and their pending successors, where either is on this plan.

    They come in the order of their customers, the order in which customers are locked.
    """
    former, successor = aliased(Subscription), aliased(Subscription)
    rows = await unit.session.execute(
        select(former, successor)
        .join(successor, successor.previous_subscription_id == former.id)
        .where(
            former.status == "active",
            successor.status == "pending",
            or_(former.plan_id == plan_id, successor.plan_id == plan_id),
        )
        .order_by(former.customer_id, former.id)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in rows]


async def neighbours(
    unit: Unit, rows: Sequence[Subscription]
) -> tuple[dict[UUID, Subscription], dict[UUID, Subscription]]:
    """Return which subscription each of these followed, and which one follows it, by their ids.

    The latter is the newest that was not canceled.
    """
    ids = sorted(row.id for row in rows)
    former = sorted({one for row in rows if (one := row.previous_subscription_id)})
    found = await unit.session.scalars(
        select(Subscription)
        .where(
            or_(
                Subscription.id.in_(former),
                and_(
                    Subscription.previous_subscription_id.in_(ids),
                    Subscription.status != "canceled",
                ),
            )
        )
        .order_by(Subscription.created_at, Subscription.id)
    )
    by_id, by_former = {}, {}
    for row in found:
        by_id[row.id] = row
        if row.previous_subscription_id:
            by_former[row.previous_subscription_id] = row
    return by_id, by_former


async def living(unit: Unit, external_id: str) -> list[Subscription]:
    """Return the active and pending subscriptions of an external id."""
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.external_id == external_id, Subscription.status.in_(LIVING)
        )
    )
    return list(rows)


async def living_of_customer(unit: Unit, customer_id: UUID) -> list[Subscription]:
    """Return the active and pending subscriptions of a customer, oldest first."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.customer_id == customer_id, Subscription.status.in_(LIVING))
        .order_by(Subscription.created_at, Subscription.id)
    )
    return list(rows)


async def latest_generated_end(unit: Unit, customer_id: UUID, external_id: str) -> datetime | None:
    """Return when the newest same-named subscription with a final invoice ended."""
    return await unit.session.scalar(
        select(Subscription.terminated_at)
        .where(
            Subscription.customer_id == customer_id,
            Subscription.external_id == external_id,
            Subscription.status == "terminated",
            Subscription.on_termination_invoice == "generate",
        )
        .order_by(Subscription.terminated_at.desc())
        .limit(1)
    )


async def page(
    unit: Unit, filters: Mapping[str, Any], wanted: Page
) -> tuple[list[Subscription], int]:
    """List subscriptions, newest first; without a status only active ones."""
    statuses = filters.get("status[]") or ["active"]
    query: Select[Any] = select(Subscription).where(Subscription.status.in_(statuses))
    if filters.get("external_customer_id"):
        query = query.join(Customer, Customer.id == Subscription.customer_id).where(
            Customer.external_id == filters["external_customer_id"]
        )
    if filters.get("external_id"):
        query = query.where(Subscription.external_id == filters["external_id"])
    is_overridden = filters.get("overridden")
    if filters.get("plan_code") or filters.get("currency") or is_overridden in {"true", "false"}:
        query = query.join(Plan, Plan.id == Subscription.plan_id)
        if is_overridden in {"true", "false"}:
            parent = Plan.parent_id
            query = query.where(
                parent.is_not(None) if is_overridden == "true" else parent.is_(None)
            )
        if filters.get("plan_code"):
            query = query.where(Plan.code == filters["plan_code"])
        if filters.get("currency"):
            query = query.where(Plan.amount_currency == filters["currency"])
    if filters.get("billing_entity_codes[]"):
        entities = select(BillingEntity.id).where(
            BillingEntity.code.in_(filters["billing_entity_codes[]"])
        )
        owners = select(Customer.id).where(Customer.billing_entity_id.in_(entities))
        query = query.where(
            or_(
                Subscription.billing_entity_id.in_(entities),
                and_(
                    Subscription.billing_entity_id.is_(None),
                    Subscription.customer_id.in_(owners),
                ),
            )
        )
    return await page_of(
        unit, query, wanted, Subscription.created_at.desc(), Subscription.id.desc()
    )


async def due(unit: Unit, until: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (subscription, customer) ids whose billing day has begun, customer by customer."""
    rows = await unit.session.execute(
        select(Subscription.id, Subscription.customer_id)
        .where(Subscription.status == "active", Subscription.next_billing_at <= until)
        .order_by(Subscription.customer_id, Subscription.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


async def owners_due(unit: Unit, ids: Sequence[UUID], until: datetime) -> set[UUID]:
    """Return the customers of those of these subscriptions that are due."""
    rows = await unit.session.scalars(
        select(Subscription.customer_id).where(
            Subscription.id.in_(ids),
            Subscription.status == "active",
            Subscription.next_billing_at <= until,
        )
    )
    return set(rows)


async def by_ids(unit: Unit, ids: Sequence[UUID]) -> list[Subscription]:
    """Return these subscriptions, oldest first."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.id.in_(ids))
        .order_by(Subscription.created_at, Subscription.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def active(unit: Unit) -> list[Subscription]:
    """Return every active subscription of a sandbox organization, for moving its clock."""
    rows = await unit.session.scalars(select(Subscription).where(Subscription.status == "active"))
    return list(rows)


async def pending_until(unit: Unit, until: datetime) -> list[Subscription]:
    """Return the pending subscriptions without a predecessor that may start by then, as of now."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(
            Subscription.status == "pending",
            Subscription.previous_subscription_id.is_(None),
            Subscription.subscription_at <= until,
        )
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def ending_until(unit: Unit, until: datetime) -> list[Subscription]:
    """Return the active subscriptions whose end may have come by then."""
    rows = await unit.session.scalars(
        select(Subscription).where(Subscription.status == "active", Subscription.ending_at <= until)
    )
    return list(rows)


async def to_alert(unit: Unit, today: date) -> list[Subscription]:
    """Return the active subscriptions whose end is to be announced by a UTC day."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.status == "active", Subscription.next_termination_alert_on <= today)
        .order_by(Subscription.next_termination_alert_on, Subscription.id)
        .with_for_update(of=Subscription, key_share=True)  # one of two who come tells of it
    )
    return list(rows)


async def billed_days(unit: Unit, subscription_id: UUID, since: date) -> set[date]:
    """Return the billing days from `since` on that a subscription was periodically billed for."""
    rows = await unit.session.scalars(
        select(InvoiceSubscription.billed_on).where(
            InvoiceSubscription.subscription_id == subscription_id,
            InvoiceSubscription.recurring,
            InvoiceSubscription.regenerated_invoice_id.is_(None),
            InvoiceSubscription.billed_on >= since,
        )
    )
    return set(rows)


async def of_customer_external_id(unit: Unit, external_customer_id: str) -> list[Subscription]:
    """Return the active subscriptions of the customer with this external id."""
    rows = await unit.session.scalars(
        select(Subscription)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(
            Customer.external_id == external_customer_id,
            Customer.deleted_at.is_(None),
            Subscription.status == "active",
        )
    )
    return list(rows)


async def first_start(unit: Unit, subscription: Subscription) -> datetime | None:
    """Return when a customer's first subscription under the external id of this one started."""
    return await unit.session.scalar(
        select(func.min(Subscription.started_at)).where(
            Subscription.org_id == unit.org_id,
            Subscription.customer_id == subscription.customer_id,
            Subscription.external_id == subscription.external_id,
        )
    )


async def trials_over(unit: Unit, until: datetime, limit: int) -> list[UUID]:
    """Return the active subscriptions whose trial has ended unnoticed."""
    rows = await unit.session.scalars(
        select(Subscription.id)
        .where(
            Subscription.status == "active",
            Subscription.trial_ended_at.is_(None),
            Subscription.trial_ends_at <= until,
        )
        .order_by(Subscription.customer_id, Subscription.id)
        .limit(limit)
    )
    return list(rows)
