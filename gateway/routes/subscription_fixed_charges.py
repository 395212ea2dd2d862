"""The fixed charges of one subscription: operations tagged `subscriptions`."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import subscription_fixed_charges as service
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeOut, FixedChargePricesIn
from billing_core.wire.pages import Page
from gateway.http import (
    ROW_STATUS,
    Answer,
    Filters,
    Gives,
    Operation,
    Takes,
    listed,
    one,
    row_status,
)

ROOT = "fixed_charge"
ONE = Gives(ROOT, FixedChargeOut)
ALL = "/subscriptions/{external_id:str}/fixed_charges"
EACH = ALL + "/{fixed_charge_code:str}"


@get(
    ALL,
    operation_id="findAllSubscriptionFixedCharges",
    opt=Operation(Gives("fixed_charges", FixedChargeOut, many=True), query=ROW_STATUS).opt(),
)
async def list_fixed_charges(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the fixed charges of a subscription, newest first, with its own units."""
    rows, total = await service.page(unit, external_id, row_status(filters), page)
    return listed("fixed_charges", rows, page, total)


@get(EACH, operation_id="findSubscriptionFixedCharge", opt=Operation(ONE, query=ROW_STATUS).opt())
async def find_fixed_charge(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    fixed_charge_code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return a fixed charge of a subscription, with its own units."""
    found = await service.get(unit, external_id, row_status(filters), fixed_charge_code)
    return one(ROOT, found)


@put(
    EACH,
    operation_id="overrideSubscriptionFixedCharge",
    opt=Operation(
        ONE, Takes(ROOT, FixedChargePricesIn), ROW_STATUS, refuses=(400, 403, 404, 405, 413, 422)
    ).opt(),
)
async def override_fixed_charge(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    fixed_charge_code: FromPath[str],
    payload: NamedDependency[FixedChargePricesIn],
    filters: NamedDependency[Filters],
) -> Answer:
    """Give a subscription its own number of units, or its own price, of a fixed charge."""
    status = row_status(filters)
    found = await service.override(unit, external_id, status, fixed_charge_code, payload)
    return one(ROOT, found)


RESOURCE = "subscription"
TAG = "subscriptions"
HANDLERS = [list_fixed_charges, find_fixed_charge, override_fixed_charge]
