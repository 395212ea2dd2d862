"""The charges of one subscription and their filters: operations tagged `subscriptions`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import subscription_charges as service
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.charges import (
    ChargeFilterFullOut,
    ChargeFilterIn,
    ChargeOut,
    ChargePricesIn,
)
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
    row_id,
    row_status,
)

ROOT = "charge"
FILTER_ROOT = "filter"
FILTER = "charge_filter"
WRITES = (400, 403, 404, 405, 413, 422)
ONE = Gives(ROOT, ChargeOut)
ONE_FILTER = Gives(FILTER_ROOT, ChargeFilterFullOut)
WRITE_FILTER = Operation(ONE_FILTER, Takes(FILTER_ROOT, ChargeFilterIn), ROW_STATUS, refuses=WRITES)
CHARGES = "/subscriptions/{external_id:str}/charges"
CHARGE = CHARGES + "/{charge_code:str}"
FILTERS = CHARGE + "/filters"
THE_FILTER = FILTERS + "/{filter_id:str}"


@get(
    CHARGES,
    operation_id="findAllSubscriptionCharges",
    opt=Operation(Gives("charges", ChargeOut, many=True), query=ROW_STATUS).opt(),
)
async def list_charges(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the charges of a subscription, newest first."""
    rows, total = await service.page(unit, external_id, row_status(filters), page)
    return listed("charges", await shapes.charges(unit, rows), page, total)


@get(CHARGE, operation_id="findSubscriptionCharge", opt=Operation(ONE, query=ROW_STATUS).opt())
async def find_charge(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return a charge of a subscription."""
    row = await service.get(unit, external_id, row_status(filters), charge_code)
    return one(ROOT, await shapes.charge(unit, row))


@put(
    CHARGE,
    operation_id="overrideSubscriptionCharge",
    opt=Operation(ONE, Takes(ROOT, ChargePricesIn), ROW_STATUS, refuses=WRITES).opt(),
)
async def override_charge(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    payload: NamedDependency[ChargePricesIn],
    filters: NamedDependency[Filters],
) -> Answer:
    """Give a subscription a price of its own."""
    row = await service.update(unit, external_id, row_status(filters), charge_code, payload)
    return one(ROOT, await shapes.charge(unit, row))


@post(
    FILTERS,
    operation_id="createSubscriptionChargeFilter",
    status_code=200,
    opt=WRITE_FILTER.opt(),
)
async def create_filter(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    payload: NamedDependency[ChargeFilterIn],
    filters: NamedDependency[Filters],
) -> Answer:
    """Add a filter to a charge of a subscription."""
    charge, row = await service.create_filter(
        unit, external_id, row_status(filters), charge_code, payload
    )
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


@get(
    FILTERS,
    operation_id="findAllSubscriptionChargeFilters",
    opt=Operation(Gives("filters", ChargeFilterFullOut, many=True), query=ROW_STATUS).opt(),
)
async def list_filters(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the filters of a charge of a subscription, in the order they are looked at."""
    charge, rows, total = await service.filters_page(
        unit, external_id, row_status(filters), charge_code, page
    )
    return listed("filters", [shapes.charge_filter(charge, row) for row in rows], page, total)


@get(
    THE_FILTER,
    operation_id="findSubscriptionChargeFilter",
    opt=Operation(ONE_FILTER, query=ROW_STATUS).opt(),
)
async def find_filter(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    filter_id: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return a filter of a charge of a subscription."""
    charge, row = await service.get_filter(
        unit, external_id, row_status(filters), charge_code, row_id(filter_id, FILTER)
    )
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


@put(THE_FILTER, operation_id="updateSubscriptionChargeFilter", opt=WRITE_FILTER.opt())
async def update_filter(  # noqa: PLR0913, PLR0917 - one parameter for each part of the request
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    filter_id: FromPath[str],
    payload: NamedDependency[ChargeFilterIn],
    filters: NamedDependency[Filters],
) -> Answer:
    """Change a filter of a charge of a subscription."""
    wanted = row_id(filter_id, FILTER)
    charge, row = await service.update_filter(
        unit, external_id, row_status(filters), charge_code, wanted, payload
    )
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


@delete(
    THE_FILTER,
    operation_id="destroySubscriptionChargeFilter",
    status_code=200,
    opt=Operation(ONE_FILTER, query=ROW_STATUS, refuses=(404, 405)).opt(),
)
async def delete_filter(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    charge_code: FromPath[str],
    filter_id: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Take a filter off a charge of a subscription."""
    charge, row = await service.delete_filter(
        unit, external_id, row_status(filters), charge_code, row_id(filter_id, FILTER)
    )
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


RESOURCE = "subscription"
TAG = "subscriptions"
HANDLERS = [
    list_charges,
    find_charge,
    override_charge,
    create_filter,
    list_filters,
    find_filter,
    update_filter,
    delete_filter,
]
