"""The charges of one subscription: those of its plan, or of its own override of that.

Whatever is changed here makes the override, where there is none yet (`docs/rules/subscriptions.md`
1.3). Until then ids are those of the plan; they go on to mean the copies.
"""

from uuid import UUID

from billing_core.domain.errors import NotFound
from billing_core.services import (
    charge_filters,
    charges,
    plan_overrides,
    subscription_news,
    subscriptions,
)
from billing_core.store import catalog
from billing_core.store.tables import Charge, ChargeFilter, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.charges import ChargeFilterIn, ChargePricesIn
from billing_core.wire.pages import Page


async def page(unit: Unit, external_id: str, status: str, wanted: Page) -> tuple[list[Charge], int]:
    """List a subscription's charges, newest first."""
    subscription = await subscriptions.get(unit, external_id, status)
    return await catalog.charges_page(unit, subscription.plan_id, wanted)


async def get(unit: Unit, external_id: str, status: str, code: str) -> Charge:
    """Return a charge; raises `NotFound` for the subscription or the charge."""
    return _charge(await subscriptions.get(unit, external_id, status), code)


async def update(
    unit: Unit, external_id: str, status: str, code: str, data: ChargePricesIn
) -> Charge:
    """Give a subscription a price of its own for a metric."""
    subscription, charge = await _own(unit, external_id, status, code)
    await charges.override(unit, charge, data)
    await _changed(unit, subscription)
    return charge


async def filters_page(
    unit: Unit, external_id: str, status: str, code: str, wanted: Page
) -> tuple[Charge, list[ChargeFilter], int]:
    """List the filters of a charge, in the order they are looked at."""
    charge = await get(unit, external_id, status, code)
    rows, total = await catalog.filters_page(unit, charge.id, wanted)
    return charge, rows, total


async def get_filter(
    unit: Unit, external_id: str, status: str, code: str, filter_id: UUID
) -> tuple[Charge, ChargeFilter]:
    """Return a filter with its charge; raises `NotFound` for whatever is not there."""
    charge = await get(unit, external_id, status, code)
    return charge, _filter(charge, filter_id)


async def create_filter(
    unit: Unit, external_id: str, status: str, code: str, data: ChargeFilterIn
) -> tuple[Charge, ChargeFilter]:
    """Add a filter behind the others of a charge."""
    subscription, charge = await _own(unit, external_id, status, code)
    position = max((one.position for one in charge.filters), default=-1) + 1
    row = await charge_filters.create(unit, charge, data, position)
    await charge_filters.reload(unit, charge)
    await _changed(unit, subscription)
    return charge, row


async def update_filter(  # noqa: PLR0913, PLR0917 - a filter is named by all that it stands in
    unit: Unit,
    external_id: str,
    status: str,
    code: str,
    filter_id: UUID,
    data: ChargeFilterIn,
) -> tuple[Charge, ChargeFilter]:
    """Change a filter."""
    subscription, charge = await _own(unit, external_id, status, code)
    row = _filter(charge, filter_id)
    charge_filters.change(unit, charge, row, data)
    await charge_filters.reload(unit, charge)
    await _changed(unit, subscription)
    return charge, row


async def delete_filter(
    unit: Unit, external_id: str, status: str, code: str, filter_id: UUID
) -> tuple[Charge, ChargeFilter]:
    """Take a filter off a charge."""
    subscription, charge = await _own(unit, external_id, status, code)
    row = _filter(charge, filter_id)
    row.deleted_at = unit.now
    await charge_filters.reload(unit, charge)
    await _changed(unit, subscription)
    return charge, row


async def _own(unit: Unit, external_id: str, status: str, code: str) -> tuple[Subscription, Charge]:
    subscription = await subscriptions.to_change(unit, external_id, status)
    _charge(subscription, code)  # refused before anything is copied
    await plan_overrides.own_plan(unit, subscription)
    return subscription, _charge(subscription, code)


async def _changed(unit: Unit, subscription: Subscription) -> None:
    subscription.updated_at = unit.now
    await plan_overrides.changed(unit, subscription.plan)
    await subscription_news.announce(unit, subscription, "subscription.updated")


def _charge(subscription: Subscription, code: str) -> Charge:
    for charge in subscription.plan.charges:
        if charge.code == code:
            return charge
    raise NotFound("charge")


def _filter(charge: Charge, filter_id: UUID) -> ChargeFilter:
    return plan_overrides.part_of(charge.filters, filter_id, "charge_filter")
