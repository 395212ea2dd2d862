"""Fees: the operations tagged `fees`."""

from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import fees
from billing_core.services.shapes import fees as shapes
from billing_core.store.unit import Unit
from billing_core.wire.fees import FeeChange, FeeOut
from billing_core.wire.pages import Page
from gateway.http import (
    Answer,
    Filters,
    Gives,
    Operation,
    Takes,
    instant_filters,
    listed,
    one,
    row_id,
)

ROOT = "fee"
ONE = Gives(ROOT, FeeOut)
INSTANTS = tuple(
    f"{name}_at_{end}"
    for name in ("created", "succeeded", "failed", "refunded")
    for end in ("from", "to")
)
FILTERS = (
    "fee_type",
    "payment_status",
    "external_subscription_id",
    "external_customer_id",
    "billable_metric_code",
    "currency",
    "event_transaction_id",
    *INSTANTS,
)


@get(
    "/fees",
    operation_id="findAllFees",
    opt=Operation(Gives("fees", FeeOut, many=True), query=FILTERS, refuses=(422,)).opt(),
)
async def list_fees(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List fees, newest first."""
    rows, total = await fees.page(unit, instant_filters(filters, INSTANTS), page)
    return listed("fees", await shapes.several(unit, rows), page, total)


@get("/fees/{lago_id:str}", operation_id="findFee", opt=Operation(ONE).opt())
async def find_fee(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Return a fee."""
    return one(ROOT, await shapes.one(unit, await fees.get(unit, row_id(lago_id, ROOT))))


@put(
    "/fees/{lago_id:str}",
    operation_id="updateFee",
    opt=Operation(ONE, Takes(ROOT, FeeChange), refuses=(400, 404, 405, 413, 422)).opt(),
)
async def update_fee(
    unit: NamedDependency[Unit], lago_id: FromPath[str], payload: NamedDependency[FeeChange]
) -> Answer:
    """Set the payment status of a fee that stands on no invoice."""
    row = await fees.update(unit, row_id(lago_id, ROOT), payload)
    return one(ROOT, await shapes.one(unit, row))


@delete(
    "/fees/{lago_id:str}",
    operation_id="deleteFee",
    status_code=200,
    opt=Operation(ONE, refuses=(404, 405)).opt(),
)
async def delete_fee(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Delete a fee that stands on no invoice."""
    row = await fees.delete(unit, row_id(lago_id, ROOT))
    return one(ROOT, await shapes.one(unit, row))


RESOURCE = "fee"
TAG = "fees"
HANDLERS = [list_fees, find_fee, update_fee, delete_fee]
