"""Billing that comes late, or in another order than it was promised: the money is the same."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from billing_core.services import (
    clocks,
    credit_notes,
    invoices,
    organizations,
    plans,
    subscriptions,
)
from billing_core.services.invariants import violations
from billing_core.services.takeovers import UPGRADE_TOPIC
from billing_core.store import outbox
from billing_core.store.tables import Subscription
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.pages import Page
from billing_core.wire.plans import PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from gateway.core import Core
from gateway.jobs.clock import run_job
from gateway.jobs.perform import NOT_WAITED_FOR, drain, perform
from gateway.serve import prepare
from gateway.settings import Settings


@dataclass(frozen=True)
class Sandbox:
    """An organization whose time passes without anything being done in it."""

    core: Core
    org_id: UUID

    async def wait_until(self, day: str) -> None:
        """Let time pass until five in the morning of a day."""
        async with self.core.units.open(self.org_id) as unit:
            at = datetime.fromisoformat(day).replace(hour=5, tzinfo=UTC)
            await clocks.freeze(unit, at, jump=False)

    async def add_plans(self, *, pay_in_advance: bool) -> None:
        """Create p1, p2 and p3: 31.00, 62.00 and 93.00 a month."""
        async with self.core.units.open(self.org_id) as unit:
            for number in (1, 2, 3):
                plan = {"name": "P", "code": f"p{number}", "amount_cents": 3100 * number}
                plan |= {"interval": "monthly", "amount_currency": "EUR"}
                plan |= {"pay_in_advance": pay_in_advance}
                await plans.create(unit, PlanIn.model_validate(plan))

    async def ask_for(self, plan_code: str) -> None:
        """Subscribe to a plan or change to it, and leave what is promised alone."""
        wanted = {"external_customer_id": "ann", "external_id": "s1", "plan_code": plan_code}
        async with self.core.units.open(self.org_id) as unit:
            await subscriptions.create(unit, SubscriptionIn.model_validate(wanted))

    async def upgrades(self) -> list[UUID]:
        """Return the promised upgrades that are not billed yet, the first one first."""
        async with self.core.units.open(self.org_id) as unit:
            ids = await outbox.open_ids(unit, NOT_WAITED_FOR, 100)
            found = [await outbox.lock(unit, one) for one in ids]
        return [one.id for one in found if one is not None and one.topic == UPGRADE_TOPIC]

    async def bill(self) -> None:
        """Run the biller once, and what follows from it."""
        await run_job(self.core.parts, self.org_id, "bill_customers")

    async def current(self) -> Subscription:
        """Return the active subscription."""
        async with self.core.units.read(self.org_id) as unit:
            return await subscriptions.get(unit, "s1")

    async def invoiced(self) -> list[int]:
        """Return the fees of every invoice in minor units, the first one first."""
        async with self.core.units.read(self.org_id) as unit:
            found, _ = await invoices.page(unit, {}, Page())
            assert await violations(unit) == []
        ordered = sorted(found, key=lambda one: one.sequential_id or 0)
        return [one.fees_amount_cents for one in ordered]

    async def credited(self) -> list[int]:
        """Return the totals of the credit notes in minor units, the smallest first."""
        async with self.core.units.read(self.org_id) as unit:
            found, _ = await credit_notes.page(unit, {}, Page())
        return sorted(one.total_amount_cents for one in found)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Return an organization of its own, on the first of January."""
    async with AsyncExitStack() as stack:
        settings = await prepare(Settings.from_environment({}, data_dir=tmp_path), stack)
        core = await Core(settings).open()
        stack.push_async_callback(core.close)
        wanted = OrganizationIn.model_validate({"name": "Late", "sandbox": True})
        organization, _ = await organizations.create(core.units, wanted)
        found = Sandbox(core, organization.id)
        await found.wait_until("2026-01-01")
        yield found


@pytest.mark.parametrize("is_reversed", [False, True])
async def test_two_upgrades_are_billed_in_any_order(sandbox: Sandbox, *, is_reversed: bool) -> None:
    await sandbox.add_plans(pay_in_advance=True)
    await sandbox.ask_for("p1")
    await drain(sandbox.core.parts, sandbox.org_id)
    for day, code in (("2026-01-11", "p2"), ("2026-01-21", "p3")):
        await sandbox.wait_until(day)
        await sandbox.ask_for(code)
    ids = await sandbox.upgrades()
    assert len(ids) == 2
    for outbox_id in reversed(ids) if is_reversed else ids:
        await perform(sandbox.core.parts, sandbox.org_id, outbox_id)
        await perform(sandbox.core.parts, sandbox.org_id, outbox_id)
    await drain(sandbox.core.parts, sandbox.org_id)
    # a month of 31 days: p1 from the 1st, p2 from the 11th, p3 from the 21st, each to its end
    assert sorted(await sandbox.invoiced()) == [3100, 3300, 4200]
    assert await sandbox.credited() == [2100, 2200]


@pytest.mark.parametrize("pay_in_advance", [False, True])
async def test_14_2_missed_days_and_today_are_billed_at_once(
    sandbox: Sandbox, *, pay_in_advance: bool
) -> None:
    await sandbox.add_plans(pay_in_advance=pay_in_advance)
    await sandbox.ask_for("p1")
    await drain(sandbox.core.parts, sandbox.org_id)
    await sandbox.wait_until("2026-04-01")
    await sandbox.bill()
    assert await sandbox.invoiced() == [3100] * (4 if pay_in_advance else 3)


@pytest.mark.parametrize(
    ("pay_in_advance", "invoiced", "credited"),
    [
        # January and February, 11 of 31 days of March, and at the month's end the rest of it
        (False, [3100, 3100, 1100, 4000], []),
        # January to March, then the rest of March, whose unused days are credited, and April
        (True, [3100, 3100, 3100, 4000, 6200], [2000]),
    ],
)
async def test_an_upgrade_after_missed_days(
    sandbox: Sandbox, *, pay_in_advance: bool, invoiced: list[int], credited: list[int]
) -> None:
    await sandbox.add_plans(pay_in_advance=pay_in_advance)
    await sandbox.ask_for("p1")
    await drain(sandbox.core.parts, sandbox.org_id)
    await sandbox.wait_until("2026-03-12")
    await sandbox.ask_for("p2")
    await drain(sandbox.core.parts, sandbox.org_id)
    await sandbox.wait_until("2026-04-01")
    await sandbox.bill()
    assert await sandbox.invoiced() == invoiced
    assert await sandbox.credited() == credited


async def test_a_downgrade_takes_over_on_the_day_it_should_have(sandbox: Sandbox) -> None:
    await sandbox.add_plans(pay_in_advance=False)
    await sandbox.ask_for("p2")
    await sandbox.ask_for("p1")
    await sandbox.wait_until("2026-03-12")
    await sandbox.bill()
    assert (await sandbox.current()).started_at == datetime(2026, 2, 1, tzinfo=UTC)
    await sandbox.bill()
    assert await sandbox.invoiced() == [6200, 3100]


async def test_a_downgrade_leaves_missed_days_to_the_old_plan(sandbox: Sandbox) -> None:
    await sandbox.add_plans(pay_in_advance=False)
    await sandbox.ask_for("p2")
    await sandbox.wait_until("2026-02-12")
    await sandbox.ask_for("p1")
    await sandbox.bill()
    assert (await sandbox.current()).started_at == datetime(2026, 1, 1, 5, tzinfo=UTC)
    await sandbox.wait_until("2026-03-01")
    await sandbox.bill()
    assert (await sandbox.current()).started_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert await sandbox.invoiced() == [6200, 6200]
