"""Charges in advance are charged exactly once, whoever dies or hurries in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from billing_core.clock import wall_now
from billing_core.domain.errors import Unavailable
from billing_core.ports import DueEvent
from billing_core.services import billable_metrics, fees, organizations, plans, subscriptions
from billing_core.store import catalog, outbox
from billing_core.store.events.sqlite_store import SqliteEventStore
from billing_core.wire.billable_metrics import BillableMetricIn
from billing_core.wire.codec import encode
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.pages import Page
from billing_core.wire.plans import PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from gateway.auth import Principal
from gateway.core import Core
from gateway.jobs.advance import charge_due
from gateway.jobs.clock import Clock, lift_clock, run_job, set_clock
from gateway.jobs.perform import NOT_WAITED_FOR, drain, perform
from gateway.serve import prepare
from gateway.settings import Settings
from tests.support.billing import usage_event
from tests.support.gateway import Gateway
from tests.support.waiting import until

NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Mortal(SqliteEventStore):
    """The event store of somebody who dies when the fees are made, before saying so."""

    def __init__(self, inner: SqliteEventStore, deaths: int) -> None:
        self.__dict__.update(inner.__dict__)
        self._deaths = deaths

    async def settle_due(self, orders: Iterable[int]) -> None:
        """Die, then live."""
        if self._deaths:
            self._deaths -= 1
            raise Unavailable
        await super().settle_due(orders)


class Shop:
    """An organization that sells two metrics in advance, each by a plan of its own."""

    def __init__(self, core: Core, org_id: UUID) -> None:
        self.core = core
        self.org_id = org_id
        self._caller = Principal(
            org_id, org_id, sandbox=True, frozen_at=NOW, resolve_customer_ids=False
        )

    @classmethod
    async def opened(cls, core: Core) -> "Shop":
        wanted = OrganizationIn.model_validate({"name": "Once", "sandbox": True})
        organization, _ = await organizations.create(core.units, wanted)
        await set_clock(core.parts, organization.id, NOW, catch_up=False)
        shop = cls(core, organization.id)
        for code in ("good", "bad"):
            await shop.sell(code)
        await drain(core.parts, organization.id)
        return shop

    async def sell(self, code: str) -> None:
        """Sell a metric in advance, by a plan of its own."""
        async with self.core.units.open(self.org_id) as unit:
            metric = {"name": code, "code": code, "aggregation_type": "count_agg"}
            made = await billable_metrics.create(unit, BillableMetricIn.model_validate(metric))
            await unit.flush()
            charge: dict[str, Any] = {"billable_metric_id": str(made.id)}
            charge |= {"charge_model": "standard", "properties": {"amount": "1"}}
            charge |= {"pay_in_advance": True, "invoiceable": False}
            plan: dict[str, Any] = {"name": code, "code": code, "interval": "monthly"}
            plan["amount_cents"] = 0
            plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": [charge]}
            await plans.create(unit, PlanIn.model_validate(plan))
            start = {"external_customer_id": code, "external_id": code, "plan_code": code}
            await subscriptions.create(unit, SubscriptionIn.model_validate(start))

    async def send(self, name: str, code: str, core: Core | None = None) -> None:
        """Send an event through this process or another one."""
        event = {"transaction_id": name, "external_subscription_id": code, "code": code}
        await (core or self.core).intake.create(self._caller, encode({"event": event}))

    async def charged(self) -> list[str]:
        """Return the transaction ids of all fees."""
        async with self.core.units.read(self.org_id) as unit:
            found, _ = await fees.page(unit, {}, Page())
        return sorted(fee.event_transaction_id or "" for fee in found)

    async def price(self, code: str, amount: str) -> None:
        """Set a price past all checks."""
        async with self.core.units.open(self.org_id) as unit:
            plan = await catalog.plan_by_code(unit, code)
            assert plan is not None
            plan.charges[0].properties = {"amount": amount}

    async def due(self) -> list[DueEvent]:
        return await self.core.events.due(10)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        settings = await prepare(Settings.from_environment({}, data_dir=tmp_path), stack)
        core = await Core(settings).open()
        stack.push_async_callback(core.close)
        yield await Shop.opened(core)


async def test_events_that_come_again_find_their_fees_made(shop: Shop) -> None:
    for name in ("a", "b", "c"):
        await shop.send(name, "good")
    store = shop.core.events
    assert isinstance(store, SqliteEventStore)
    parts = replace(shop.core.parts, events=Mortal(store, deaths=1))
    with pytest.raises(Unavailable):
        await charge_due(parts)
    assert await shop.charged() == ["a", "b", "c"]
    assert len(await shop.due()) == 3
    await charge_due(parts)
    assert await shop.charged() == ["a", "b", "c"]
    assert await shop.due() == []


async def test_two_who_deal_with_the_same_events_make_one_fee_each(shop: Shop) -> None:
    for name in ("a", "b", "c"):
        await shop.send(name, "good")
    await asyncio.gather(*(charge_due(shop.core.parts) for _ in range(3)))
    assert await shop.charged() == ["a", "b", "c"]


async def test_what_one_process_sells_is_charged_when_another_takes_the_event(shop: Shop) -> None:
    another = await Core(shop.core.settings).open()
    try:
        await shop.send("first", "good", another)  # now it knows the rules for a second
        await shop.sell("new")
        await shop.send("second", "new", another)
        assert [one.event.transaction_id for one in await shop.due()] == ["first", "second"]
    finally:
        await another.close()


async def test_an_event_that_fails_holds_up_nobody(shop: Shop) -> None:
    await shop.price("bad", "nonsense")
    await shop.send("a", "good")
    await shop.send("b", "bad")
    await shop.send("c", "good")
    await charge_due(shop.core.parts)
    assert await shop.charged() == ["a", "c"]
    assert await shop.due() == []
    await shop.price("bad", "2")
    await drain(shop.core.parts, shop.org_id)
    assert await shop.charged() == ["a", "b", "c"]


async def test_the_sweep_finds_what_nobody_asked_for(shop: Shop) -> None:
    await shop.send("a", "good")
    assert len(await shop.due()) == 1
    await run_job(shop.core.parts, shop.org_id, "charge_in_advance")
    assert await shop.charged() == ["a"]


async def test_the_clock_sweeps_in_real_time(shop: Shop) -> None:
    parts, org_id = shop.core.parts, shop.org_id
    await shop.send("a", "good")
    await lift_clock(parts, org_id)
    await Clock(parts.units).tick(wall_now())
    for _ in range(2):  # the job, then what it promises
        async with parts.units.read(org_id) as unit:
            ids = await outbox.open_ids(unit, NOT_WAITED_FOR, 100)
        for outbox_id in ids:
            await perform(parts, org_id, outbox_id)
    assert await shop.charged() == ["a"]


def test_a_killed_gateway_charges_each_event_once(tmp_path: Path) -> None:
    with Gateway(tmp_path / "data") as gateway:
        org = gateway.organization(sandbox=False)
        metric: dict[str, Any] = {"name": "n", "code": "usage", "aggregation_type": "count_agg"}
        made = org.post("/billable_metrics", {"billable_metric": metric})["billable_metric"]
        charge = {
            "billable_metric_id": made["lago_id"],
            "charge_model": "graduated",
            "pay_in_advance": True,
            "invoiceable": False,
            "properties": {
                "graduated_ranges": [
                    {"from_value": 0, "to_value": 150, "per_unit_amount": "1", "flat_amount": "5"},
                    {"from_value": 151, "to_value": None, "per_unit_amount": "2"}
                    | {"flat_amount": "0"},
                ]
            },
        }
        plan = {"name": "p", "code": "p", "interval": "yearly", "amount_cents": 0}
        plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": [charge]}
        org.post("/plans", {"plan": plan})
        start = {"external_customer_id": "c", "external_id": "s1", "plan_code": "p"}
        org.post("/subscriptions", {"subscription": start})

        def made_fees() -> int:
            return int(org.get("/fees?per_page=1")["meta"]["total_count"])

        for batch in range(3):
            events = [usage_event(f"{batch}-{number}") for number in range(100)]
            org.post("/events/batch", {"events": events})
        until(lambda: made_fees() > 0, "no event is charged")
        gateway.kill()
        gateway.start()
        until(lambda: made_fees() >= 300, "events are not charged")
        found = org.get("/fees?per_page=1000")["fees"]
        assert len({fee["event_transaction_id"] for fee in found}) == len(found) == 300
        assert sum(fee["amount_cents"] for fee in found) == 500 + 150 * 100 + 150 * 200
        gateway.verify()
