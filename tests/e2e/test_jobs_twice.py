"""Every job may run twice: messages come at least once, effects exactly once (house rule 10)."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from billing_core.services import clocks, invoices, organizations, plans, subscriptions, webhooks
from billing_core.services.invariants import violations
from billing_core.store import outbox
from billing_core.store import webhooks as webhook_store
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.pages import Page
from billing_core.wire.plans import PlanChange, PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from billing_core.wire.webhook_endpoints import WebhookEndpointIn
from gateway.core import Core
from gateway.jobs.clock import set_clock
from gateway.jobs.perform import NOT_WAITED_FOR, perform
from gateway.serve import prepare
from gateway.settings import Settings


async def keep_each_twice(core: Core, org_id: UUID) -> int:
    """Keep what is promised, and what follows from it, each promise two times."""
    kept = 0
    while True:
        async with core.units.read(org_id) as unit:
            ids = await outbox.open_ids(unit, NOT_WAITED_FOR, 100)
        if not ids:
            return kept
        for outbox_id in ids:
            await perform(core.parts, org_id, outbox_id)
            await perform(core.parts, org_id, outbox_id)
        kept += len(ids)


async def test_messages_that_come_twice_have_one_effect(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        settings = await prepare(Settings.from_environment({}, data_dir=tmp_path), stack)
        core = await Core(settings).open()
        stack.push_async_callback(core.close)
        wanted = OrganizationIn.model_validate({"name": "Twice", "sandbox": True})
        organization, _ = await organizations.create(core.units, wanted)
        await set_clock(
            core.parts, organization.id, datetime(2024, 1, 1, tzinfo=UTC), catch_up=False
        )
        async with core.units.open(organization.id) as unit:
            plan = {"name": "Base", "code": "base", "interval": "monthly", "amount_cents": 1000}
            plan |= {"amount_currency": "EUR", "pay_in_advance": False}
            await plans.create(unit, PlanIn.model_validate(plan))
            start: dict[str, Any] = {"external_customer_id": "ann", "external_id": "s1"}
            start |= {"plan_code": "base", "plan_overrides": {"name": "Ann's"}}
            await subscriptions.create(unit, SubscriptionIn.model_validate(start))
            dearer = PlanChange.model_validate({"amount_cents": 1100, "cascade_updates": True})
            await plans.update(unit, "base", dearer)
            endpoint = {"webhook_url": "https://receiver.example/", "event_types": ["*"]}
            await webhooks.create_endpoint(
                unit, core.events, WebhookEndpointIn.model_validate(endpoint)
            )
        await keep_each_twice(core, organization.id)
        now = datetime(2024, 2, 1, 0, 10, tzinfo=UTC)
        await set_clock(core.parts, organization.id, now, catch_up=False)
        bill = clocks.job_named("bill_customers").work
        assert bill is not None
        for _ in range(2):  # the clock ticked twice before the first shard was looked at
            async with core.units.open(organization.id) as unit:
                await bill(unit, core.events)
        assert await keep_each_twice(core, organization.id) > 2
        async with core.units.read(organization.id) as unit:
            found, total = await invoices.page(unit, {}, Page())
            told, _ = await webhook_store.page(unit, Page())
            assert await violations(unit) == []
    assert total == 1
    assert [(one.number[-7:], one.status, one.total_amount_cents) for one in found] == [
        ("001-001", "finalized", 1100)
    ]
    assert found[0].file_id is not None
    assert sorted(one.webhook_type for one in told) == [
        "invoice.created",
        "invoice.generated",
        "plan.created",
        "plan.updated",
        "subscription.started",
    ]
