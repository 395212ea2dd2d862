"""Queries about customers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select

from billing_core.store.pages import page_of
from billing_core.store.tables import BillingEntity, Customer, CustomerMetadata
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


async def by_external_id(unit: Unit, external_id: str) -> Customer | None:
    """Find a live customer by the organization's own key."""
    return await unit.session.scalar(
        select(Customer).where(Customer.external_id == external_id, Customer.deleted_at.is_(None))
    )


async def lock(unit: Unit, customer_id: UUID) -> Customer:
    """Serialise what happens to one customer; on SQLite the write transaction already does.

    Taken before the locks of its invoices, everywhere, and several in the order of their ids, so
    that no two transactions wait for each other. Rows that refer to the customer may still be
    written (FOR NO KEY UPDATE).
    """
    row = await unit.session.scalar(
        select(Customer)
        .where(Customer.id == customer_id)
        .with_for_update(of=Customer, key_share=True)
        .execution_options(populate_existing=True)
    )
    assert row is not None
    return row


async def lock_all(unit: Unit, customer_ids: Iterable[UUID]) -> dict[UUID, Customer]:
    """Lock several customers, in the order of their ids; see `lock`."""
    rows = await unit.session.scalars(
        select(Customer)
        .where(Customer.id.in_(sorted(set(customer_ids))))
        .order_by(Customer.id)
        .with_for_update(of=Customer, key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}


def add(unit: Unit, customer: Customer) -> None:
    """Put a new customer in the unit."""
    unit.session.add(customer)


async def page(unit: Unit, filters: Mapping[str, Any], wanted: Page) -> tuple[list[Customer], int]:
    """List live customers, newest first."""
    query = _filtered(select(Customer).where(Customer.deleted_at.is_(None)), filters)
    return await page_of(unit, query, wanted, Customer.created_at.desc(), Customer.id.desc())


def _filtered(query: Select[Customer], filters: Mapping[str, Any]) -> Any:
    if term := filters.get("search_term"):
        like = f"%{_escaped(term)}%"
        names = (Customer.name, Customer.firstname, Customer.lastname, Customer.legal_name)
        columns = (*names, Customer.external_id, Customer.email)
        query = query.where(or_(*(column.ilike(like, escape="\\") for column in columns)))
    for name, column in (
        ("external_id", Customer.external_id),
        ("customer_type", Customer.customer_type),
    ):
        if filters.get(name):
            query = query.where(column == filters[name])
    for name, column in (
        ("account_type[]", Customer.account_type),
        ("countries[]", Customer.country),
        ("states[]", Customer.state),
        ("zipcodes[]", Customer.zipcode),
        ("currencies[]", Customer.currency),
    ):
        if filters.get(name):
            query = query.where(column.in_(filters[name]))
    if filters.get("billing_entity_codes[]"):
        query = query.join(BillingEntity, BillingEntity.id == Customer.billing_entity_id).where(
            BillingEntity.code.in_(filters["billing_entity_codes[]"])
        )
    for name, column in (
        ("has_tax_identification_number", Customer.tax_identification_number),
        ("has_customer_type", Customer.customer_type),
    ):
        if filters.get(name) in {"true", "false"}:
            present = filters[name] == "true"
            query = query.where(column.is_not(None) if present else column.is_(None))
    return _by_metadata(query, filters)


def _by_metadata(query: Select[Customer], filters: Mapping[str, Any]) -> Any:
    for name, value in filters.items():
        if name.startswith("metadata[") and name.endswith("]"):
            key = name[len("metadata[") : -1]
            with_key = select(CustomerMetadata.customer_id).where(CustomerMetadata.key == key)
            if value:
                matching = with_key.where(CustomerMetadata.value == value)
                query = query.where(Customer.id.in_(matching))
            else:
                query = query.where(Customer.id.not_in(with_key))
    return query


def _escaped(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def with_external_ids(unit: Unit, external_ids: Sequence[str]) -> list[Customer]:
    """Return the live customers among these external ids."""
    rows = await unit.session.scalars(
        select(Customer).where(
            Customer.external_id.in_(external_ids), Customer.deleted_at.is_(None)
        )
    )
    return list(rows)
