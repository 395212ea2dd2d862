"""One page of a query and how many rows there are."""

from typing import Any, TypeVar

from sqlalchemy import Select, func, select

from billing_core.store.unit import Unit
from billing_core.wire.pages import Page

Entity = TypeVar("Entity")


async def page_of(
    unit: Unit, query: Select[Entity], page: Page, *order: Any
) -> tuple[list[Entity], int]:
    """Return the rows of a page in the given order, and the total count."""
    total = await unit.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = await unit.session.scalars(query.order_by(*order).limit(page.size).offset(page.offset))
    return list(rows.unique()), total
