"""What is billed when one plan follows another: both sides of an upgrade and of a downgrade."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from billing_core.domain.calendar import start_of_day
from billing_core.domain.plan_changes import rotation_day
from billing_core.ports import EventStore
from billing_core.services import (
    consolidation,
    credit_notes,
    invoice_build,
    paid_fees,
    subscription_start,
    takeovers,
)
from billing_core.services.fee_lines import BilledLine
from billing_core.store import customers, subscriptions
from billing_core.store.tables import Subscription
from billing_core.store.unit import Unit


async def bill_upgrade(unit: Unit, events: EventStore, wanted: Mapping[str, Any]) -> None:
    """Invoice an upgrade, once: `wanted` is what `takeovers` promised.

    First comes what should have been billed before, as if it had been in time; then the unused
    rest of what was paid in advance is credited, and one invoice bills the old plan up to now and
    the new one from now on (`docs/rules/subscriptions.md` 2.8). Promises may be kept in any order:
    where the new plan has ended by then, too, the note of its unused rest is made up for. A new
    plan that waited for its payment is `paid`. With a `whole_period` this is a downgrade that was
    carried out late, or paid: the new plan began with a period.
    """
    former_id, successor_id = UUID(wanted["former_id"]), UUID(wanted["successor_id"])
    found = {row.id: row for row in await subscriptions.by_ids(unit, [former_id, successor_id])}
    former, successor = found[former_id], found[successor_id]
    await customers.lock(unit, former.customer_id)
    whole_period = wanted.get("whole_period", False)
    for day in wanted["unbilled_days"]:
        at = start_of_day(date.fromisoformat(day), successor.customer.applicable_timezone)
        await _bill(unit, events, [BilledLine(former, "subscription_periodic", at)])
    if not whole_period:
        await credit_notes.credit_unused(unit, former, upgraded=True)
    assert former.terminated_at is not None, "the row was ended when this was promised"
    lines = [BilledLine(former, "subscription_terminating", former.terminated_at, whole_period)]
    begins = opens(successor) or (whole_period and _renews(successor))
    if begins and not wanted.get("paid", False):
        at = former.terminated_at
        lines.append(BilledLine(successor, "subscription_starting", at, whole_period))
    await _bill(unit, events, lines)
    await credit_notes.credit_late_fee(unit, successor)


async def rotate(unit: Unit, due: Sequence[BilledLine]) -> list[list[BilledLine]]:
    """Hand over subscriptions whose downgrade is due with a periodic line; return what to bill.

    Instead of that line the old plan's whole last period is billed, together with the new plan if
    it is paid in advance: a list of lines for each invoice. The new plan takes over at the first
    instant of the day, whenever the biller comes (`docs/rules/subscriptions.md` 2.9). Where it must
    be paid first, neither is billed before.
    """
    waiting = await subscriptions.pending_successors(unit, [one.subscription.id for one in due])
    found: list[list[BilledLine]] = []
    for line in due:
        former = line.subscription
        successor, day = waiting.get(former.id), former.next_billing_on
        if successor is None or day is None:
            continue
        if rotation_day(line.times, successor.created_at, day) != day:
            continue
        boundary = start_of_day(day, line.times.tz)
        if await subscription_start.hold(unit, successor, boundary, whole_period=True):
            continue
        await takeovers.hand_over(unit, former, successor, boundary)
        lines = [BilledLine(former, "subscription_terminating", line.at, whole_period=True)]
        if opens(successor) or _renews(successor):
            lines.append(BilledLine(successor, "subscription_starting", line.at, whole_period=True))
        found.extend(consolidation.of_change(lines))
    return found


def opens(successor: Subscription) -> bool:
    """Tell whether a plan that takes over is billed on that day."""
    return subscription_start.is_paid_at_start(successor)


def _renews(successor: Subscription) -> bool:
    """Tell whether a plan that takes over charges in advance for units that are there already."""
    charges = successor.plan.charges
    return any(charge.pay_in_advance and charge.metric.recurring for charge in charges)


async def _bill(unit: Unit, events: EventStore, lines: Sequence[BilledLine]) -> None:
    priced = await invoice_build.price_lines(unit, events, lines)
    for group in consolidation.of_change(lines):
        await invoice_build.create(unit, group, priced)
        await paid_fees.regroup(unit, group)
