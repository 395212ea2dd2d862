"""The fixed charges of one subscription: operations tagged `subscriptions`."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import subscription_fixed_charges as service
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeOut, FixedChargeUnitsIn
from billing_core.wire.pages import Page
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one

ROOT = "fixed_charge"
ONE = Gives(ROOT, FixedChargeOut)
STATUS = "subscription_status"
ALL = "/subscriptions/{external_id:str}/fixed_charges"
EACH = ALL + "/{fixed_charge_code:str}"


@get(
    ALL,
    operation_id="findAllSubscriptionFixedCharges",
    opt=Operation(Gives("fixed_charges", FixedChargeOut, many=True), query=(STATUS,)).opt(),
)
async def list_fixed_charges(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the fixed charges of a subscription, newest first, with its own units."""
    rows, total = await service.page(unit, external_id, filters.get(STATUS), page)
    return listed("fixed_charges", rows, page, total)


@get(EACH, operation_id="findSubscriptionFixedCharge", opt=Operation(ONE, query=(STATUS,)).opt())
async def find_fixed_charge(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    fixed_charge_code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return a fixed charge of a subscription, with its own units."""
    found = await service.get(unit, external_id, fixed_charge_code, filters.get(STATUS))
    return one(ROOT, found)


@put(
    EACH,
    operation_id="overrideSubscriptionFixedCharge",
    opt=Operation(
        ONE, Takes(ROOT, FixedChargeUnitsIn), (STATUS,), refuses=(400, 404, 413, 422)
    ).opt(),
)
async def give_units(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    fixed_charge_code: FromPath[str],
    payload: NamedDependency[FixedChargeUnitsIn],
    filters: NamedDependency[Filters],
) -> Answer:
    """Give a subscription its own number of units of a fixed charge."""
    status = filters.get(STATUS)
    found = await service.give_units(unit, external_id, fixed_charge_code, payload, status)
    return one(ROOT, found)


RESOURCE = "subscription"
TAG = "subscriptions"
HANDLERS = [list_fixed_charges, find_fixed_charge, give_units]
