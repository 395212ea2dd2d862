"""Queries about organizations, their keys and billing entities."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing_core.store.tables import ApiKey, BillingEntity, Organization
from billing_core.store.unit import Unit


async def default_entity(unit: Unit) -> BillingEntity:
    """Return the organization's default billing entity; there always is one."""
    rows = await unit.session.scalars(
        select(BillingEntity).where(BillingEntity.is_default).order_by(BillingEntity.created_at)
    )
    entity = rows.first()
    assert entity is not None, "an organization without a billing entity"
    return entity


async def entity_by_code(unit: Unit, code: str) -> BillingEntity | None:
    """Find a billing entity by code."""
    return await unit.session.scalar(select(BillingEntity).where(BillingEntity.code == code))


async def entity_by_id(unit: Unit, entity_id: UUID) -> BillingEntity | None:
    """Find a billing entity by id."""
    return await unit.session.scalar(select(BillingEntity).where(BillingEntity.id == entity_id))


async def entities(unit: Unit) -> list[BillingEntity]:
    """Return all billing entities, oldest first."""
    rows = await unit.session.scalars(select(BillingEntity).order_by(BillingEntity.created_at))
    return list(rows)


async def keys(unit: Unit) -> list[ApiKey]:
    """Return the organization's API keys, newest first."""
    rows = await unit.session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id))
    return list(rows)


async def key_by_id(unit: Unit, key_id: UUID) -> ApiKey | None:
    """Find a key by id."""
    return await unit.session.scalar(select(ApiKey).where(ApiKey.id == key_id))


async def key_by_hash(session: AsyncSession, key_hash: str) -> tuple[ApiKey, Organization] | None:
    """Find whose key this is, across organizations: the first step of every request."""
    found = (
        await session.execute(
            select(ApiKey, Organization)
            .join(Organization, Organization.id == ApiKey.org_id)
            .where(ApiKey.key_hash == key_hash)
        )
    ).first()
    return None if found is None else (found[0], found[1])


async def note_uses(session: AsyncSession, used: Mapping[UUID, datetime]) -> None:
    """Write down when keys were last used, unless another process knows of a later use."""
    for key_id, at in sorted(used.items()):  # one order, so that writers never wait for each other
        later = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at)
        await session.execute(
            update(ApiKey).where(ApiKey.id == key_id, later).values(last_used_at=at)
        )


async def organization_by_id(session: AsyncSession, org_id: UUID) -> Organization | None:
    """Find an organization, across tenants; for the admin only."""
    return await session.get(Organization, org_id)


async def organization_ids(session: AsyncSession) -> list[tuple[UUID, datetime | None]]:
    """Return every organization with its frozen time; for the clock and `verify` only."""
    rows = await session.execute(
        select(Organization.id, Organization.frozen_at).order_by(Organization.created_at)
    )
    return [(row[0], row[1]) for row in rows]


async def lock_organization(unit: Unit) -> Organization:
    """Serialise what must be numbered without gaps inside an organization."""
    row = await unit.session.scalar(
        select(Organization)
        .where(Organization.id == unit.org_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    assert row is not None
    return row
