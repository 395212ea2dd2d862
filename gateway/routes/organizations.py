"""The key's own organization."""

from litestar import get, put
from litestar.di import NamedDependency

from billing_core.services import organizations
from billing_core.services.shapes import organizations as shapes
from billing_core.store.unit import Unit
from billing_core.wire.organizations import OrganizationChange, OrganizationOut
from gateway.http import Answer, Gives, Operation, Takes, one

ROOT = "organization"
ONE = Gives(ROOT, OrganizationOut)


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


RESOURCE = "organization"
TAG = "organizations"
HANDLERS = [find_organization, update_organization]
