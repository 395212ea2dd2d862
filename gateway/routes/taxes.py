"""Taxes: the operations tagged `taxes`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import taxes
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.taxes import TaxChange, TaxIn, TaxOut
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT = "tax"
ONE = Gives(ROOT, TaxOut)
CREATE = Operation(ONE, Takes(ROOT, TaxIn), refuses=(400, 413, 422))
CHANGE = Operation(ONE, Takes(ROOT, TaxChange), refuses=(400, 404, 413, 422))


@post("/taxes", operation_id="createTax", status_code=200, opt=CREATE.opt())
async def create_tax(unit: NamedDependency[Unit], payload: NamedDependency[TaxIn]) -> Answer:
    """Create a tax."""
    return one(ROOT, shapes.tax(await taxes.create(unit, payload)))


@get(
    "/taxes",
    operation_id="findAllTaxes",
    opt=Operation(Gives("taxes", TaxOut, many=True), refuses=()).opt(),
)
async def list_taxes(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List taxes, by name."""
    rows, total = await taxes.page(unit, page)
    return listed("taxes", [shapes.tax(row) for row in rows], page, total)


@get(
    "/taxes/{code:str}",
    operation_id="findTax",
    opt=Operation(ONE).opt(),
)
async def find_tax(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a tax."""
    return one(ROOT, shapes.tax(await taxes.get(unit, code)))


@put("/taxes/{code:str}", operation_id="updateTax", opt=CHANGE.opt())
async def update_tax(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    payload: NamedDependency[TaxChange],
) -> Answer:
    """Change a tax."""
    return one(ROOT, shapes.tax(await taxes.update(unit, code, payload)))


@delete(
    "/taxes/{code:str}",
    operation_id="destroyTax",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_tax(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Delete a tax and take it off everything."""
    return one(ROOT, shapes.tax(await taxes.delete(unit, code)))


RESOURCE = "tax"
TAG = "taxes"
HANDLERS = [create_tax, list_taxes, find_tax, update_tax, delete_tax]
