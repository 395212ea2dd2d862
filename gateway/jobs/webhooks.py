"""Webhook jobs: one message per endpoint, then one attempt per promise."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.services import webhooks
from billing_core.store import outbox
from billing_core.store.tables import Outbox
from billing_core.store.unit import WEBHOOK_TOPIC, Unit
from connectors.webhooks.sender import retry_delay
from connectors.webhooks.signing import SigningKeys, headers_for, serialize
from gateway.jobs.parts import Parts


def _share() -> float:
    return secrets.randbelow(1_000_000) / 1_000_000


async def fan_out(parts: Parts, unit: Unit, promise: Outbox) -> None:
    """Store the message for each endpoint that wants it."""
    _ = parts
    await webhooks.fan_out(unit, promise, serialize)


async def deliver(parts: Parts, org_id: UUID, promise: Outbox) -> None:
    """Send a webhook once; record the attempt and promise the next one if it failed."""
    webhook_id = UUID(promise.payload["webhook_id"])
    async with parts.units.read(org_id) as unit:
        delivery = await webhooks.prepare(unit, webhook_id)
    outcome = None
    if delivery is not None:
        keys = SigningKeys(
            algorithm="hmac" if delivery.algorithm == "hmac" else "jwt",
            issuer=parts.settings.public_url or "tallygate",
            hmac_key=delivery.hmac_key,
            rsa_private_key=parts.settings.rsa_private_key,
            signing_secret=delivery.signing_secret,
        )
        timestamp = int(wall_now().timestamp())
        headers = headers_for(keys, str(webhook_id), timestamp, delivery.body)
        outcome = await parts.sender.deliver(delivery.url, delivery.body, headers)
    async with parts.units.open(org_id) as unit:
        locked = await outbox.lock(unit, promise.id)
        if locked is None:
            return
        locked.done_at = wall_now()
        if delivery is None or outcome is None:
            return
        last = delivery.attempt >= parts.settings.webhook_attempts
        wait_seconds = retry_delay(delivery.attempt, _share)
        again = None
        if not outcome.succeeded and not last:
            again = wall_now() + timedelta(seconds=wait_seconds)
        await webhooks.record(
            unit,
            webhook_id,
            succeeded=outcome.succeeded,
            http_status=outcome.status_code,
            response=outcome.response_text,
            error=outcome.error,
            retry_at=again,
        )


TRANSACTIONAL: dict[str, Callable[[Parts, Unit, Outbox], Awaitable[None]]] = {
    WEBHOOK_TOPIC: fan_out
}
TALKING: dict[str, Callable[[Parts, UUID, Outbox], Awaitable[None]]] = {
    webhooks.DELIVER_TOPIC: deliver
}
