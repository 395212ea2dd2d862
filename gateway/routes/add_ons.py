"""Add-ons: the operations tagged `add_ons`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import add_ons
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.add_ons import AddOnChange, AddOnIn, AddOnOut
from billing_core.wire.pages import Page
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT = "add_on"
ONE = Gives(ROOT, AddOnOut)
WRITES = (400, 404, 413, 422)
CREATE = Operation(ONE, Takes(ROOT, AddOnIn), refuses=WRITES)
CHANGE = Operation(ONE, Takes(ROOT, AddOnChange), refuses=WRITES)


@post("/add_ons", operation_id="createAddOn", status_code=200, opt=CREATE.opt())
async def create_add_on(unit: NamedDependency[Unit], payload: NamedDependency[AddOnIn]) -> Answer:
    """Create an add-on."""
    return one(ROOT, await shapes.add_on(unit, await add_ons.create(unit, payload)))


@get(
    "/add_ons",
    operation_id="findAllAddOns",
    opt=Operation(Gives("add_ons", AddOnOut, many=True), refuses=()).opt(),
)
async def list_add_ons(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List add-ons, newest first."""
    rows, total = await add_ons.page(unit, page)
    return listed("add_ons", await shapes.add_ons(unit, rows), page, total)


@get("/add_ons/{code:str}", operation_id="findAddOn", opt=Operation(ONE).opt())
async def find_add_on(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return an add-on."""
    return one(ROOT, await shapes.add_on(unit, await add_ons.get(unit, code)))


@put("/add_ons/{code:str}", operation_id="updateAddOn", opt=CHANGE.opt())
async def update_add_on(
    unit: NamedDependency[Unit], code: FromPath[str], payload: NamedDependency[AddOnChange]
) -> Answer:
    """Change an add-on."""
    return one(ROOT, await shapes.add_on(unit, await add_ons.update(unit, code, payload)))


@delete(
    "/add_ons/{code:str}",
    operation_id="destroyAddOn",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_add_on(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Delete an add-on with the fixed charges that sell it."""
    return one(ROOT, await shapes.add_on(unit, await add_ons.delete(unit, code)))


RESOURCE = "add_on"
TAG = "add_ons"
HANDLERS = [create_add_on, list_add_ons, find_add_on, update_add_on, delete_add_on]
