"""What can be done with pricing units (`docs/rules/metering.md` 3.15)."""

from billing_core.domain.errors import Invalid, NotFound
from billing_core.store import catalog
from billing_core.store.tables import PricingUnit
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.pricing_units import PricingUnitIn


async def create(unit: Unit, data: PricingUnitIn) -> PricingUnit:
    """Create a pricing unit; charges name it by its code, which is unique."""
    if await catalog.pricing_unit_by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    row = PricingUnit(org_id=unit.org_id, created_at=unit.now, updated_at=unit.now, **data.given())
    catalog.add(unit, row)
    return row


async def get(unit: Unit, code: str) -> PricingUnit:
    """Return a pricing unit, or refuse."""
    row = await catalog.pricing_unit_by_code(unit, code)
    if row is None:
        raise NotFound("pricing_unit")
    return row


async def page(unit: Unit, wanted: Page) -> tuple[list[PricingUnit], int]:
    """List pricing units."""
    return await catalog.pricing_units_page(unit, wanted)
