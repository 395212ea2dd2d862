"""G18: a whole billing run against the same invoices worked out in memory."""

import asyncio
import resource
import secrets
import statistics
from base64 import urlsafe_b64encode
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from billing_core.domain.charges import MODELS, Usage, charge_price
from billing_core.domain.invoice import FeeLine, assemble
from billing_core.domain.money import minor_from_major, precise_minor
from billing_core.ids import new_id
from billing_core.ports import EventStore
from billing_core.services import billable_metrics, billing_run, organizations, plans, subscriptions
from billing_core.store.columns import KEYRING
from billing_core.store.tables import Customer, Invoice, Organization, Outbox, Subscription
from billing_core.store.unit import Unit, Units, engines_for
from billing_core.wire.billable_metrics import BillableMetricIn
from billing_core.wire.codec import encode
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.plans import PlanIn
from billing_core.wire.subscriptions import SubscriptionIn
from tests.bench.machine import NS
from tests.bench.report import Report
from tests.support.events import EventRig

START = datetime(2026, 1, 1, tzinfo=UTC)
BILLED = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
USED = datetime(2026, 1, 15, tzinfo=UTC)
CODES = tuple(f"metric_{number}" for number in range(5))
TIERS = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "0.05", "flat_amount": "1"},
    {"from_value": 10, "to_value": 100, "per_unit_amount": "0.04", "flat_amount": "0"},
    {"from_value": 100, "to_value": 1000, "per_unit_amount": "0.03", "flat_amount": "0"},
    {"from_value": 1000, "to_value": 10000, "per_unit_amount": "0.02", "flat_amount": "0"},
    {"from_value": 10000, "to_value": None, "per_unit_amount": "0.01", "flat_amount": "0"},
]
GOALS = {"postgres": 0.40, "sqlite": 0.60}


@dataclass(frozen=True, slots=True)
class Month:
    """An organization whose subscriptions are all due."""

    units: Units
    events: EventStore
    org_id: UUID


async def run(report: Report, name: str, url: str, rig: EventRig, count: int) -> None:
    """Bill `count` subscriptions of five charges each, in one run of the job; `url` is migrated."""
    report.section(f"{name}: a billing run of {count:,} subscriptions with five charges")
    KEYRING.use([urlsafe_b64encode(secrets.token_bytes(32)).decode()])
    async with AsyncExitStack() as stack:
        units = Units(engines_for(url))
        stack.push_async_callback(units.engines.dispose)
        month = await _prepared(units, rig, count)
        compute = report.figure("pure compute", _compute(), "invoices/s")
        rates, resident = await _billed(month)
    report.figure(f"{name}: billing run, a shard", rates, "invoices/s")
    goal, rate = GOALS[name], statistics.harmonic_mean(rates)
    what = "invoices of five fees, stored / computed"
    report.goal(f"G18 {name}", what, rate / compute, f">= {goal}", goal)
    what = "memory after all invoices / after a fifth"
    report.goal(f"G18 {name}", what, resident, "<= 1.1", 1.1)


def _compute(rounds: int = 5, count: int = 500) -> list[float]:
    """Price, add up and encode the same invoice; returns invoices per second, a round each."""
    terms = MODELS["graduated"].parse({"graduated_ranges": TIERS})
    found = []
    for _ in range(rounds):
        begin = perf_counter_ns()
        for number in range(count):
            lines, fees = [], []
            for place in range(5):
                units = Decimal(50 + number % 1000 + place)
                price = charge_price(terms, Usage(units, 1))
                cents, precise = (
                    minor_from_major(price.amount, "EUR"),
                    precise_minor(price.amount, "EUR"),
                )
                lines.append(FeeLine(place, cents, precise, ()))
                fees.append(
                    {
                        "amount_cents": cents,
                        "units": str(units),
                        "amount_details": price.details,
                        "steps": list(price.steps),
                    }
                )
            totals = assemble(lines)
            encode({"total_amount_cents": totals.total_amount_cents, "fees": fees})
        found.append(count * NS / (perf_counter_ns() - begin))
    return found


async def _prepared(units: Units, rig: EventRig, count: int) -> Month:
    organization, _ = await organizations.create(
        units, OrganizationIn.model_validate({"name": "Many", "sandbox": True})
    )
    await _freeze(units, organization.id, START)
    async with units.open(organization.id) as unit:
        await _first(unit)
    async with units.open(organization.id) as unit:
        await _copied(unit, count)
    names = [f"s{number}" for number in range(count)]
    month = EventRig(rig.store, rig.ingest, org_id=organization.id)
    for code in CODES:
        for at in range(0, count, 1000):
            events = [
                month.event(f"{code}-{sub}", USED, f'{{"v":{50 + place % 1000}}}', sub, code)
                for place, sub in enumerate(names[at : at + 1000], at)
            ]
            await asyncio.gather(
                *(
                    rig.ingest.submit(events[one : one + 100], atomic=True)
                    for one in range(0, len(events), 100)
                )
            )
    await _freeze(units, organization.id, BILLED)
    return Month(units, rig.store, organization.id)


async def _freeze(units: Units, org_id: UUID, at: datetime) -> None:
    async with units.system(write=True) as session:
        row = await session.get(Organization, org_id)
        assert row is not None
        row.frozen_at = at


async def _first(unit: Unit) -> None:
    charges = []
    for code in CODES:
        metric: dict[str, Any] = {"name": code, "code": code, "aggregation_type": "sum_agg"}
        made = await billable_metrics.create(
            unit, BillableMetricIn.model_validate({**metric, "field_name": "v"})
        )
        await unit.flush()
        charges.append(
            {
                "billable_metric_id": str(made.id),
                "charge_model": "graduated",
                "properties": {"graduated_ranges": TIERS},
            }
        )
    plan = {"name": "Five", "code": "five", "interval": "monthly", "amount_cents": 1000}
    plan |= {"amount_currency": "EUR", "pay_in_advance": False, "charges": charges}
    await plans.create(unit, PlanIn.model_validate(plan))
    start = {"external_customer_id": "c0", "external_id": "s0", "plan_code": "five"}
    await subscriptions.create(unit, SubscriptionIn.model_validate(start))


async def _copied(unit: Unit, count: int) -> None:
    """Make as many customers and subscriptions as there are to be, all like the first."""
    customer = dict((await unit.session.execute(select(Customer.__table__))).mappings().one())
    subscription = dict(
        (await unit.session.execute(select(Subscription.__table__))).mappings().one()
    )
    for at in range(1, count, 500):
        numbers = range(at, min(at + 500, count))
        customers = [
            {
                **customer,
                "id": new_id(),
                "external_id": f"c{number}",
                "sequential_id": number + 1,
                "slug": f"{customer['slug'][:-3]}{number + 1:03d}",
            }
            for number in numbers
        ]
        await unit.session.execute(insert(Customer), customers)
        await unit.session.execute(
            insert(Subscription),
            [
                {
                    **subscription,
                    "id": new_id(),
                    "customer_id": owner["id"],
                    "external_id": f"s{number}",
                }
                for number, owner in zip(numbers, customers, strict=True)
            ],
        )


async def _billed(month: Month) -> tuple[list[float], float]:
    """Run the billing job; returns invoices per second of each shard, and how memory grew."""
    async with month.units.open(month.org_id) as unit:
        await billing_run.bill_customers(unit)
    async with month.units.read(month.org_id) as unit:
        shards = [
            [UUID(text) for text in row.payload["subscription_ids"]]
            for row in await unit.session.scalars(
                select(Outbox).where(Outbox.topic == billing_run.SHARD_TOPIC)
            )
        ]
    rates, early = [], 0
    for number, shard in enumerate(shards):
        begin = perf_counter_ns()
        async with month.units.open(month.org_id) as unit:
            await billing_run.bill_shard(unit, month.events, shard)
        rates.append(len(shard) * NS / (perf_counter_ns() - begin))
        if number == len(shards) // 5:
            early = _resident()
    async with month.units.read(month.org_id) as unit:
        made = len((await unit.session.scalars(select(Invoice.id))).all())
    assert made == sum(map(len, shards)), "every subscription has its invoice"
    return rates, _resident() / (early or _resident())


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
