"""The key's own organization and its billing entities."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import organizations
from billing_core.services.shapes import organizations as shapes
from billing_core.store.unit import Unit
from billing_core.wire.organizations import BillingEntityOut, OrganizationChange, OrganizationOut
from gateway.http import Answer, Gives, Operation, Takes, one

ROOT = "organization"
ONE = Gives(ROOT, OrganizationOut)
ENTITY = {"resource": "billing_entity"}


@get("/organizations", operation_id="findOrganization", opt=Operation(ONE, refuses=()).opt())
async def find_organization(unit: NamedDependency[Unit]) -> Answer:
    """Return the organization of the key."""
    return one(ROOT, await shapes.organization(unit, *await organizations.get(unit)))


@put(
    "/organizations",
    operation_id="updateOrganization",
    opt=Operation(ONE, Takes(ROOT, OrganizationChange), refuses=(400, 413, 422)).opt(),
)
async def update_organization(
    unit: NamedDependency[Unit], payload: NamedDependency[OrganizationChange]
) -> Answer:
    """Change the organization of the key."""
    changed = await organizations.update(unit, payload)
    return one(ROOT, await shapes.organization(unit, *changed))


@get(
    "/billing_entities",
    operation_id="listBillingEntities",
    opt={**Operation(refuses=()).opt(), **ENTITY},
)
async def list_entities(unit: NamedDependency[Unit]) -> Answer:
    """List billing entities, oldest first, all at once."""
    rows = await organizations.entities(unit)
    return Answer({"billing_entities": [shapes.entity(row) for row in rows]})


@get(
    "/billing_entities/{code:str}",
    operation_id="getBillingEntity",
    opt={**Operation(Gives("billing_entity", BillingEntityOut)).opt(), **ENTITY},
)
async def find_entity(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a billing entity."""
    return one("billing_entity", shapes.entity(await organizations.entity(unit, code)))


RESOURCE = "organization"
TAG = "organizations"
HANDLERS = [find_organization, update_organization, list_entities, find_entity]
