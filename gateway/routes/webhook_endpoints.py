"""Webhook endpoints: the operations tagged `webhook_endpoints` and `webhooks`."""

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.ports import EventStore
from billing_core.services import webhooks
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.webhook_endpoints import (
    WebhookEndpointChange,
    WebhookEndpointIn,
    WebhookEndpointOut,
)
from connectors.webhooks.signing import public_key_base64
from gateway.auth import Principal
from gateway.http import Answer, Gives, Operation, Takes, listed, one, row_id
from gateway.settings import Settings

ROOT = "webhook_endpoint"
ONE = Gives(ROOT, WebhookEndpointOut)
PUBLIC_KEY = {**Operation(refuses=()).opt(), "resource": "webhook_jwt_public_key"}


@post(
    "/webhook_endpoints",
    operation_id="createWebhookEndpoint",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, WebhookEndpointIn), refuses=(400, 413, 422)).opt(),
)
async def create_endpoint(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    payload: NamedDependency[WebhookEndpointIn],
) -> Answer:
    """Register an endpoint; the answer carries its signing secret."""
    endpoint = await webhooks.create_endpoint(unit, events, payload)
    return one(ROOT, WebhookEndpointOut.of(endpoint))


@get(
    "/webhook_endpoints",
    operation_id="findAllWebhookEndpoints",
    opt=Operation(Gives("webhook_endpoints", WebhookEndpointOut, many=True), refuses=()).opt(),
)
async def list_endpoints(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List endpoints, newest first."""
    rows, total = await webhooks.endpoints_page(unit, page)
    return listed("webhook_endpoints", [WebhookEndpointOut.of(row) for row in rows], page, total)


@get(
    "/webhook_endpoints/{lago_id:str}",
    operation_id="findWebhookEndpoint",
    opt=Operation(ONE).opt(),
)
async def find_endpoint(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Return an endpoint."""
    endpoint = await webhooks.get_endpoint(unit, row_id(lago_id, ROOT))
    return one(ROOT, WebhookEndpointOut.of(endpoint))


@put(
    "/webhook_endpoints/{lago_id:str}",
    operation_id="updateWebhookEndpoint",
    opt=Operation(ONE, Takes(ROOT, WebhookEndpointChange), refuses=(400, 404, 413, 422)).opt(),
)
async def update_endpoint(
    unit: NamedDependency[Unit],
    lago_id: FromPath[str],
    payload: NamedDependency[WebhookEndpointChange],
) -> Answer:
    """Change an endpoint."""
    endpoint = await webhooks.update_endpoint(unit, row_id(lago_id, ROOT), payload)
    return one(ROOT, WebhookEndpointOut.of(endpoint))


@delete(
    "/webhook_endpoints/{lago_id:str}",
    operation_id="destroyWebhookEndpoint",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_endpoint(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Remove an endpoint and what was sent to it."""
    endpoint = await webhooks.delete_endpoint(unit, row_id(lago_id, ROOT))
    return one(ROOT, WebhookEndpointOut.of(endpoint))


@get("/webhooks/public_key", operation_id="fetchPublicKey", opt=dict(PUBLIC_KEY))
async def public_key(
    principal: NamedDependency[Principal], settings: NamedDependency[Settings]
) -> Response[str]:
    """Return the base64 of the public key that verifies JWT signatures, as text."""
    _ = principal
    return Response(public_key_base64(settings.rsa_private_key), media_type="text/plain")


@get("/webhooks/json_public_key", operation_id="fetchJsonPublicKey", opt=dict(PUBLIC_KEY))
async def json_public_key(
    principal: NamedDependency[Principal], settings: NamedDependency[Settings]
) -> Answer:
    """Return the base64 of the public key that verifies JWT signatures."""
    _ = principal
    return one("webhook", {"public_key": public_key_base64(settings.rsa_private_key)})


RESOURCE = "webhook_endpoint"
TAG = "webhook_endpoints"
HANDLERS = [
    create_endpoint,
    list_endpoints,
    find_endpoint,
    update_endpoint,
    delete_endpoint,
    public_key,
    json_public_key,
]
