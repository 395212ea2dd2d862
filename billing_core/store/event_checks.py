"""Queries about the hourly look at events."""

from datetime import datetime

from sqlalchemy import select

from billing_core.store.tables import BillableMetric, EventCheck
from billing_core.store.unit import Unit


async def last(unit: Unit) -> EventCheck | None:
    """Return how far the organization's events were looked at."""
    return await unit.session.scalar(select(EventCheck))


async def note(unit: Unit, last_order: int, until: datetime) -> None:
    """Remember how far events were looked at."""
    row = await last(unit)
    if row is None:
        unit.session.add(
            EventCheck(
                org_id=unit.org_id,
                created_at=unit.now,
                last_order=last_order,
                checked_until=until,
            )
        )
        return
    row.last_order, row.checked_until = last_order, until


async def live_metrics(unit: Unit) -> list[BillableMetric]:
    """Return every live metric."""
    rows = await unit.session.scalars(
        select(BillableMetric).where(BillableMetric.deleted_at.is_(None))
    )
    return list(rows)
