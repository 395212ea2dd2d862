"""Whose usage has changed is noticed, looked at once, and lost by nobody who dies or fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from billing_core.clock import wall_now
from billing_core.ports import Activity
from billing_core.services import (
    alerts,
    billable_metrics,
    invoices,
    organizations,
    plans,
    subscriptions,
)
from billing_core.store import activities, catalog, outbox
from billing_core.store.events.sqlite_store import SqliteEventStore
from billing_core.wire.alerts import AlertIn
from billing_core.wire.billable_metrics import BillableMetricIn
from billing_core.wire.codec import encode
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.pages import Page
from billing_core.wire.plans import PlanChange, PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from gateway.auth import Principal
from gateway.core import Core
from gateway.jobs.activity import notice
from gateway.jobs.clock import Clock, lift_clock, run_job, set_clock
from gateway.jobs.perform import NOT_WAITED_FOR, drain, perform
from gateway.serve import prepare
from gateway.settings import Settings

NOW = datetime(2024, 1, 1, tzinfo=UTC)
JOB = "process_subscription_activity"


@dataclass
class Watched:
    """An organization of two subscriptions that are billed from 1.00 on."""

    core: Core
    org_id: UUID

    @classmethod
    async def opened(cls, core: Core) -> "Watched":
        wanted = OrganizationIn.model_validate({"name": "Watched", "sandbox": True})
        organization, _ = await organizations.create(core.units, wanted)
        await set_clock(core.parts, organization.id, NOW, catch_up=False)
        for code in ("good", "bad"):
            async with core.units.open(organization.id) as unit:
                metric = {"name": code, "code": code, "aggregation_type": "count_agg"}
                made = await billable_metrics.create(unit, BillableMetricIn.model_validate(metric))
                await unit.flush()
                charge: dict[str, Any] = {"billable_metric_id": str(made.id)}
                charge |= {"charge_model": "standard", "properties": {"amount": "1"}}
                plan: dict[str, Any] = {"name": code, "code": code, "interval": "monthly"}
                plan |= {"amount_cents": 0, "usage_thresholds": [{"amount_cents": 100}]}
                plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": [charge]}
                await plans.create(unit, PlanIn.model_validate(plan))
                start = {"external_customer_id": code, "external_id": code, "plan_code": code}
                await subscriptions.create(unit, SubscriptionIn.model_validate(start))
        found = cls(core, organization.id)
        await drain(core.parts, organization.id)
        await run_job(core.parts, organization.id, JOB)  # the first look takes in everything
        return found

    async def send(self, name: str, code: str) -> None:
        caller = Principal(
            self.org_id, self.org_id, sandbox=True, frozen_at=NOW, resolve_customer_ids=False
        )
        event = {"transaction_id": name, "external_subscription_id": code, "code": code}
        await self.core.intake.create(caller, encode({"event": event}))

    async def billed(self) -> list[str]:
        """Return whose usage was billed progressively."""
        async with self.core.units.read(self.org_id) as unit:
            found, _ = await invoices.page(unit, {"invoice_type": "progressive_billing"}, Page())
        return sorted(invoice.customer.external_id for invoice in found)

    async def noted(self) -> bool:
        async with self.core.units.read(self.org_id) as unit:
            return await activities.is_waiting(unit)

    async def price(self, code: str, amount: str) -> None:
        """Set a price past all checks."""
        async with self.core.units.open(self.org_id) as unit:
            plan = await catalog.plan_by_code(unit, code)
            assert plan is not None
            plan.charges[0].properties = {"amount": amount}

    async def keep_promises(self, rounds: int) -> None:
        for _ in range(rounds):
            async with self.core.units.read(self.org_id) as unit:
                ids = await outbox.open_ids(unit, NOT_WAITED_FOR, 100)
            for outbox_id in ids:
                await perform(self.core.parts, self.org_id, outbox_id)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with AsyncExitStack() as stack:
        settings = await prepare(Settings.from_environment({}, data_dir=tmp_path), stack)
        core = await Core(settings).open()
        stack.push_async_callback(core.close)
        yield await Watched.opened(core)


async def test_events_are_noticed_once_and_only_where_somebody_watches(watched: Watched) -> None:
    parts = watched.core.parts
    assert not await watched.noted()
    await watched.send("a", "good")
    await watched.send("b", "unknown")
    await asyncio.gather(notice(parts), notice(parts))
    assert await watched.noted()
    await run_job(parts, watched.org_id, JOB)
    assert await watched.billed() == ["good"]
    await notice(parts)
    assert not await watched.noted()


async def test_what_was_noted_before_the_mark_moved_is_looked_at_again(watched: Watched) -> None:
    parts = watched.core.parts
    async with parts.units.system() as session:
        before = await activities.mark(session)
    await watched.send("a", "good")
    await run_job(parts, watched.org_id, JOB)
    async with parts.units.system(write=True) as session:
        await activities.set_mark(session, before)  # as if its owner had died before it moved
    await run_job(parts, watched.org_id, JOB)
    assert await watched.billed() == ["good"]


async def test_the_clock_looks_in_real_time(watched: Watched) -> None:
    parts = watched.core.parts
    await watched.send("a", "good")
    await lift_clock(parts, watched.org_id)
    async with parts.units.open(watched.org_id) as unit:  # this month's usage is another
        kind = {"alert_type": "lifetime_usage_amount", "code": "a", "thresholds": [{"value": 1}]}
        await alerts.create(unit, "good", None, AlertIn.model_validate(kind))
    await Clock(parts.units).tick(wall_now())
    await watched.keep_promises(3)  # the job, the look, and what it leads to
    async with parts.units.read(watched.org_id) as unit:
        found = await alerts.get(unit, "good", None, "a")
    assert found.last_processed_at is not None


async def test_one_that_fails_holds_up_nobody(watched: Watched) -> None:
    await watched.price("bad", "nonsense")
    await watched.send("a", "bad")
    await watched.send("b", "good")
    for _ in range(3):
        try:
            await run_job(watched.core.parts, watched.org_id, JOB)
        except Exception:  # noqa: BLE001, S112 - what is wrong with the price is not the matter
            continue
    assert await watched.billed() == ["good"]
    await watched.price("bad", "2")
    await watched.keep_promises(1)
    assert await watched.billed() == ["bad", "good"]


async def test_nobody_watches_and_nothing_is_remembered(watched: Watched) -> None:
    parts = watched.core.parts
    async with parts.units.open(watched.org_id) as unit:
        for code in ("good", "bad"):
            change = PlanChange.model_validate({"usage_thresholds": []})
            await plans.update(unit, code, change)
    await watched.send("a", "good")
    await notice(parts)
    async with parts.units.system() as session:
        assert await activities.mark(session) is None
    assert not await watched.noted()


class Overtaken(SqliteEventStore):
    """The event store of somebody who is overtaken before the first answer."""

    def __init__(self, inner: SqliteEventStore, overtake: Callable[[], Awaitable[None]]) -> None:
        self.__dict__.update(inner.__dict__)
        self._overtakings = [overtake]

    async def activity(self, after: int | None, limit: int) -> Activity:
        """Let the others go first."""
        if self._overtakings:
            await self._overtakings.pop()()
        return await super().activity(after, limit)


async def test_who_begins_to_watch_during_a_look_is_not_passed_over(watched: Watched) -> None:
    others: list[Watched] = []

    async def begin() -> None:
        others.append(await Watched.opened(watched.core))
        await others[0].send("a", "good")

    store = watched.core.events
    assert isinstance(store, SqliteEventStore)
    await notice(replace(watched.core.parts, events=Overtaken(store, begin)))
    assert await others[0].noted()
