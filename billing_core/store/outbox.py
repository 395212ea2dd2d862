"""Promises waiting to be told or kept. Seen across organizations: the relay serves them all."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing_core.store.tables import Outbox
from billing_core.store.unit import Unit

LOST_AFTER = timedelta(minutes=2)
KEPT_FOR = timedelta(days=7)


async def claim(session: AsyncSession, now: datetime, limit: int = 200) -> list[Outbox]:
    """Lock promises that are due and unsent; a second relay skips them.

    A promise that was sent but not kept within minutes is claimed again: the broker lost it.
    """
    due = select(Outbox).where(
        Outbox.done_at.is_(None),
        Outbox.due_at <= now,
        or_(Outbox.sent_at.is_(None), Outbox.sent_at < now - LOST_AFTER),
    )
    rows = await session.scalars(
        due.order_by(Outbox.due_at, Outbox.id).limit(limit).with_for_update(skip_locked=True)
    )
    return list(rows)


async def has_due(session: AsyncSession, now: datetime) -> bool:
    """Tell, without taking a lock, whether `claim` would find anything."""
    found = await session.scalar(
        select(Outbox.id)
        .where(
            Outbox.done_at.is_(None),
            Outbox.due_at <= now,
            or_(Outbox.sent_at.is_(None), Outbox.sent_at < now - LOST_AFTER),
        )
        .limit(1)
    )
    return found is not None


async def unclaim(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Give back promises that could not be sent."""
    await session.execute(
        update(Outbox)
        .where(Outbox.id.in_(ids))
        .values(sent_at=None)
        .execution_options(synchronize_session=False)
    )


async def lock(unit: Unit, outbox_id: UUID) -> Outbox | None:
    """Find a promise that is not kept yet, and keep others from keeping it at the same time."""
    return await unit.session.scalar(
        select(Outbox)
        .where(Outbox.id == outbox_id, Outbox.done_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def open_ids(unit: Unit, leave_out: Sequence[str], limit: int) -> list[UUID]:
    """Return the organization's promises not kept yet, oldest first, some topics left out."""
    rows = await unit.session.scalars(
        select(Outbox.id)
        .where(Outbox.done_at.is_(None), Outbox.topic.not_in(leave_out))
        .order_by(Outbox.due_at, Outbox.id)
        .limit(limit)
    )
    return list(rows)


async def forget_kept(session: AsyncSession, now: datetime) -> None:
    """Delete promises kept a while ago: the table must not grow with history."""
    await session.execute(
        delete(Outbox)
        .where(Outbox.done_at < now - KEPT_FOR)
        .execution_options(synchronize_session=False)
    )


async def overdue(session: AsyncSession, before: datetime) -> list[Outbox]:
    """Return promises that should have been kept before an instant."""
    rows = await session.scalars(
        select(Outbox).where(Outbox.done_at.is_(None), Outbox.due_at < before).limit(100)
    )
    return list(rows)


async def oldest_due(session: AsyncSession, now: datetime) -> datetime | None:
    """Return when the oldest promise that is due and not kept fell due."""
    return await session.scalar(
        select(Outbox.due_at)
        .where(Outbox.done_at.is_(None), Outbox.due_at <= now)
        .order_by(Outbox.due_at)
        .limit(1)
    )
