"""Features: the operations tagged `features`, those of their privileges included."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import features
from billing_core.services.shapes import entitlements as shapes
from billing_core.store.unit import Unit
from billing_core.wire.entitlements import FeatureChange, FeatureIn, FeatureOut
from billing_core.wire.pages import Page
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one

ROOT = "feature"
ONE = Gives(ROOT, FeatureOut)
CREATE = Operation(ONE, Takes(ROOT, FeatureIn), refuses=(400, 413, 422))
CHANGE = Operation(ONE, Takes(ROOT, FeatureChange), refuses=(400, 404, 413, 422))


@post("/features", operation_id="createFeature", status_code=200, opt=CREATE.opt())
async def create_feature(
    unit: NamedDependency[Unit], payload: NamedDependency[FeatureIn]
) -> Answer:
    """Create a feature with its privileges."""
    return one(ROOT, shapes.feature(await features.create(unit, payload)))


@get(
    "/features",
    operation_id="findAllFeatures",
    opt=Operation(
        Gives("features", FeatureOut, many=True), query=("search_term",), refuses=(422,)
    ).opt(),
)
async def list_features(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List features, newest first."""
    rows, total = await features.page(unit, filters.get("search_term"), page)
    return listed("features", [shapes.feature(row) for row in rows], page, total)


@get("/features/{code:str}", operation_id="findFeature", opt=Operation(ONE).opt())
async def find_feature(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a feature."""
    return one(ROOT, shapes.feature(await features.get(unit, code)))


@put("/features/{code:str}", operation_id="updateFeature", opt=CHANGE.opt())
async def update_feature(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    payload: NamedDependency[FeatureChange],
) -> Answer:
    """Change a feature; privileges are renamed, extended or added, never taken away."""
    return one(ROOT, shapes.feature(await features.update(unit, code, payload)))


@delete(
    "/features/{code:str}",
    operation_id="destroyFeature",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_feature(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Delete a feature; plans and subscriptions lose it."""
    return one(ROOT, shapes.feature(await features.delete(unit, code)))


@delete(
    "/features/{code:str}/privileges/{privilege_code:str}",
    operation_id="deleteFeaturePrivilege",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_privilege(
    unit: NamedDependency[Unit], code: FromPath[str], privilege_code: FromPath[str]
) -> Answer:
    """Delete a privilege; plans and subscriptions lose it. The feature is returned."""
    return one(ROOT, shapes.feature(await features.delete_privilege(unit, code, privilege_code)))


RESOURCE = "feature"
TAG = "features"
HANDLERS = [
    create_feature,
    list_features,
    find_feature,
    update_feature,
    delete_feature,
    delete_privilege,
]
