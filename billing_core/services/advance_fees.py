"""Charges in advance: the fees of events, the moment they are dealt with (metering.md 3.16)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from billing_core.ports import DueEvent, EventPosition, EventStore, Meter, StoredEvent
from billing_core.services import advance_pricing, invoice_build, standalone_fees
from billing_core.services.advance_pricing import Happening, Sale
from billing_core.services.charge_fees import charge_fee
from billing_core.services.metering import meters_of
from billing_core.services.shapes.subscriptions import current_window
from billing_core.store import advance_fees, customers
from billing_core.store.tables import Charge, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.codec import decode

CHARGE_TOPIC = "events.charge"
CHARGE_ONE_TOPIC = "events.charge_one"
MILLISECOND_US = 1000


async def watch(unit: Unit, events: EventStore) -> None:
    """Have the event store list the events that charges in advance wait for, and no others."""
    await advance_fees.lock_watching(unit)
    await events.watch(unit.org_id, sorted(await advance_fees.watched_codes(unit)))


async def charge_events(unit: Unit, events: EventStore, due: Sequence[DueEvent]) -> None:
    """Make the fees of an organization's due events, in the order of ingestion, once.

    An event that was charged before, which the unique pair of event and charge on fees tells, is
    passed over: whoever dies between this unit's commit and `EventStore.settle_due` has the event
    come again, and two who deal with it at once wait for each other at the customer's lock. What a
    fee rests on, its mark and its invoice, commits with it or not at all.
    """
    found = await _resolved(unit, due)
    for customer_id in sorted({subscription.customer_id for _, subscription in found}):
        await customers.lock(unit, customer_id)
    charged = await advance_fees.charged(unit, (one.event.id for one, _ in found))
    sales = _Sales(await _meters(unit, found))
    for one, subscription in found:
        for charge in in_advance(subscription, one.event.code):
            # it may have been charged before the subscription had a copy of the charge
            if charged.isdisjoint((one.event.id, key) for key in (charge.id, charge.parent_id)):
                sale = sales.of(subscription, charge, one.event.timestamp)
                await _charge(unit, events, sale, one)


def in_advance(subscription: Subscription, code: str) -> Iterator[Charge]:
    """Yield the charges by which a subscription pays for events of a code when they come."""
    for charge in subscription.plan.charges:
        metric = charge.metric
        if charge.pay_in_advance and metric.code == code and metric.deleted_at is None:
            yield charge


class _Sales:
    """The charges in advance that were met, each read once per subscription and period."""

    def __init__(self, meters: dict[UUID, Meter]) -> None:
        self._meters = meters
        self._known: dict[tuple[UUID, UUID, datetime], Sale] = {}

    def of(self, subscription: Subscription, charge: Charge, at: datetime) -> Sale:
        window = current_window(subscription, at)
        key = (subscription.id, charge.id, window.start)
        if key not in self._known:
            meter = self._meters[charge.billable_metric_id]
            self._known[key] = Sale(subscription, charge, window, meter)
        return self._known[key]


class _Resolved(NamedTuple):
    due: DueEvent
    subscription: Subscription


async def _meters(unit: Unit, found: Iterable[_Resolved]) -> dict[UUID, Meter]:
    charges = [
        charge for one, subscription in found for charge in in_advance(subscription, one.event.code)
    ]
    return await meters_of(unit, (charge.metric for charge in charges)) if charges else {}


async def _resolved(unit: Unit, due: Sequence[DueEvent]) -> list[_Resolved]:
    """Find the subscription of each event; those that belong to none are left out."""
    names = {one.event.external_subscription_id for one in due} - {None}
    rows: dict[str, list[Subscription]] = {}
    for row in await advance_fees.subscriptions_named(unit, (name for name in names if name)):
        rows.setdefault(row.external_id, []).append(row)
    found = []
    for one in sorted(due, key=lambda each: each.order):
        candidates = rows.get(one.event.external_subscription_id or "", [])
        subscription = _at(candidates, one.event.timestamp)
        if subscription is not None:
            found.append(_Resolved(one, subscription))
    return found


def _at(rows: Sequence[Subscription], at: datetime) -> Subscription | None:
    """Return the row that an instant belongs to, both ends inclusive (metering.md 1.6).

    One that goes on comes before one that ended, then what ended last, then what started last.
    """
    instant = _milliseconds(at)
    living = [
        (row.terminated_at is None, row.terminated_at or row.started_at, row.started_at, row)
        for row in rows
        if row.started_at is not None
        and _milliseconds(row.started_at) <= instant
        and (row.terminated_at is None or _milliseconds(row.terminated_at) >= instant)
    ]
    return max(living, key=lambda found: found[:3])[3] if living else None


def _milliseconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // MILLISECOND_US * MILLISECOND_US)


async def _charge(unit: Unit, events: EventStore, sale: Sale, due: DueEvent) -> None:
    priced = await advance_pricing.charged(unit, events, sale, _happening(due))
    if priced is None:
        return
    event, charge = due.event, sale.charge
    fee = charge_fee(
        unit,
        None,
        priced,
        pay_in_advance=True,
        invoiceable=charge.invoiceable,
        event_id=event.id,
        event_transaction_id=event.transaction_id,
    )
    if charge.invoiceable:
        await invoice_build.create_in_advance(unit, sale.subscription, event.timestamp, [fee])
        await standalone_fees.announce(unit, [fee])
    else:
        await standalone_fees.keep(unit, sale.subscription, [fee])


def _happening(due: DueEvent) -> Happening:
    event: StoredEvent = due.event
    amount = event.precise_total_amount_cents
    return Happening(
        EventPosition(event.timestamp, due.order),
        decode(event.properties),
        None if amount is None else Decimal(amount),
    )
