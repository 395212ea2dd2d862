"""The fixed charges of one subscription, and how many units of them it has."""

from billing_core.domain.errors import NotFound
from billing_core.services import (
    fixed_charges,
    plan_overrides,
    subscription_news,
    subscriptions,
)
from billing_core.services.shapes import catalog as shapes
from billing_core.store import fixed_charges as fixed_charge_store
from billing_core.store.tables import FixedCharge, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeOut, FixedChargePricesIn
from billing_core.wire.pages import Page

ONLY_UNITS = frozenset({"units", "apply_units_immediately"})


async def page(
    unit: Unit, external_id: str, status: str, wanted: Page
) -> tuple[list[FixedChargeOut], int]:
    """List the fixed charges of a subscription's plan, newest first, with its own units."""
    subscription = await subscriptions.get(unit, external_id, status)
    rows, total = await fixed_charge_store.page(unit, subscription.plan_id, wanted)
    return await _with_own_units(unit, subscription, rows), total


async def get(unit: Unit, external_id: str, status: str, code: str) -> FixedChargeOut:
    """Return one; raises `NotFound` for the subscription or the fixed charge."""
    subscription = await subscriptions.get(unit, external_id, status)
    row = _fixed_charge(subscription, code)
    return (await _with_own_units(unit, subscription, [row]))[0]


async def override(
    unit: Unit, external_id: str, status: str, code: str, data: FixedChargePricesIn
) -> FixedChargeOut:
    """Give a subscription a number of units, or a price, of its own for a fixed charge.

    Units count as `apply_units_immediately` says, or from the start of one that is pending. Alone
    they need no override of the plan (`docs/rules/subscriptions.md` 1.3).
    """
    subscription = await subscriptions.to_change(unit, external_id, status)
    row = _fixed_charge(subscription, code)
    if subscription.plan.parent_id is None and data.model_fields_set <= ONLY_UNITS:
        if data.units is not None:
            at_once = bool(data.apply_units_immediately)
            await fixed_charges.set_own_units(
                unit, subscription, row, data.units, immediately=at_once
            )
        return (await _with_own_units(unit, subscription, [row]))[0]
    await plan_overrides.own_plan(unit, subscription)
    row = _fixed_charge(subscription, code)
    fixed_charges.promise_increases(unit, await fixed_charges.override(unit, row, data))
    subscription.updated_at = unit.now
    await plan_overrides.changed(unit, subscription.plan)
    await subscription_news.announce(unit, subscription, "subscription.updated")
    return await shapes.fixed_charge(unit, row)


async def _with_own_units(
    unit: Unit, subscription: Subscription, rows: list[FixedCharge]
) -> list[FixedChargeOut]:
    own = await fixed_charge_store.own_units(unit, subscription.id)
    return [
        shape.model_copy(update={"units": own[row.id].units}) if row.id in own else shape
        for row, shape in zip(rows, await shapes.fixed_charges(unit, rows), strict=True)
    ]


def _fixed_charge(subscription: Subscription, code: str) -> FixedCharge:
    for row in subscription.plan.fixed_charges:
        if row.code == code:
            return row
    raise NotFound("fixed_charge")
