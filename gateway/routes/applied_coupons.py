"""The coupons that customers have: operations tagged `coupons`."""

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import applied_coupons
from billing_core.services.shapes import coupons as shapes
from billing_core.store.unit import Unit
from billing_core.wire.coupons import AppliedCouponIn, AppliedCouponOut, AppliedCouponUseOut
from billing_core.wire.pages import Page
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one, row_id
from gateway.queries import APPLIED_COUPON_CHOICES, known_choices

ROOT, MANY = "applied_coupon", "applied_coupons"
ONE = Gives(ROOT, AppliedCouponOut)
USES = Gives(MANY, AppliedCouponUseOut, many=True)
OF_CUSTOMER = "/customers/{external_id:str}/applied_coupons"


@post(
    "/applied_coupons",
    operation_id="applyCoupon",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, AppliedCouponIn), refuses=(400, 404, 405, 413, 422)).opt(),
)
async def apply_coupon(
    unit: NamedDependency[Unit], payload: NamedDependency[AppliedCouponIn]
) -> Answer:
    """Give a customer a coupon, with terms that may differ from its own."""
    row = await applied_coupons.create(unit, payload)
    return one(ROOT, await shapes.applied(unit, row))


@get(
    "/applied_coupons",
    operation_id="findAllAppliedCoupons",
    opt=Operation(
        USES, query=("status", "external_customer_id", "coupon_code[]"), refuses=()
    ).opt(),
)
async def list_applied_coupons(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List the coupons that customers have and had, newest first."""
    rows, total = await applied_coupons.page(unit, _filters(filters), page)
    return listed(MANY, await shapes.applied_page(unit, rows), page, total)


@get(
    OF_CUSTOMER,
    operation_id="findAllCustomerAppliedCoupons",
    opt=Operation(USES, query=("status", "coupon_code[]")).opt(),
)
async def list_customer_applied_coupons(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the coupons that a customer has and had, newest first."""
    rows, total = await applied_coupons.of_customer(unit, external_id, _filters(filters), page)
    return listed(MANY, await shapes.applied_page(unit, rows), page, total)


@delete(
    OF_CUSTOMER + "/{applied_coupon_id:str}",
    operation_id="deleteAppliedCoupon",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_applied_coupon(
    unit: NamedDependency[Unit], external_id: FromPath[str], applied_coupon_id: FromPath[str]
) -> Answer:
    """Take a coupon away from a customer."""
    found = await applied_coupons.terminate(unit, external_id, row_id(applied_coupon_id, ROOT))
    return one(ROOT, await shapes.applied(unit, found))


def _filters(found: Filters) -> Filters:
    """Return the filters with an unknown status left out."""
    others = {name: value for name, value in found.items() if name not in APPLIED_COUPON_CHOICES}
    return {**others, **known_choices(found, APPLIED_COUPON_CHOICES)}


RESOURCE = "applied_coupon"
TAG = "coupons"
HANDLERS = [
    apply_coupon,
    list_applied_coupons,
    list_customer_applied_coupons,
    delete_applied_coupon,
]
