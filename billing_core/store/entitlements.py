"""Queries about features, and about what plans and subscriptions say about them."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from sqlalchemy import or_, select

from billing_core.domain.entitlements import Said, Values
from billing_core.store.pages import page_of
from billing_core.store.tables import (
    Entitlement,
    EntitlementValue,
    Feature,
    Plan,
    Privilege,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


def add(unit: Unit, row: Feature | Privilege) -> None:
    """Put a new feature or privilege in the unit."""
    unit.session.add(row)


async def reload(unit: Unit, feature: Feature) -> None:
    """Read a feature's privileges again, after some were added or deleted."""
    await unit.flush()
    await unit.session.refresh(feature, ["privileges"])


async def feature_by_code(unit: Unit, code: str, *, to_change: bool = False) -> Feature | None:
    """Find a live feature by code; `to_change` lets nobody else change it meanwhile."""
    query = select(Feature).where(Feature.code == code, Feature.deleted_at.is_(None))
    if to_change:
        query = query.with_for_update(of=Feature, key_share=True)
    return await unit.session.scalar(query)


async def features_by_codes(unit: Unit, codes: Collection[str]) -> dict[str, Feature]:
    """Return the live features with these codes, unknown ones left out."""
    rows = await unit.session.scalars(
        select(Feature).where(Feature.code.in_(codes), Feature.deleted_at.is_(None))
    )
    return {row.code: row for row in rows}


async def features_page(
    unit: Unit, search_term: str | None, wanted: Page
) -> tuple[list[Feature], int]:
    """List live features, newest first; the term is part of a code, name or description."""
    query = select(Feature).where(Feature.deleted_at.is_(None))
    if search_term:
        columns = (Feature.code, Feature.name, Feature.description)
        query = query.where(
            or_(*(column.icontains(search_term, autoescape=True) for column in columns))
        )
    return await page_of(unit, query, wanted, Feature.created_at.desc(), Feature.id.desc())


async def lock(unit: Unit, owner: Plan | Subscription) -> None:
    """Serialise changes of one owner's entitlements; on SQLite the write transaction does."""
    table = type(owner)
    await unit.session.execute(
        select(table.id).where(table.id == owner.id).with_for_update(key_share=True)
    )


async def of_owners(unit: Unit, owner_ids: Iterable[UUID]) -> dict[UUID, list[Entitlement]]:
    """Return what each owner says, by age of the features; owners that say nothing are left out.

    Features that were deleted are not told, nor what was said about them.
    """
    rows = await unit.session.scalars(
        select(Entitlement)
        .join(Feature, Feature.id == Entitlement.feature_id)
        .where(Entitlement.owner_id.in_(set(owner_ids)), Feature.deleted_at.is_(None))
        .order_by(Feature.created_at, Feature.id)
    )
    found: dict[UUID, list[Entitlement]] = {}
    for row in rows:
        found.setdefault(row.owner_id, []).append(row)
    return found


async def values_of_plan(unit: Unit, plan: Plan) -> Values:
    """Return the values a plan gives; an override gives those of the plan it is made from."""
    owner_id = plan.parent_id or plan.id
    rows = (await of_owners(unit, [owner_id])).get(owner_id, [])
    return {
        row.feature.code: {
            privilege: value for privilege, value in _values(row).items() if value is not None
        }
        for row in rows
    }


async def said_by(unit: Unit, subscription: Subscription) -> Said:
    """Return what a subscription says of its own."""
    rows = (await of_owners(unit, [subscription.id])).get(subscription.id, [])
    return {row.feature.code: None if row.is_removed else _values(row) for row in rows}


async def save(unit: Unit, owner_id: UUID, said: Said, features: Mapping[str, Feature]) -> None:
    """Make an owner say this and nothing else; `features` has those it said nothing about yet."""
    rows = {row.feature.code: row for row in (await of_owners(unit, [owner_id])).get(owner_id, [])}
    for code in rows.keys() - said.keys():
        await unit.session.delete(rows[code])
    for code, values in said.items():
        row = rows.get(code)
        if row is None:
            row = Entitlement(
                org_id=unit.org_id,
                created_at=unit.now,
                owner_id=owner_id,
                feature=features[code],
            )
            unit.session.add(row)
        row.is_removed = values is None
        _set_values(unit, row, values or {})
    await unit.flush()


def _values(row: Entitlement) -> dict[str, str | None]:
    return {one.privilege.code: one.value for one in row.values if one.privilege.deleted_at is None}


def _set_values(unit: Unit, row: Entitlement, values: Mapping[str, str | None]) -> None:
    known = {one.privilege_id: one for one in row.values}
    wanted = []
    for privilege in row.feature.privileges:
        if privilege.code not in values:
            continue
        value = values[privilege.code]
        one = known.get(privilege.id)
        if one is None:
            one = EntitlementValue(
                org_id=unit.org_id, created_at=unit.now, value=value, privilege=privilege
            )
        one.value = value
        wanted.append(one)
    row.values = wanted
