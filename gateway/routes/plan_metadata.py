"""The metadata of plans: operations tagged `plans`."""

from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import plans
from billing_core.store.unit import Unit
from gateway.metadata import Owner, quartet


async def find_plan(unit: NamedDependency[Unit], code: FromPath[str]) -> Owner:
    """Return the plan of the path, for its metadata to be changed."""
    return await plans.get_to_change(unit, code)


RESOURCE = "plan"
TAG = "plans"
HANDLERS = quartet("/plans/{code:str}", "Plan", find_plan, plans.announce_update)
