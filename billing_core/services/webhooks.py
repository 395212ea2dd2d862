"""Webhook endpoints, and the delivery of what was promised to them."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.domain.errors import Invalid, NotFound
from billing_core.ports import EventStore
from billing_core.services import event_checks
from billing_core.store import webhooks
from billing_core.store.tables import Outbox, Webhook, WebhookAttempt, WebhookEndpoint
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.webhook_endpoints import (
    WEBHOOK_TYPES,
    WebhookEndpointChange,
    WebhookEndpointIn,
)

DELIVER_TOPIC = "webhook.deliver"
MOST_ENDPOINTS = 10
LONGEST_RESPONSE = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything one attempt needs, read before the network is touched."""

    webhook_id: UUID
    url: str
    algorithm: str
    hmac_key: str
    signing_secret: str
    body: bytes
    attempt: int


async def create_endpoint(
    unit: Unit, events: EventStore, data: WebhookEndpointIn
) -> WebhookEndpoint:
    """Register an endpoint (`docs/rules/money.md` 6.1.7)."""
    others = await webhooks.count_endpoints(unit)
    if others >= MOST_ENDPOINTS:
        raise Invalid.field("base", "exceeded_limit")
    _check_url(data.webhook_url)
    await _refuse_known(unit, data.webhook_url, None)
    endpoint = WebhookEndpoint(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        webhook_url=data.webhook_url,
        signature_algo=data.signature_algo or "jwt",
        signing_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        name=data.name,
        event_types=_types(data.event_types),
    )
    webhooks.add(unit, endpoint)
    await unit.flush()
    if not others:
        await event_checks.begin(unit, events)
    return endpoint


async def get_endpoint(unit: Unit, endpoint_id: UUID) -> WebhookEndpoint:
    """Return an endpoint, or refuse."""
    endpoint = await webhooks.endpoint(unit, endpoint_id)
    if endpoint is None:
        raise NotFound("webhook_endpoint")
    return endpoint


async def endpoints_page(unit: Unit, wanted: Page) -> tuple[list[WebhookEndpoint], int]:
    """List endpoints."""
    return await webhooks.endpoints_page(unit, wanted)


async def update_endpoint(
    unit: Unit, endpoint_id: UUID, data: WebhookEndpointChange
) -> WebhookEndpoint:
    """Change an endpoint; its signing secret stays."""
    endpoint = await get_endpoint(unit, endpoint_id)
    given = data.given()
    if data.webhook_url is not None:
        _check_url(data.webhook_url)
        await _refuse_known(unit, data.webhook_url, endpoint.id)
        endpoint.webhook_url = data.webhook_url
    if data.signature_algo is not None:
        endpoint.signature_algo = data.signature_algo
    if "name" in given:
        endpoint.name = data.name
    if "event_types" in given:
        endpoint.event_types = _types(data.event_types)
    endpoint.updated_at = unit.now
    return endpoint


async def delete_endpoint(unit: Unit, endpoint_id: UUID) -> WebhookEndpoint:
    """Remove an endpoint and what was sent to it."""
    endpoint = await get_endpoint(unit, endpoint_id)
    await webhooks.drop_endpoint(unit, endpoint_id)
    return endpoint


async def fan_out(unit: Unit, promise: Outbox, serialize: Any) -> None:
    """Turn a promised event into one webhook per subscribed endpoint, once."""
    payload = promise.payload
    webhook_type, object_type = payload["webhook_type"], payload["object_type"]
    body = serialize(
        {
            "webhook_type": webhook_type,
            "object_type": object_type,
            "organization_id": str(unit.org_id),
            object_type: payload["object"],
        }
    )
    wall = wall_now()
    for endpoint in await webhooks.endpoints(unit):
        if not _wants(endpoint, webhook_type):
            continue
        row = Webhook(
            org_id=unit.org_id,
            created_at=wall,
            updated_at=wall,
            endpoint_id=endpoint.id,
            outbox_id=promise.id,
            webhook_type=webhook_type,
            object_type=object_type,
            body=body,
        )
        webhooks.add(unit, row)
        unit.promise(DELIVER_TOPIC, {"webhook_id": str(row.id)})


async def prepare(unit: Unit, webhook_id: UUID) -> Delivery | None:
    """Read what a delivery needs; None when it is done or its endpoint is gone."""
    row = await webhooks.webhook(unit, webhook_id)
    if row is None or row.status in {"succeeded", "failed"}:
        return None
    endpoint = await webhooks.endpoint(unit, row.endpoint_id)
    if endpoint is None:
        return None
    return Delivery(
        webhook_id=row.id,
        url=endpoint.webhook_url,
        algorithm=endpoint.signature_algo,
        hmac_key=unit.org.hmac_key,
        signing_secret=endpoint.signing_secret,
        body=row.body,
        attempt=row.retries + 1,
    )


async def record(  # noqa: PLR0913 - what one attempt yields
    unit: Unit,
    webhook_id: UUID,
    *,
    succeeded: bool,
    http_status: int | None,
    response: str | None,
    error: str | None,
    retry_at: datetime | None,
) -> None:
    """Store an attempt; with `retry_at` another one is promised (6.1.5)."""
    row = await webhooks.webhook(unit, webhook_id)
    if row is None:
        return
    wall = wall_now()
    row.retries += 1
    row.http_status = http_status
    row.response = (error or response or "")[:LONGEST_RESPONSE]
    row.last_retried_at = wall
    row.updated_at = wall
    row.status = "succeeded" if succeeded else "retrying" if retry_at else "failed"
    webhooks.add(
        unit,
        WebhookAttempt(
            org_id=unit.org_id,
            created_at=wall,
            webhook_id=row.id,
            attempt=row.retries,
            http_status=http_status,
            response=response and response[:LONGEST_RESPONSE],
            error=error,
        ),
    )
    if retry_at is not None:
        unit.promise(DELIVER_TOPIC, {"webhook_id": str(row.id)}, due_at=retry_at)


def _wants(endpoint: WebhookEndpoint, webhook_type: str) -> bool:
    types = endpoint.event_types
    return types is None or "*" in types or webhook_type in types


def _types(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise Invalid.field("event_types", "must_be_array")
    names = list(dict.fromkeys(str(name).strip().lower() for name in value))
    if names == ["*"]:
        return None
    if any(name not in WEBHOOK_TYPES for name in names):
        raise Invalid.field("event_types", "invalid_types")
    return names


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        valid = False
    if not valid:
        raise Invalid.field("webhook_url", "url_is_invalid")


async def _refuse_known(unit: Unit, url: str, own: UUID | None) -> None:
    for endpoint in await webhooks.endpoints(unit):
        if endpoint.webhook_url == url and endpoint.id != own:
            raise Invalid.field("webhook_url", "value_already_exist")
