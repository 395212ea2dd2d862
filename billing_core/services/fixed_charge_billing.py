"""Invoices of fixed charges alone: at a start, and for units added within a paid period."""

from typing import Any
from uuid import UUID

from billing_core.services import invoice_build
from billing_core.services.fee_lines import BilledLine
from billing_core.services.fixed_charge_fees import HeldUnits, fixed_charge_fees, increase_fee
from billing_core.store import customers, fixed_charges, subscriptions
from billing_core.store.unit import Unit


async def bill_start(unit: Unit, line: BilledLine) -> None:
    """Invoice what a subscription to a plan in arrears pays in advance when it starts.

    The caller holds the customer's lock.
    """
    subscription = line.subscription
    known = await HeldUnits.read(unit, [subscription])
    fees = await fixed_charge_fees(unit, line, known, None)
    if fees:
        await invoice_build.create_in_advance(unit, subscription, line.at, fees)


async def bill_increases(unit: Unit, wanted: dict[str, Any]) -> None:
    """Invoice changes of units that apply at once to what is paid in advance, all together.

    `wanted`: subscription_id, and units_ids of the changes. Fewer units make an invoice of nothing;
    what has ended meanwhile is not billed (`docs/rules/metering.md` 4).
    """
    wanted_id = UUID(wanted["subscription_id"])
    (subscription,) = await subscriptions.by_ids(unit, [wanted_id])
    await customers.lock(unit, subscription.customer_id)
    (subscription,) = await subscriptions.by_ids(unit, [wanted_id])  # as of the lock
    if subscription.status != "active":
        return
    known = await HeldUnits.read(unit, [subscription])
    rows = {row.id: row for row in subscription.plan.fixed_charges}
    changes = await fixed_charges.changes_by_ids(unit, map(UUID, wanted["units_ids"]))
    fees = [
        increase_fee(unit, subscription, rows[change.fixed_charge_id], change, known)
        for change in changes
        if change.fixed_charge_id in rows
    ]
    if fees:
        at = changes[0].effective_at
        await invoice_build.create_in_advance(unit, subscription, at, fees)
