"""A scheduled job that was promised twice may run twice at the same time, with the effect of one.

On SQLite one writer follows the other; here PostgreSQL lets both begin.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from billing_core.services import (
    billing_run,
    organizations,
    plans,
    subscription_end,
    subscriptions,
)
from billing_core.store.columns import KEYRING
from billing_core.store.events.opening import open_log
from billing_core.store.tables import Outbox, Row, WebhookEndpoint
from billing_core.store.unit import Unit, Units, engines_for
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.plans import PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from tests.conftest import asyncpg_url
from tests.support.postgres import fresh_database

SIGNED_ON = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = datetime(2026, 3, 17, 9, tzinfo=UTC)
ENDING_AT = "2026-04-01T00:00:00Z"  # 15 days later
START_AT = "2026-03-17T00:00:00Z"


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with fresh_database() as url:
        yield asyncpg_url(url)


@pytest.fixture
async def units(database_url: str) -> AsyncIterator[Units]:
    KEYRING.use([Fernet.generate_key().decode()])
    found = Units(engines_for(database_url))
    async with found.engines.write.begin() as connection:
        await connection.run_sync(Row.metadata.create_all)
    yield found
    await found.engines.dispose()


@pytest.fixture
async def org_id(units: Units) -> UUID:
    """Return an organization that sells one plan in advance, and wants to know everything."""
    wanted = OrganizationIn.model_validate({"name": "Twice at once"})
    organization, _ = await organizations.create(units, wanted)
    async with units.open(organization.id) as unit:
        plan = {"name": "P", "code": "p", "interval": "monthly", "amount_cents": 1000}
        plan |= {"amount_currency": "EUR", "pay_in_advance": True}
        await plans.create(unit, PlanIn.model_validate(plan))
        unit.session.add(
            WebhookEndpoint(
                org_id=unit.org_id,
                created_at=SIGNED_ON,
                updated_at=SIGNED_ON,
                webhook_url="https://receiver.example/",
                signing_secret="whsec_",  # noqa: S106 - nothing is sent
            )
        )
    return organization.id


async def subscribe(units: Units, org_id: UUID, **fields: str) -> None:
    """Let somebody sign on, in March."""
    async with units.open(org_id) as unit:
        unit.now = SIGNED_ON
        wanted = {"external_customer_id": "ann", "external_id": "s1", "plan_code": "p", **fields}
        await subscriptions.create(unit, SubscriptionIn.model_validate(wanted))


async def run_at_once(
    units: Units, org_id: UUID, job: Callable[[Unit], Awaitable[None]]
) -> list[str]:
    """Run a job three times at once, half a month later; return what was promised.

    Webhooks are named by their type.
    """
    async with units.system(write=True) as session:
        for row in await session.scalars(select(Outbox).where(Outbox.org_id == org_id)):
            await session.delete(row)
    start = asyncio.Barrier(3)

    async def once() -> None:
        async with units.open(org_id) as unit:
            unit.now = LATER
            await start.wait()
            await job(unit)

    await asyncio.gather(*(once() for _ in range(3)))
    async with units.system() as session:
        rows = list(await session.scalars(select(Outbox).where(Outbox.org_id == org_id)))
    return sorted(row.payload.get("webhook_type", row.topic) for row in rows)


async def test_a_start_is_billed_once(units: Units, org_id: UUID) -> None:
    await subscribe(units, org_id, subscription_at=START_AT)
    promised = await run_at_once(units, org_id, subscriptions.activate_due)
    assert promised == [subscription_end.INVOICE_TOPIC, "subscription.started"]


async def test_an_end_is_announced_once(units: Units, org_id: UUID) -> None:
    await subscribe(units, org_id, ending_at=ENDING_AT)
    promised = await run_at_once(units, org_id, subscription_end.announce_ends)
    assert promised == ["subscription.termination_alert"]


async def test_an_end_is_billed_once(units: Units, org_id: UUID) -> None:
    await subscribe(units, org_id, ending_at="2026-03-17T00:00:00Z")
    promised = await run_at_once(units, org_id, subscription_end.terminate_ended)
    assert promised == [subscription_end.INVOICE_TOPIC, "subscription.terminated"]


async def test_an_invoice_is_announced_as_overdue_once(
    units: Units, org_id: UUID, database_url: str, tmp_path: Path
) -> None:
    await subscribe(units, org_id)
    events, _ = open_log(database_url, tmp_path / "events.db")  # asked nothing: there is no usage
    async with units.open(org_id) as unit:
        unit.now = SIGNED_ON
        found = select(Outbox).where(Outbox.topic == subscription_end.INVOICE_TOPIC)
        for promise in await unit.session.scalars(found):
            await billing_run.bill_now(unit, events, promise.payload)
    promised = await run_at_once(units, org_id, billing_run.mark_overdue)
    assert promised == ["invoice.payment_overdue"]
