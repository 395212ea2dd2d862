"""Queries about webhook endpoints, webhooks and their attempts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select

from billing_core.store.pages import page_of
from billing_core.store.tables import Webhook, WebhookAttempt, WebhookEndpoint
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


def add(unit: Unit, row: WebhookEndpoint | Webhook | WebhookAttempt) -> None:
    """Put a new row in the unit."""
    unit.session.add(row)


async def endpoints(unit: Unit) -> list[WebhookEndpoint]:
    """Return all endpoints, oldest first."""
    rows = await unit.session.scalars(
        select(WebhookEndpoint).order_by(WebhookEndpoint.created_at, WebhookEndpoint.id)
    )
    return list(rows)


async def endpoints_page(unit: Unit, page: Page) -> tuple[list[WebhookEndpoint], int]:
    """List endpoints, newest first."""
    order = (WebhookEndpoint.created_at.desc(), WebhookEndpoint.id.desc())
    return await page_of(unit, select(WebhookEndpoint), page, *order)


async def endpoint(unit: Unit, endpoint_id: UUID) -> WebhookEndpoint | None:
    """Find an endpoint."""
    return await unit.session.scalar(
        select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    )


async def count_endpoints(unit: Unit) -> int:
    """Return how many endpoints there are."""
    return await unit.session.scalar(select(func.count()).select_from(WebhookEndpoint)) or 0


async def drop_endpoint(unit: Unit, endpoint_id: UUID) -> None:
    """Delete an endpoint and everything sent to it."""
    sent = select(Webhook.id).where(Webhook.endpoint_id == endpoint_id)
    await unit.session.execute(delete(WebhookAttempt).where(WebhookAttempt.webhook_id.in_(sent)))
    await unit.session.execute(delete(Webhook).where(Webhook.endpoint_id == endpoint_id))
    await unit.session.execute(delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id))


async def webhook(unit: Unit, webhook_id: UUID) -> Webhook | None:
    """Find a webhook."""
    return await unit.session.scalar(select(Webhook).where(Webhook.id == webhook_id))


async def page(unit: Unit, wanted: Page) -> tuple[list[Webhook], int]:
    """List webhooks, newest first."""
    order = (Webhook.created_at.desc(), Webhook.id.desc())
    return await page_of(unit, select(Webhook), wanted, *order)


async def attempts(unit: Unit, webhook_id: UUID) -> list[WebhookAttempt]:
    """Return the attempts of a webhook in order."""
    rows = await unit.session.scalars(
        select(WebhookAttempt)
        .where(WebhookAttempt.webhook_id == webhook_id)
        .order_by(WebhookAttempt.attempt)
    )
    return list(rows)


async def drop_older_than(unit: Unit, before: datetime) -> None:
    """Delete webhooks that were last touched before an instant."""
    old = select(Webhook.id).where(Webhook.updated_at < before)
    await unit.session.execute(delete(WebhookAttempt).where(WebhookAttempt.webhook_id.in_(old)))
    await unit.session.execute(delete(Webhook).where(Webhook.updated_at < before))
