"""Alerts on a subscription's usage: operations tagged `subscriptions`."""

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import alerts as service
from billing_core.services.shapes import alerts as shapes
from billing_core.store.unit import Unit
from billing_core.wire.alerts import AlertChange, AlertIn, AlertOut
from billing_core.wire.codec import decode_body
from billing_core.wire.pages import Page
from billing_core.wire.validation import read_root, validate
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one

ROOT, MANY = "alert", "alerts"
ONE = Gives(ROOT, AlertOut)
STATUS = "subscription_status"
ALL = "/subscriptions/{external_id:str}/alerts"
EACH = ALL + "/{code:str}"


@get(
    ALL,
    operation_id="getSubscriptionAlerts",
    opt=Operation(Gives(MANY, AlertOut, many=True), query=(STATUS,)).opt(),
)
async def list_alerts(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    page: NamedDependency[Page],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the alerts of a subscription, newest first."""
    rows, total = await service.page(unit, external_id, filters.get(STATUS), page)
    return listed(MANY, [shapes.out(row) for row in rows], page, total)


@post(
    ALL,
    operation_id="createSubscriptionAlert",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, AlertIn), (STATUS,), refuses=(400, 404, 413, 422)).opt(),
)
async def create_alert(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    raw_body: NamedDependency[bytes],
    filters: NamedDependency[Filters],
) -> Answer:
    """Watch a subscription's usage by one alert or, under `alerts`, by several: all or none."""
    status = filters.get(STATUS)
    document = decode_body(raw_body) if raw_body.strip() else {}
    sent = document.get(MANY) if isinstance(document, dict) else None
    if isinstance(sent, list):
        made = await service.create_several(unit, external_id, status, sent)
        return one(MANY, [shapes.out(row) for row in made])
    data = validate(AlertIn, read_root(raw_body, ROOT))
    return one(ROOT, shapes.out(await service.create(unit, external_id, status, data)))


@delete(
    ALL,
    operation_id="deleteAllSubscriptionAlerts",
    status_code=200,
    opt=Operation(query=(STATUS,)).opt(),
)
async def delete_alerts(
    unit: NamedDependency[Unit], external_id: FromPath[str], filters: NamedDependency[Filters]
) -> Response[bytes]:
    """Delete all alerts of a subscription; the answer is empty."""
    await service.delete_all(unit, external_id, filters.get(STATUS))
    return Response(b"", media_type="text/plain")


@get(EACH, operation_id="getSubscriptionAlert", opt=Operation(ONE, query=(STATUS,)).opt())
async def find_alert(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return an alert of a subscription."""
    found = await service.get(unit, external_id, filters.get(STATUS), code)
    return one(ROOT, shapes.out(found))


@put(
    EACH,
    operation_id="updateSubscriptionAlert",
    opt=Operation(ONE, Takes(ROOT, AlertChange), (STATUS,), refuses=(400, 404, 413, 422)).opt(),
)
async def update_alert(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    code: FromPath[str],
    payload: NamedDependency[AlertChange],
    filters: NamedDependency[Filters],
) -> Answer:
    """Change an alert; thresholds are replaced as a whole."""
    found = await service.update(unit, external_id, filters.get(STATUS), code, payload)
    return one(ROOT, shapes.out(found))


@delete(
    EACH,
    operation_id="deleteSubscriptionAlert",
    status_code=200,
    opt=Operation(ONE, query=(STATUS,)).opt(),
)
async def delete_alert(
    unit: NamedDependency[Unit],
    external_id: FromPath[str],
    code: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Delete an alert."""
    found = await service.delete(unit, external_id, filters.get(STATUS), code)
    return one(ROOT, shapes.out(found))


RESOURCE = "alert"
TAG = "subscriptions"
HANDLERS = [list_alerts, create_alert, delete_alerts, find_alert, update_alert, delete_alert]
