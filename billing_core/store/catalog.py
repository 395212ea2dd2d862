"""Queries about what can be sold: metrics, add-ons, plans, charges, pricing units and taxes."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import delete, inspect, or_, select

from billing_core.store.pages import page_of
from billing_core.store.tables import (
    AddOn,
    BillableMetric,
    Charge,
    ChargeFilter,
    Commitment,
    FixedCharge,
    Plan,
    PricingUnit,
    Subscription,
    Tax,
    TaxAssignment,
)
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

Coded = TypeVar("Coded", AddOn, BillableMetric, PricingUnit, Tax)
Copied = TypeVar("Copied", Charge, ChargeFilter, FixedCharge, Plan)


async def metric_by_code(unit: Unit, code: str) -> BillableMetric | None:
    """Find a live metric by code."""
    return await _by_code(unit, BillableMetric, code)


async def metric_by_id(unit: Unit, metric_id: UUID) -> BillableMetric | None:
    """Find a live metric by id."""
    return await unit.session.scalar(
        select(BillableMetric).where(
            BillableMetric.id == metric_id, BillableMetric.deleted_at.is_(None)
        )
    )


async def metrics_page(unit: Unit, page: Page) -> tuple[list[BillableMetric], int]:
    """List live metrics, newest first."""
    query = select(BillableMetric).where(BillableMetric.deleted_at.is_(None))
    return await page_of(
        unit, query, page, BillableMetric.created_at.desc(), BillableMetric.id.desc()
    )


async def metrics_with_expression(unit: Unit) -> list[BillableMetric]:
    """Return the live metrics whose value is computed."""
    rows = await unit.session.scalars(
        select(BillableMetric).where(
            BillableMetric.expression.is_not(None), BillableMetric.deleted_at.is_(None)
        )
    )
    return list(rows)


async def metric_is_used(unit: Unit, metric_id: UUID) -> bool:
    """Tell whether a live plan prices the metric."""
    found = await unit.session.scalar(
        select(Charge.id)
        .join(Plan, Plan.id == Charge.plan_id)
        .where(
            Charge.billable_metric_id == metric_id,
            Charge.deleted_at.is_(None),
            Plan.deleted_at.is_(None),
        )
        .limit(1)
    )
    return found is not None


async def charge_by_id(unit: Unit, charge_id: UUID) -> Charge:
    """Return a charge, also one that was deleted: fees of it go on to refer to it."""
    rows = await unit.session.scalars(select(Charge).where(Charge.id == charge_id))
    return rows.one()


async def charges_of_metric(unit: Unit, metric_id: UUID) -> list[Charge]:
    """Return the live charges on a metric, in whatever plan."""
    rows = await unit.session.scalars(
        select(Charge).where(Charge.billable_metric_id == metric_id, Charge.deleted_at.is_(None))
    )
    return list(rows)


async def charges_page(unit: Unit, plan_id: UUID, page: Page) -> tuple[list[Charge], int]:
    """List the live charges of a plan, newest first."""
    query = select(Charge).where(Charge.plan_id == plan_id, Charge.deleted_at.is_(None))
    return await page_of(unit, query, page, Charge.created_at.desc(), Charge.position)


async def filters_page(unit: Unit, charge_id: UUID, page: Page) -> tuple[list[ChargeFilter], int]:
    """List the live filters of a charge, in the order they are looked at."""
    query = select(ChargeFilter).where(
        ChargeFilter.charge_id == charge_id, ChargeFilter.deleted_at.is_(None)
    )
    return await page_of(unit, query, page, ChargeFilter.position)


async def add_on_by_code(unit: Unit, code: str) -> AddOn | None:
    """Find a live add-on by code."""
    return await _by_code(unit, AddOn, code)


async def add_on_by_id(unit: Unit, add_on_id: UUID) -> AddOn | None:
    """Find a live add-on by id."""
    return await unit.session.scalar(
        select(AddOn).where(AddOn.id == add_on_id, AddOn.deleted_at.is_(None))
    )


async def add_ons_page(unit: Unit, page: Page) -> tuple[list[AddOn], int]:
    """List live add-ons, newest first."""
    query = select(AddOn).where(AddOn.deleted_at.is_(None))
    return await page_of(unit, query, page, AddOn.created_at.desc(), AddOn.id.desc())


async def pricing_unit_by_code(unit: Unit, code: str) -> PricingUnit | None:
    """Find a pricing unit by code."""
    return await _by_code(unit, PricingUnit, code)


async def pricing_units_page(unit: Unit, page: Page) -> tuple[list[PricingUnit], int]:
    """List pricing units, newest first."""
    query = select(PricingUnit).where(PricingUnit.deleted_at.is_(None))
    return await page_of(unit, query, page, PricingUnit.created_at.desc(), PricingUnit.id.desc())


async def plan_by_code(unit: Unit, code: str) -> Plan | None:
    """Find a live plan that is not somebody's override."""
    return await unit.session.scalar(
        select(Plan).where(Plan.code == code, Plan.deleted_at.is_(None), Plan.parent_id.is_(None))
    )


async def plans_page(unit: Unit, page: Page) -> tuple[list[Plan], int]:
    """List live plans, newest first; overrides are not listed."""
    query = select(Plan).where(Plan.deleted_at.is_(None), Plan.parent_id.is_(None))
    return await page_of(unit, query, page, Plan.created_at.desc(), Plan.id.desc())


async def plan_is_subscribed(unit: Unit, plan_id: UUID) -> bool:
    """Tell whether any subscription, of whatever status, references the plan or its overrides."""
    found = await unit.session.scalar(
        select(Subscription.id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .where(or_(Plan.id == plan_id, Plan.parent_id == plan_id))
        .limit(1)
    )
    return found is not None


async def overrides_of(unit: Unit, plan_id: UUID) -> list[Plan]:
    """Return the live overrides of a plan, the oldest first."""
    rows = await unit.session.scalars(
        select(Plan)
        .where(Plan.parent_id == plan_id, Plan.deleted_at.is_(None))
        .order_by(Plan.created_at, Plan.id)
    )
    return list(rows)


async def lock_plan(unit: Unit, plan_id: UUID) -> Plan | None:
    """Return a live plan as it is now, and let nobody else change it meanwhile."""
    return await unit.session.scalar(
        select(Plan)
        .where(Plan.id == plan_id, Plan.deleted_at.is_(None))
        .with_for_update(of=Plan, key_share=True)
        .execution_options(populate_existing=True)
    )


async def live_subscriptions_of_plan(unit: Unit, plan_id: UUID) -> list[Subscription]:
    """Return the active and pending subscriptions of a plan."""
    rows = await unit.session.scalars(
        select(Subscription).where(
            Subscription.plan_id == plan_id,
            Subscription.status.in_(("active", "pending", "incomplete")),
        )
    )
    return list(rows)


async def tax_by_code(unit: Unit, code: str) -> Tax | None:
    """Find a live tax by code."""
    return await _by_code(unit, Tax, code)


async def taxes_by_codes(unit: Unit, codes: Sequence[str]) -> list[Tax]:
    """Return the live taxes with these codes, unknown ones left out."""
    rows = await unit.session.scalars(
        select(Tax).where(Tax.code.in_(codes), Tax.deleted_at.is_(None)).order_by(Tax.code)
    )
    return list(rows)


async def taxes_page(unit: Unit, page: Page) -> tuple[list[Tax], int]:
    """List live taxes by name."""
    query = select(Tax).where(Tax.deleted_at.is_(None))
    return await page_of(unit, query, page, Tax.name, Tax.id)


async def taxes_of(unit: Unit, owner_ids: Iterable[UUID]) -> dict[UUID, list[Tax]]:
    """Return the live taxes assigned to each owner; owners without any are left out."""
    wanted = list(set(owner_ids))
    rows = await unit.session.execute(
        select(TaxAssignment.owner_id, Tax)
        .join(Tax, Tax.id == TaxAssignment.tax_id)
        .where(TaxAssignment.owner_id.in_(wanted), Tax.deleted_at.is_(None))
        .order_by(Tax.code)
    )
    found: dict[UUID, list[Tax]] = {}
    for owner_id, tax in rows:
        found.setdefault(owner_id, []).append(tax)
    return found


async def assign_taxes(unit: Unit, owner_type: str, owner_id: UUID, taxes: Sequence[Tax]) -> None:
    """Replace the set of taxes of an owner."""
    await unit.session.execute(delete(TaxAssignment).where(TaxAssignment.owner_id == owner_id))
    unit.session.add_all(
        TaxAssignment(
            org_id=unit.org_id,
            created_at=unit.now,
            owner_id=owner_id,
            owner_type=owner_type,
            tax_id=tax.id,
        )
        for tax in taxes
    )
    await unit.flush()


async def unassign_tax(unit: Unit, tax_id: UUID) -> None:
    """Take a tax off everything it was applied to."""
    await unit.session.execute(delete(TaxAssignment).where(TaxAssignment.tax_id == tax_id))


async def _by_code(unit: Unit, table: type[Coded], code: str) -> Coded | None:
    row: Coded | None = await unit.session.scalar(
        select(table).where(table.code == code, table.deleted_at.is_(None))
    )
    return row


def add(unit: Unit, row: Any) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


def copy(unit: Unit, row: Copied, **changes: Any) -> Copied:
    """Put a copy of a row in the unit, new in id and age, with these columns changed."""
    columns = {one.key: getattr(row, one.key) for one in inspect(type(row)).column_attrs}
    del columns["id"]
    age = {"created_at": unit.now, "updated_at": unit.now}
    made = type(row)(**columns | age | changes)
    unit.session.add(made)
    return made


async def plan_by_id(unit: Unit, plan_id: UUID) -> Plan | None:
    """Find a plan, deleted or not."""
    return await unit.session.scalar(select(Plan).where(Plan.id == plan_id))


async def drop_commitment(unit: Unit, commitment: Commitment) -> None:
    """Delete a plan's minimum commitment; fees for it stand by themselves."""
    await unit.session.delete(commitment)
    await unit.flush()
