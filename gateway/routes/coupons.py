"""Coupons: operations tagged `coupons`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import coupons
from billing_core.services.shapes import coupons as shapes
from billing_core.store.unit import Unit
from billing_core.wire.coupons import CouponChange, CouponIn, CouponOut
from billing_core.wire.pages import Page
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT, MANY = "coupon", "coupons"
ONE = Gives(ROOT, CouponOut)
WRITES = (400, 404, 405, 413, 422)
CREATE = Operation(ONE, Takes(ROOT, CouponIn), refuses=WRITES)
CHANGE = Operation(ONE, Takes(ROOT, CouponChange), refuses=WRITES)


@post("/coupons", operation_id="createCoupon", status_code=200, opt=CREATE.opt())
async def create_coupon(unit: NamedDependency[Unit], payload: NamedDependency[CouponIn]) -> Answer:
    """Create a coupon."""
    return one(ROOT, await shapes.out(unit, await coupons.create(unit, payload)))


@get(
    "/coupons",
    operation_id="findAllCoupons",
    opt=Operation(Gives(MANY, CouponOut, many=True), refuses=()).opt(),
)
async def list_coupons(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List coupons: active ones first, then those that expire first."""
    rows, total = await coupons.page(unit, page)
    return listed(MANY, await shapes.several(unit, rows), page, total)


@get("/coupons/{code:str}", operation_id="findCoupon", opt=Operation(ONE).opt())
async def find_coupon(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a coupon."""
    return one(ROOT, await shapes.out(unit, await coupons.get(unit, code)))


@put("/coupons/{code:str}", operation_id="updateCoupon", opt=CHANGE.opt())
async def update_coupon(
    unit: NamedDependency[Unit], code: FromPath[str], payload: NamedDependency[CouponChange]
) -> Answer:
    """Change a coupon; of one that anybody has had only name, description and expiration."""
    return one(ROOT, await shapes.out(unit, await coupons.update(unit, code, payload)))


@delete(
    "/coupons/{code:str}",
    operation_id="destroyCoupon",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_coupon(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Delete a coupon, and take it away from everybody who has it."""
    return one(ROOT, await shapes.out(unit, await coupons.delete(unit, code)))


RESOURCE = "coupon"
TAG = "coupons"
HANDLERS = [create_coupon, list_coupons, find_coupon, update_coupon, delete_coupon]
