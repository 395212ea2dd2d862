"""Pricing units: what charges may be priced in instead of money."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import pricing_units
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.pricing_units import PricingUnitIn, PricingUnitOut
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT = "pricing_unit"
ONE = Gives(ROOT, PricingUnitOut)
CREATE = Operation(ONE, Takes(ROOT, PricingUnitIn), refuses=(400, 413, 422))


@post("/pricing_units", operation_id="createPricingUnit", status_code=200, opt=CREATE.opt())
async def create_pricing_unit(
    unit: NamedDependency[Unit], payload: NamedDependency[PricingUnitIn]
) -> Answer:
    """Create a pricing unit."""
    return one(ROOT, PricingUnitOut.of(await pricing_units.create(unit, payload)))


@get(
    "/pricing_units",
    operation_id="findAllPricingUnits",
    opt=Operation(Gives("pricing_units", PricingUnitOut, many=True), refuses=()).opt(),
)
async def list_pricing_units(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List pricing units, newest first."""
    rows, total = await pricing_units.page(unit, page)
    return listed("pricing_units", [PricingUnitOut.of(row) for row in rows], page, total)


@get("/pricing_units/{code:str}", operation_id="findPricingUnit", opt=Operation(ONE).opt())
async def find_pricing_unit(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a pricing unit."""
    return one(ROOT, PricingUnitOut.of(await pricing_units.get(unit, code)))


# a price like any other: who may read plans may read what they are priced in
RESOURCE = "plan"
TAG = "pricing_units"
HANDLERS = [create_pricing_unit, list_pricing_units, find_pricing_unit]
