"""How fees came about: operations tagged `fees`."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.ports import EventStore
from billing_core.services import explanations
from billing_core.store.unit import Unit
from billing_core.wire.explanations import FeeEventOut, FeeExplanationOut
from billing_core.wire.pages import Page
from gateway.http import Answer, Gives, Operation, listed, one, row_id

ROOT = "fee_explanation"
EXPLAIN = "/fees/{lago_id:str}/explain"
EVENTS = EXPLAIN + "/events"


@get(EXPLAIN, operation_id="explainFee", opt=Operation(Gives(ROOT, FeeExplanationOut)).opt())
async def explain_fee(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Return the arithmetic of a fee, as it was priced."""
    fee_id = row_id(lago_id, RESOURCE)
    return one(
        ROOT, await explanations.explain(unit, fee_id, f"/api/v1/fees/{fee_id}/explain/events")
    )


@get(
    EVENTS,
    operation_id="findAllFeeEvents",
    opt=Operation(Gives("events", FeeEventOut, many=True)).opt(),
)
async def list_events(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    lago_id: FromPath[str],
    page: NamedDependency[Page],
) -> Answer:
    """List the events that a fee counted, oldest first."""
    rows, total = await explanations.events_page(unit, events, row_id(lago_id, RESOURCE), page)
    return listed("events", rows, page, total)


RESOURCE = "fee"
TAG = "fees"
HANDLERS = [explain_fee, list_events]
