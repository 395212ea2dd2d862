"""Queries about charges in advance: what is watched, what was charged, how far units have come."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from billing_core.store.tables import (
    BillableMetric,
    Charge,
    Fee,
    HighWaterMark,
    Organization,
    Plan,
    Subscription,
)
from billing_core.store.unit import Unit


async def lock_watching(unit: Unit) -> None:
    """Serialise changes of what an organization watches; on SQLite the transaction already does."""
    await unit.session.scalar(
        select(Organization.id)
        .where(Organization.id == unit.org_id)
        .with_for_update(of=Organization, key_share=True)
    )


async def watched_codes(unit: Unit) -> set[str]:
    """Return the codes of the live metrics that live plans price in advance."""
    rows = await unit.session.scalars(
        select(BillableMetric.code)
        .join(Charge, Charge.billable_metric_id == BillableMetric.id)
        .join(Plan, Plan.id == Charge.plan_id)
        .where(
            Charge.pay_in_advance,
            Charge.deleted_at.is_(None),
            BillableMetric.deleted_at.is_(None),
            Plan.deleted_at.is_(None),
        )
        .distinct()
    )
    return set(rows)


async def subscriptions_named(unit: Unit, external_ids: Iterable[str]) -> list[Subscription]:
    """Return every subscription that has ever started under these external ids."""
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.external_id.in_(sorted(external_ids)),
            Subscription.status.in_(("active", "terminated")),
        )
    )
    return list(rows)


async def charged(unit: Unit, event_ids: Iterable[UUID]) -> set[tuple[UUID, UUID]]:
    """Return the pairs of event and charge that have a fee, be it deleted since."""
    rows = await unit.session.execute(
        select(Fee.event_id, Fee.charge_id).where(Fee.event_id.in_(sorted(event_ids)))
    )
    return {(event_id, charge_id) for event_id, charge_id in rows if event_id and charge_id}


async def mark(
    unit: Unit, subscription_id: UUID, charge_id: UUID, since: datetime, bucket: str
) -> HighWaterMark | None:
    """Find the mark of a charge's bucket in the period that begins at `since`."""
    return await unit.session.scalar(
        select(HighWaterMark).where(
            HighWaterMark.subscription_id == subscription_id,
            HighWaterMark.charge_id == charge_id,
            HighWaterMark.from_datetime == since,
            HighWaterMark.bucket == bucket,
        )
    )


def add(unit: Unit, row: HighWaterMark | Fee) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def paid_fees(unit: Unit, subscription_ids: Iterable[UUID], until: datetime) -> list[Fee]:
    """Return the paid fees of subscriptions that stand on no invoice, paid up to an instant."""
    query = select(Fee).where(
        Fee.subscription_id.in_(sorted(subscription_ids)),
        Fee.fee_type == "charge",
        Fee.invoice_id.is_(None),
        Fee.payment_status == "succeeded",
        Fee.succeeded_at <= until,
        Fee.deleted_at.is_(None),
    )
    return list(await unit.session.scalars(query.order_by(Fee.created_at, Fee.id)))
