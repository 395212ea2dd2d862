"""Lives of subscriptions, played by the services on a database that forgets them afterwards."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet
from sqlalchemy import select

from billing_core.clock import wall_now
from billing_core.domain.calendar import local_date
from billing_core.services import (
    add_ons,
    billing_run,
    clocks,
    customers,
    handovers,
    organizations,
    plans,
    subscription_end,
    subscriptions,
    takeovers,
)
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import invoices as invoice_store
from billing_core.store import timers
from billing_core.store.columns import KEYRING
from billing_core.store.events.opening import Store, open_log
from billing_core.store.tables import (
    CreditNote,
    Fee,
    InvoiceSubscription,
    Outbox,
    Row,
    Subscription,
)
from billing_core.store.unit import Unit, Units, engines_for
from billing_core.wire.add_ons import AddOnIn
from billing_core.wire.customers import CustomerIn
from billing_core.wire.organizations import OrganizationIn
from billing_core.wire.plans import PlanIn
from billing_core.wire.subscriptions import SubscriptionIn

BILLER = clocks.JOBS["bill_customers"]
ONE_SECOND = timedelta(seconds=1)
END = "end"


@dataclass(frozen=True)
class PlanShape:
    """A plan: its rhythm and its price in cents. The monthly flags count on longer intervals."""

    interval: str
    amount_cents: int
    pay_in_advance: bool
    charges_monthly: bool = False
    fixed_charges_monthly: bool = False


@dataclass(frozen=True)
class History:
    """A customer's life: a first plan (by number), and changes to others, or the end, at instants.

    `until` is when nobody looks any more.
    """

    tz: str
    anniversary: bool
    plans: tuple[PlanShape, ...]
    start: datetime
    changes: tuple[tuple[datetime, int | str], ...]
    until: datetime


@dataclass(frozen=True)
class Paid:
    """What a subscription fee is for: so many local days of a period of so many, in cents."""

    first_day: date
    days: int
    period_days: int
    amount_cents: int


@dataclass(frozen=True)
class Line:
    """What one invoice says of one subscription row; `order` is which row of the life it is."""

    order: int
    reason: str
    charges: tuple[datetime, datetime] | None
    fixed: tuple[datetime, datetime] | None
    fees: tuple[Paid, ...]


@dataclass(frozen=True)
class Stint:
    """One row of a life: how long it lasted, and what it cost."""

    started_at: datetime
    ended_at: datetime | None
    plan: PlanShape


@dataclass(frozen=True)
class Life:
    """All that came of a history: rows in order, their lines, and the totals of credit notes."""

    stints: tuple[Stint, ...]
    lines: tuple[Line, ...]
    notes: tuple[int, ...]


# when the biller comes next, from an instant on, for something that is due since another one
Ticks = Callable[[datetime, datetime], datetime]


def hourly(due: datetime, since: datetime) -> datetime:
    """Come as the clock does, at the first minute 10 of an hour."""
    return BILLER.tick(max(due, since))


def each(days: int) -> Ticks:
    """Come once in so many days."""

    def ticks(due: datetime, since: datetime) -> datetime:
        passed = max(due, since) - datetime.min.replace(tzinfo=UTC)
        return max(due, since) + -passed % timedelta(days=days)

    return ticks


def down(since: datetime, days: int) -> Ticks:
    """Come as the clock does, but not for some days from an instant on."""

    def ticks(due: datetime, earliest: datetime) -> datetime:
        tick = hourly(due, earliest)
        back = since + timedelta(days=days)
        return hourly(due, back) if since <= tick < back else tick

    return ticks


class Stage:
    """A database with one organization, on which any number of lives are played, one by one."""

    def __init__(self, units: Units, org_id: UUID, events: Store) -> None:
        self._units = units
        self._org_id = org_id
        self._events = events

    @classmethod
    @asynccontextmanager
    async def opened(cls, directory: Path) -> AsyncIterator["Stage"]:
        """Build it in a directory."""
        KEYRING.use([Fernet.generate_key().decode()])
        url = f"sqlite+aiosqlite:///{directory / 'stage.db'}"
        units = Units(engines_for(url))
        try:
            async with units.engines.write.begin() as connection:
                await connection.run_sync(Row.metadata.create_all)
            wanted = OrganizationIn.model_validate({"name": "Stage", "sandbox": True})
            organization, _ = await organizations.create(units, wanted)
            # no plan here bills usage, so that nobody asks the event store
            events, _ = open_log(url, directory / "events.db")
            yield cls(units, organization.id, events)
        finally:
            await units.engines.dispose()

    async def play(self, history: History, ticks: Ticks) -> Life:
        """Live a history with the biller coming at these ticks; return what came of it."""
        async with self._units.read(self._org_id) as unit:  # which forgets everything at its end
            unit.now = history.start
            await self._set_up(unit, history)
            await self._change_to(unit, 0)
            since = history.start
            for at, what in [*history.changes, (history.until, None)]:
                await self._bill_until(unit, ticks, since, at)
                unit.now = since = at
                if what == END:
                    await self._end(unit)
                elif isinstance(what, int):
                    await self._change_to(unit, what)
            await self._bill(unit)  # whoever came late has come by now
            return await _life(unit, history.plans)

    async def _set_up(self, unit: Unit, history: History) -> None:
        customer = {"external_id": "c1", "timezone": history.tz}
        await customers.upsert(unit, CustomerIn.model_validate(customer))
        seat = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
        await add_ons.create(unit, AddOnIn.model_validate(seat))
        self._billing_time = "anniversary" if history.anniversary else "calendar"
        for number, shape in enumerate(history.plans):
            fixed = {
                "add_on_code": "seat",
                "charge_model": "standard",
                "units": 1,
                "properties": {"amount": "1"},
            }
            plan = {
                "name": f"Plan {number}",
                "code": str(number),
                "interval": shape.interval,
                "amount_cents": shape.amount_cents,
                "amount_currency": "EUR",
                "pay_in_advance": shape.pay_in_advance,
                "bill_charges_monthly": shape.charges_monthly,
                "bill_fixed_charges_monthly": shape.fixed_charges_monthly,
                "fixed_charges": [fixed],
            }
            await plans.create(unit, PlanIn.model_validate(plan))
            await unit.flush()

    async def _change_to(self, unit: Unit, number: int) -> None:
        wanted = {
            "external_customer_id": "c1",
            "external_id": "s1",
            "plan_code": str(number),
            "billing_time": self._billing_time,
        }
        await subscriptions.create(unit, SubscriptionIn.model_validate(wanted))
        await self._drain(unit)

    async def _end(self, unit: Unit) -> None:
        """End what is in force, a day later where a period begins: that day is free (14.5)."""
        row = await subscriptions.get(unit, "s1")
        times = times_of(row)
        if times.monthly_grid().is_billing_day(local_date(unit.now, times.tz)) or (
            times.grid().is_billing_day(local_date(unit.now, times.tz))
        ):
            return
        await subscriptions.terminate(unit, "s1", {})
        await self._drain(unit)

    async def _bill_until(self, unit: Unit, ticks: Ticks, since: datetime, until: datetime) -> None:
        while (due := await timers.earliest_billing(unit)) is not None:
            tick = ticks(due, since)
            if tick >= until:
                return
            unit.now = tick
            await self._bill(unit)
            since = tick + ONE_SECOND

    async def _bill(self, unit: Unit) -> None:
        await billing_run.bill_customers(unit)
        await self._drain(unit)

    async def _drain(self, unit: Unit) -> None:
        """Keep the promises that bill, in order."""
        await unit.flush()
        topics = (
            billing_run.SHARD_TOPIC,
            subscription_end.INVOICE_TOPIC,
            takeovers.UPGRADE_TOPIC,
        )
        open_promises = select(Outbox).where(Outbox.topic.in_(topics), Outbox.done_at.is_(None))
        for promise in await unit.session.scalars(open_promises.order_by(Outbox.id)):
            wanted: dict[str, Any] = promise.payload
            if promise.topic == billing_run.SHARD_TOPIC:
                ids = [UUID(one) for one in wanted["subscription_ids"]]
                await billing_run.bill_shard(unit, self._events, ids)
            elif promise.topic == subscription_end.INVOICE_TOPIC:
                await billing_run.bill_now(unit, self._events, wanted)
            else:
                await handovers.bill_upgrade(unit, self._events, wanted)
            promise.done_at = wall_now()
        await unit.flush()


async def _life(unit: Unit, shapes: Sequence[PlanShape]) -> Life:
    found = await unit.session.scalars(select(Subscription).order_by(Subscription.id))
    rows = [row for row in found if row.started_at is not None]
    orders = {row.id: order for order, row in enumerate(rows)}
    lines = []
    for line in await unit.session.scalars(select(InvoiceSubscription)):
        order = orders[line.subscription_id]
        fees = [
            _fee(fee, rows[order].customer.applicable_timezone)
            for fee in await invoice_store.fees(unit, line.invoice_id)
            if fee.subscription_id == line.subscription_id and fee.fee_type == "subscription"
        ]
        charges = _window(line.charges_from_datetime, line.charges_to_datetime)
        fixed = _window(line.fixed_charges_from_datetime, line.fixed_charges_to_datetime)
        lines.append(Line(order, line.invoicing_reason, charges, fixed, tuple(fees)))
    notes = await unit.session.scalars(select(CreditNote.total_amount_cents))
    stints = [
        Stint(row.started_at, row.terminated_at, shapes[int(row.plan.code)])
        for row in rows
        if row.started_at is not None
    ]
    return Life(tuple(stints), tuple(sorted(lines, key=repr)), tuple(sorted(notes)))


def _window(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime] | None:
    return None if start is None or end is None else (start, end)


def _fee(fee: Fee, tz: str) -> Paid:
    assert fee.explanation is not None
    assert fee.from_datetime is not None
    (share,) = fee.explanation["proration"]
    first_day = local_date(fee.from_datetime, tz)
    return Paid(first_day, share["days"], share["period_days"], fee.amount_cents)
