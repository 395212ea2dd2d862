"""Events: the operations tagged `events`. The two writes are usually answered by the hot path."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.domain.errors import Invalid
from billing_core.ports import EventFilter, EventStore
from billing_core.services import estimates, instant_estimates, subscriptions
from billing_core.services import events as service
from billing_core.services.events import MAX_BATCH_EVENTS, EventIntake
from billing_core.services.intake_rules import read as rules_of
from billing_core.store.unit import Unit, Units
from billing_core.wire.estimates import EstimatedFeeOut, InstantFeeOut, read_estimates
from billing_core.wire.events import read_single
from billing_core.wire.pages import Page
from gateway.auth import Principal
from gateway.http import Answer, Asked, Filters, Gives, Operation, instant_filters

JSON = "application/json"
ESTIMATES = Gives("fees", EstimatedFeeOut, many=True)
PRICES = Gives("fees", InstantFeeOut, many=True)
INSTANTS = ("timestamp_from", "timestamp_to")
FILTERS = ("code", "external_subscription_id", *INSTANTS, "timestamp_from_started_at")


@post(
    "/events",
    operation_id="createEvent",
    status_code=200,
    opt=Operation(refuses=(400, 413, 422, 429, 503)).opt(),
)
async def create_event(
    request: Asked,
    principal: NamedDependency[Principal],
    intake: NamedDependency[EventIntake],
) -> Response[bytes]:
    """Store a usage event; answered once it is durable."""
    return Response(await intake.create(principal, await request.body()), media_type=JSON)


@post(
    "/events/batch",
    operation_id="createBatchEvents",
    status_code=200,
    opt=Operation(refuses=(400, 413, 422, 429, 503)).opt(),
)
async def create_batch_events(
    request: Asked,
    principal: NamedDependency[Principal],
    intake: NamedDependency[EventIntake],
) -> Response[bytes]:
    """Store up to 100 usage events, all of them or none."""
    return Response(await intake.create_batch(principal, await request.body()), media_type=JSON)


@get("/events", operation_id="findAllEvents", opt=Operation(query=FILTERS, refuses=(422,)).opt())
async def list_events(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Response[bytes]:
    """List events, newest first."""
    found = instant_filters(filters, INSTANTS)
    since = found.get("timestamp_from")
    if filters.get("timestamp_from_started_at") == "true":
        if since is not None or not found.get("external_subscription_id"):
            raise Invalid.field("timestamp_from_started_at", "value_is_invalid")
        since = await subscriptions.started_at(unit, found["external_subscription_id"])
    wanted = EventFilter(
        code=found.get("code") or None,
        external_subscription_id=found.get("external_subscription_id") or None,
        timestamp_from=since,
        timestamp_to=found.get("timestamp_to"),
    )
    body = await service.list_body_of(events, unit.org_id, wanted, page)
    return Response(body, media_type=JSON)


@get("/events/{transaction_id:str}", operation_id="findEvent", opt=Operation().opt())
async def find_event(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    transaction_id: FromPath[str],
) -> Response[bytes]:
    """Return the newest event with a transaction id, whatever its subscription."""
    body = await service.find_body(events, unit.org_id, transaction_id)
    return Response(body, media_type=JSON)


@post(
    "/events/estimate_fees",
    operation_id="eventEstimateFees",
    status_code=200,
    opt=Operation(ESTIMATES, refuses=(400, 404, 413, 422, 503)).opt(),
)
async def estimate_fees(
    principal: NamedDependency[Principal],
    units: NamedDependency[Units],
    events: NamedDependency[EventStore],
    raw_body: NamedDependency[bytes],
) -> Answer:
    """Return the fees that an event would bring, on top of the usage there is; nothing is kept."""
    sent = read_single(raw_body)
    async with units.read(principal.org_id) as unit:
        found = await estimates.fees(unit, events, sent, await rules_of(unit))
    return Answer({"fees": found}, media_type=JSON)


@post(
    "/events/estimate_instant_fees",
    operation_id="eventEstimateInstantFees",
    status_code=200,
    opt=Operation(PRICES, refuses=(400, 404, 413, 422)).opt(),
)
async def estimate_instant_fees(
    principal: NamedDependency[Principal],
    units: NamedDependency[Units],
    raw_body: NamedDependency[bytes],
) -> Answer:
    """Return the price of an event by itself, for standard and percentage charges in advance."""
    sent = read_single(raw_body)
    async with units.read(principal.org_id) as unit:
        found = await instant_estimates.fees(unit, sent, await rules_of(unit))
    return Answer({"fees": found}, media_type=JSON)


@post(
    "/events/batch_estimate_instant_fees",
    operation_id="eventBatchEstimateInstantFees",
    status_code=200,
    opt=Operation(PRICES, refuses=(400, 404, 413, 422)).opt(),
)
async def batch_estimate_instant_fees(
    principal: NamedDependency[Principal],
    units: NamedDependency[Units],
    raw_body: NamedDependency[bytes],
) -> Answer:
    """Return the prices of up to 100 events, each by itself."""
    sent = read_estimates(raw_body, MAX_BATCH_EVENTS)
    async with units.read(principal.org_id) as unit:
        found = await instant_estimates.batch(unit, sent, await rules_of(unit))
    return Answer({"fees": found}, media_type=JSON)


RESOURCE = "event"
TAG = "events"
HANDLERS = [
    create_event,
    create_batch_events,
    list_events,
    find_event,
    estimate_fees,
    estimate_instant_fees,
    batch_estimate_instant_fees,
]
