"""Billing entities: the operations tagged `billing_entities`."""

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import billing_entities
from billing_core.services.shapes import billing_entities as shapes
from billing_core.store.unit import Unit
from billing_core.wire.billing_entities import (
    BillingEntityChange,
    BillingEntityFullOut,
    BillingEntityIn,
    BillingEntityOut,
)
from gateway.http import Answer, Gives, Operation, Takes, one

ROOT = "billing_entity"
FULL = Gives(ROOT, BillingEntityFullOut)


@get("/billing_entities", operation_id="listBillingEntities", opt=Operation(refuses=()).opt())
async def list_billing_entities(unit: NamedDependency[Unit]) -> Answer:
    """List billing entities, oldest first, all at once."""
    rows = await billing_entities.page(unit)
    return Answer({"billing_entities": [shapes.out(row) for row in rows]})


@post(
    "/billing_entities",
    operation_id="createBillingEntity",
    status_code=200,
    opt=Operation(
        Gives(ROOT, BillingEntityOut), Takes(ROOT, BillingEntityIn), refuses=(400, 413, 422)
    ).opt(),
)
async def create_billing_entity(
    unit: NamedDependency[Unit], payload: NamedDependency[BillingEntityIn]
) -> Answer:
    """Create a billing entity."""
    return one(ROOT, shapes.out(await billing_entities.create(unit, payload)))


@get(
    "/billing_entities/{code:str}",
    operation_id="getBillingEntity",
    opt=Operation(FULL).opt(),
)
async def find_billing_entity(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a billing entity."""
    return one(ROOT, await shapes.full(unit, await billing_entities.get(unit, code)))


@put(
    "/billing_entities/{code:str}",
    operation_id="updateBillingEntity",
    opt=Operation(FULL, Takes(ROOT, BillingEntityChange), refuses=(400, 404, 413, 422)).opt(),
)
async def update_billing_entity(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    payload: NamedDependency[BillingEntityChange],
) -> Answer:
    """Change a billing entity."""
    changed = await billing_entities.update(unit, code, payload)
    await unit.flush()
    return one(ROOT, await shapes.full(unit, changed))


RESOURCE = "billing_entity"
TAG = "billing_entities"
HANDLERS = [
    list_billing_entities,
    create_billing_entity,
    find_billing_entity,
    update_billing_entity,
]
