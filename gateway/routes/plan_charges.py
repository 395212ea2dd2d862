"""The charges of a plan and their filters: operations tagged `plans`."""

from collections.abc import Mapping
from typing import Any

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import plan_charges
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.charges import ChargeFilterFullOut, ChargeFilterIn, ChargeIn, ChargeOut
from billing_core.wire.pages import Page
from billing_core.wire.plans import wants_cascade
from gateway.http import Answer, Gives, Operation, Takes, listed, one, row_id

ROOT = "charge"
FILTER_ROOT = "filter"
FILTER = "charge_filter"
WRITES = (400, 404, 413, 422)
ONE = Gives(ROOT, ChargeOut)
MANY = Operation(Gives("charges", ChargeOut, many=True))
DELETE = Operation(ONE, refuses=(400, 404, 413))
WRITE = Operation(ONE, Takes(ROOT, ChargeIn), refuses=WRITES)
ONE_FILTER = Gives(FILTER_ROOT, ChargeFilterFullOut)
MANY_FILTERS = Operation(Gives("filters", ChargeFilterFullOut, many=True))
WRITE_FILTER = Operation(ONE_FILTER, Takes(FILTER_ROOT, ChargeFilterIn), refuses=WRITES)
CHARGES = "/plans/{code:str}/charges"
CHARGE = CHARGES + "/{charge_code:str}"
FILTERS = CHARGE + "/filters"
THE_FILTER = FILTERS + "/{filter_id:str}"


@post(CHARGES, operation_id="createPlanCharge", status_code=200, opt=WRITE.opt())
async def create_charge(
    unit: NamedDependency[Unit], code: FromPath[str], payload: NamedDependency[ChargeIn]
) -> Answer:
    """Add a charge to a plan."""
    return one(ROOT, await shapes.charge(unit, await plan_charges.create(unit, code, payload)))


@get(CHARGES, operation_id="findAllPlanCharges", opt=MANY.opt())
async def list_charges(
    unit: NamedDependency[Unit], code: FromPath[str], page: NamedDependency[Page]
) -> Answer:
    """List the charges of a plan, newest first."""
    rows, total = await plan_charges.page(unit, code, page)
    return listed("charges", await shapes.charges(unit, rows), page, total)


@get(CHARGE, operation_id="findPlanCharge", opt=Operation(ONE).opt())
async def find_charge(
    unit: NamedDependency[Unit], code: FromPath[str], charge_code: FromPath[str]
) -> Answer:
    """Return a charge of a plan."""
    return one(ROOT, await shapes.charge(unit, await plan_charges.get(unit, code, charge_code)))


@put(CHARGE, operation_id="updatePlanCharge", opt=WRITE.opt())
async def update_charge(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    payload: NamedDependency[ChargeIn],
) -> Answer:
    """Change a charge of a plan."""
    return one(
        ROOT, await shapes.charge(unit, await plan_charges.update(unit, code, charge_code, payload))
    )


@delete(CHARGE, operation_id="destroyPlanCharge", status_code=200, opt=DELETE.opt())
async def delete_charge(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    loose: NamedDependency[Mapping[str, Any]],
) -> Answer:
    """Take a charge off a plan."""
    cascade = wants_cascade(loose, ROOT)
    row = await plan_charges.delete(unit, code, charge_code, cascade=cascade)
    return one(ROOT, await shapes.charge(unit, row))


@post(FILTERS, operation_id="createPlanChargeFilter", status_code=200, opt=WRITE_FILTER.opt())
async def create_filter(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    payload: NamedDependency[ChargeFilterIn],
) -> Answer:
    """Add a filter to a charge."""
    charge, row = await plan_charges.create_filter(unit, code, charge_code, payload)
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


@get(FILTERS, operation_id="findAllPlanChargeFilters", opt=MANY_FILTERS.opt())
async def list_filters(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    page: NamedDependency[Page],
) -> Answer:
    """List the filters of a charge, in the order they are looked at."""
    charge, rows, total = await plan_charges.filters_page(unit, code, charge_code, page)
    return listed("filters", [shapes.charge_filter(charge, row) for row in rows], page, total)


@get(THE_FILTER, operation_id="findPlanChargeFilter", opt=Operation(ONE_FILTER).opt())
async def find_filter(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    filter_id: FromPath[str],
) -> Answer:
    """Return a filter of a charge."""
    wanted = row_id(filter_id, FILTER)
    charge, row = await plan_charges.get_filter(unit, code, charge_code, wanted)
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


@put(THE_FILTER, operation_id="updatePlanChargeFilter", opt=WRITE_FILTER.opt())
async def update_filter(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    filter_id: FromPath[str],
    payload: NamedDependency[ChargeFilterIn],
) -> Answer:
    """Change a filter of a charge."""
    wanted = row_id(filter_id, FILTER)
    charge, row = await plan_charges.update_filter(unit, code, charge_code, wanted, payload)
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


@delete(
    THE_FILTER,
    operation_id="destroyPlanChargeFilter",
    status_code=200,
    opt=Operation(ONE_FILTER, refuses=(400, 404, 413)).opt(),
)
async def delete_filter(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    charge_code: FromPath[str],
    filter_id: FromPath[str],
    loose: NamedDependency[Mapping[str, Any]],
) -> Answer:
    """Take a filter off a charge."""
    wanted, cascade = row_id(filter_id, FILTER), wants_cascade(loose, FILTER_ROOT)
    charge, row = await plan_charges.delete_filter(unit, code, charge_code, wanted, cascade=cascade)
    return one(FILTER_ROOT, shapes.charge_filter(charge, row))


RESOURCE = "plan"
TAG = "plans"
HANDLERS = [
    create_charge,
    list_charges,
    find_charge,
    update_charge,
    delete_charge,
    create_filter,
    list_filters,
    find_filter,
    update_filter,
    delete_filter,
]
