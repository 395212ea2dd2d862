"""From when a change of a fixed charge's units counts for the subscriptions that run."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from billing_core.services import (
    add_ons,
    organizations,
    plan_fixed_charges,
    plans,
    subscriptions,
)
from billing_core.store.tables import FixedChargeOverride, FixedChargeUnits, Subscription
from billing_core.wire.add_ons import AddOnIn
from billing_core.wire.fixed_charges import FixedChargeIn
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.plans import PlanChange, PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from gateway.core import Core
from gateway.jobs.clock import set_clock
from gateway.serve import prepare
from gateway.settings import Settings

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
NEXT_MONTH = datetime(2026, 2, 1, tzinfo=UTC)
NEXT_ANNIVERSARY = datetime(2026, 2, 10, tzinfo=UTC)


class Catalogue:
    """An organization whose plan has two active subscriptions and one that begins later."""

    def __init__(self, core: Core, org_id: UUID) -> None:
        self.core = core
        self.org_id = org_id

    async def change(self, code: str | None, **fields: Any) -> UUID:
        """Create (without a code) or change a fixed charge of the plan; return its id."""
        data = FixedChargeIn.model_validate(fields)
        async with self.core.units.open(self.org_id) as unit:
            if code is None:
                return (await plan_fixed_charges.create(unit, "base", data)).id
            return (await plan_fixed_charges.update(unit, "base", code, data)).id

    async def units(self) -> set[tuple[str, Decimal, datetime]]:
        """Return which subscription has how many units from when, and forget it."""
        async with self.core.units.open(self.org_id) as unit:
            rows = await unit.session.execute(
                select(FixedChargeUnits, Subscription.external_id).join(
                    Subscription, Subscription.id == FixedChargeUnits.subscription_id
                )
            )
            found = {(name, row.units, row.effective_at) for row, name in rows}
            for (row,) in await unit.session.execute(select(FixedChargeUnits)):
                await unit.session.delete(row)
        return found


@pytest.fixture
async def catalogue(tmp_path: Path) -> AsyncIterator[Catalogue]:
    async with AsyncExitStack() as stack:
        settings = await prepare(Settings.from_environment({}, data_dir=tmp_path), stack)
        core = await Core(settings).open()
        stack.push_async_callback(core.close)
        wanted = OrganizationIn.model_validate({"name": "Units", "sandbox": True})
        organization, _ = await organizations.create(core.units, wanted)
        await set_clock(core.parts, organization.id, NOW, catch_up=False)
        async with core.units.open(organization.id) as unit:
            add_on = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
            await add_ons.create(unit, AddOnIn.model_validate(add_on))
            plan = {"name": "Base", "code": "base", "interval": "monthly", "amount_cents": 0}
            plan |= {"amount_currency": "EUR", "pay_in_advance": False}
            await plans.create(unit, PlanIn.model_validate(plan))
            for name, start, billing_time in (
                ("calendar", "2026-01-10T00:00:00Z", "calendar"),
                ("anniversary", "2026-01-10T00:00:00Z", "anniversary"),
                ("later", "2026-03-01T00:00:00Z", "calendar"),
            ):
                data = {"external_customer_id": "ann", "external_id": name, "plan_code": "base"}
                data |= {"subscription_at": start, "billing_time": billing_time}
                await subscriptions.create(unit, SubscriptionIn.model_validate(data))
        yield Catalogue(core, organization.id)


def seats(**fields: Any) -> dict[str, Any]:
    return {"add_on_code": "seat", "charge_model": "standard", "units": 10, **fields}


async def test_units_count_from_the_next_period_on(catalogue: Catalogue) -> None:
    await catalogue.change(None, **seats())
    assert await catalogue.units() == {
        ("calendar", Decimal(10), NEXT_MONTH),
        ("anniversary", Decimal(10), NEXT_ANNIVERSARY),
    }
    await catalogue.change("seat", units="12.5")
    assert await catalogue.units() == {
        ("calendar", Decimal("12.5"), NEXT_MONTH),
        ("anniversary", Decimal("12.5"), NEXT_ANNIVERSARY),
    }


async def test_units_count_at_once_when_asked_to(catalogue: Catalogue) -> None:
    await catalogue.change(None, **seats(apply_units_immediately=True))
    now = {("calendar", Decimal(10), NOW), ("anniversary", Decimal(10), NOW)}
    assert await catalogue.units() == now
    await catalogue.change("seat", units="10.0", apply_units_immediately=True)
    assert await catalogue.units() == set(), "the same number is no change"
    await catalogue.change("seat", properties={"amount": "3"}, apply_units_immediately=True)
    assert await catalogue.units() == set()


async def test_units_of_a_plan_that_is_changed_as_a_whole(catalogue: Catalogue) -> None:
    row_id = await catalogue.change(None, **seats())
    await catalogue.units()
    kept = {"id": row_id, "units": 3, "apply_units_immediately": True}
    change = {"fixed_charges": [kept, seats(units=1)]}
    async with catalogue.core.units.open(catalogue.org_id) as unit:
        await plans.update(unit, "base", PlanChange.model_validate(change))
    assert await catalogue.units() == {
        ("calendar", Decimal(3), NOW),
        ("anniversary", Decimal(3), NOW),
        ("calendar", Decimal(1), NEXT_MONTH),
        ("anniversary", Decimal(1), NEXT_ANNIVERSARY),
    }


async def test_units_of_its_own_pass_by_those_of_the_plan(catalogue: Catalogue) -> None:
    row_id = await catalogue.change(None, **seats())
    await catalogue.units()
    async with catalogue.core.units.open(catalogue.org_id) as unit:
        own = await subscriptions.get(unit, "calendar")
        unit.session.add(
            FixedChargeOverride(
                org_id=unit.org_id,
                created_at=unit.now,
                updated_at=unit.now,
                subscription_id=own.id,
                fixed_charge_id=row_id,
                units=Decimal(1),
            )
        )
    await catalogue.change("seat", units=5)
    assert await catalogue.units() == {("anniversary", Decimal(5), NEXT_ANNIVERSARY)}
