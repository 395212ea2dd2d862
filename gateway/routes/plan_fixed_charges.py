"""The fixed charges of a plan: operations tagged `plans`."""

from collections.abc import Mapping
from typing import Any

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import plan_fixed_charges
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeIn, FixedChargeOut
from billing_core.wire.pages import Page
from billing_core.wire.plans import wants_cascade
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT = "fixed_charge"
ONE = Gives(ROOT, FixedChargeOut)
MANY = Operation(Gives("fixed_charges", FixedChargeOut, many=True))
WRITE = Operation(ONE, Takes(ROOT, FixedChargeIn), refuses=(400, 404, 413, 422))
ALL = "/plans/{code:str}/fixed_charges"
EACH = ALL + "/{fixed_charge_code:str}"


@post(ALL, operation_id="createPlanFixedCharge", status_code=200, opt=WRITE.opt())
async def create_fixed_charge(
    unit: NamedDependency[Unit], code: FromPath[str], payload: NamedDependency[FixedChargeIn]
) -> Answer:
    """Add a fixed charge to a plan."""
    return one(
        ROOT, await shapes.fixed_charge(unit, await plan_fixed_charges.create(unit, code, payload))
    )


@get(ALL, operation_id="findAllPlanFixedCharges", opt=MANY.opt())
async def list_fixed_charges(
    unit: NamedDependency[Unit], code: FromPath[str], page: NamedDependency[Page]
) -> Answer:
    """List the fixed charges of a plan, newest first."""
    rows, total = await plan_fixed_charges.page(unit, code, page)
    return listed("fixed_charges", await shapes.fixed_charges(unit, rows), page, total)


@get(EACH, operation_id="findPlanFixedCharge", opt=Operation(ONE).opt())
async def find_fixed_charge(
    unit: NamedDependency[Unit], code: FromPath[str], fixed_charge_code: FromPath[str]
) -> Answer:
    """Return a fixed charge of a plan."""
    return one(
        ROOT,
        await shapes.fixed_charge(
            unit, await plan_fixed_charges.get(unit, code, fixed_charge_code)
        ),
    )


@put(EACH, operation_id="updatePlanFixedCharge", opt=WRITE.opt())
async def update_fixed_charge(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    fixed_charge_code: FromPath[str],
    payload: NamedDependency[FixedChargeIn],
) -> Answer:
    """Change a fixed charge of a plan."""
    row = await plan_fixed_charges.update(unit, code, fixed_charge_code, payload)
    return one(ROOT, await shapes.fixed_charge(unit, row))


@delete(
    EACH,
    operation_id="destroyPlanFixedCharge",
    status_code=200,
    opt=Operation(ONE, refuses=(400, 404, 413)).opt(),
)
async def delete_fixed_charge(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    fixed_charge_code: FromPath[str],
    loose: NamedDependency[Mapping[str, Any]],
) -> Answer:
    """Take a fixed charge off a plan."""
    cascade = wants_cascade(loose, ROOT)
    row = await plan_fixed_charges.delete(unit, code, fixed_charge_code, cascade=cascade)
    return one(ROOT, await shapes.fixed_charge(unit, row))


RESOURCE = "plan"
TAG = "plans"
HANDLERS = [
    create_fixed_charge,
    list_fixed_charges,
    find_fixed_charge,
    update_fixed_charge,
    delete_fixed_charge,
]
