"""Plans: the operations tagged `plans`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import plans
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.plans import PlanChange, PlanIn, PlanOut
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT = "plan"
ONE = Gives(ROOT, PlanOut)
CREATE = Operation(ONE, Takes(ROOT, PlanIn), refuses=(400, 404, 413, 422))
CHANGE = Operation(ONE, Takes(ROOT, PlanChange), refuses=(400, 404, 413, 422))


@post("/plans", operation_id="createPlan", status_code=200, opt=CREATE.opt())
async def create_plan(unit: NamedDependency[Unit], payload: NamedDependency[PlanIn]) -> Answer:
    """Create a plan."""
    return one(ROOT, await shapes.plan(unit, await plans.create(unit, payload)))


@get(
    "/plans",
    operation_id="findAllPlans",
    opt=Operation(Gives("plans", PlanOut, many=True), refuses=()).opt(),
)
async def list_plans(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List plans, newest first."""
    rows, total = await plans.page(unit, page)
    return listed("plans", await shapes.plans(unit, rows), page, total)


@get(
    "/plans/{code:str}",
    operation_id="findPlan",
    opt=Operation(ONE).opt(),
)
async def find_plan(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a plan."""
    return one(ROOT, await shapes.plan(unit, await plans.get(unit, code)))


@put("/plans/{code:str}", operation_id="updatePlan", opt=CHANGE.opt())
async def update_plan(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    payload: NamedDependency[PlanChange],
) -> Answer:
    """Change a plan."""
    return one(ROOT, await shapes.plan(unit, await plans.update(unit, code, payload)))


@delete(
    "/plans/{code:str}",
    operation_id="destroyPlan",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_plan(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Delete a plan; live subscriptions end."""
    return one(ROOT, await shapes.plan(unit, await plans.delete(unit, code)))


RESOURCE = "plan"
TAG = "plans"
HANDLERS = [create_plan, list_plans, find_plan, update_plan, delete_plan]
