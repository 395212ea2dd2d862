"""Recurring usage at an upgrade: billed once, by the plan that goes on with it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from billing_core.store.tables import Plan, Subscription
from billing_core.store.unit import Units, engines_for
from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org

ENDED = datetime(2026, 1, 16, 12, tzinfo=UTC)


async def take_over(gateway: Gateway, org: Org, plan_id: str) -> None:
    """Let a subscription to another plan follow the ended one, in the database itself."""
    engines = engines_for(f"sqlite+aiosqlite:///{gateway.data_dir / 'tallygate.db'}")
    try:
        async with Units(engines).system(write=True) as session:
            former = await session.scalar(
                select(Subscription).where(Subscription.org_id == UUID(org.id))
            )
            plan = await session.get(Plan, UUID(plan_id))
            assert former is not None
            assert plan is not None
            session.add(
                Subscription(
                    org_id=former.org_id,
                    created_at=ENDED,
                    updated_at=ENDED,
                    customer_id=former.customer_id,
                    plan_id=plan.id,
                    previous_subscription_id=former.id,
                    external_id=former.external_id,
                    status="active",
                    subscription_at=former.subscription_at,
                    started_at=ENDED,
                )
            )
    finally:
        await engines.dispose()


def amounts(org: Org, invoice_id: str) -> dict[str, int]:
    """Return the cents of an invoice's charge fees by the charge's display name."""
    fees: list[dict[str, Any]] = org.get(f"/invoices/{invoice_id}")["invoice"]["fees"]
    return {
        fee["item"]["invoice_display_name"]: fee["amount_cents"]
        for fee in fees
        if fee["item"]["type"] == "charge"
    }


async def test_whole_units_are_left_to_the_next_plan(gateway: Gateway, org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    seats = add_metric(org, "usage", recurring=True)
    calls = add_metric(org, "calls")
    disks = add_metric(org, "disks", recurring=True)
    prices = {"amount": "31"}
    charges = [
        charge(metric_id, "standard", prices, code=name, invoice_display_name=name, **fields)
        for name, metric_id, fields in (
            ("seats", seats, {}),
            ("seats by the day", seats, {"prorated": True}),
            ("calls", calls, {}),
            ("disks", disks, {}),
        )
    ]
    add_plan(org, amount_cents=0, charges=charges)
    other = add_plan(
        org,
        "better",
        amount_cents=0,
        charges=[
            charge(seats, "standard", {"amount": "1"}, code="s"),
            charge(calls, "standard", {"amount": "1"}, code="c"),
        ],
    )
    add_customer(org, billing_configuration={"invoice_grace_period": 30})
    subscribe(org)
    for code, instant in (("usage", 1764547200), ("disks", 1764547200), ("calls", None)):
        send(org, code, code=code, timestamp=instant)  # the first two are carried into January
    org.clock("2026-01-16T12:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    draft = only_invoice(org, "status=draft")["lago_id"]
    before = {"seats": 3100, "seats by the day": 1600, "calls": 3100, "disks": 3100}
    assert amounts(org, draft) == before
    await take_over(gateway, org, other["lago_id"])
    org.put(f"/invoices/{draft}/refresh")
    # the day of the upgrade is paid on the next plan, which knows seats and calls, but no disks
    assert amounts(org, draft) == {"seats by the day": 1500, "calls": 3100, "disks": 3100}
