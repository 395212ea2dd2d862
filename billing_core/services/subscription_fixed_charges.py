"""The fixed charges of one subscription, and how many units of them it has."""

from decimal import Decimal

from billing_core.domain.errors import NotFound, Problems
from billing_core.domain.money import quantize
from billing_core.services import fixed_charges
from billing_core.services.shapes import catalog as shapes
from billing_core.store import catalog, customers, subscriptions
from billing_core.store import fixed_charges as fixed_charge_store
from billing_core.store.tables import FixedCharge, FixedChargeOverride, Subscription
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeOut, FixedChargeUnitsIn
from billing_core.wire.pages import Page

DEFAULT_STATUS = "active"
FORKING = ("invoice_display_name", "properties", "tax_codes")


async def page(
    unit: Unit, external_id: str, status: str | None, wanted: Page
) -> tuple[list[FixedChargeOut], int]:
    """List the fixed charges of a subscription's plan, newest first, with its own units."""
    subscription = await _subscription(unit, external_id, status)
    rows, total = await fixed_charge_store.page(unit, subscription.plan_id, wanted)
    return await _with_own_units(unit, subscription, rows), total


async def get(unit: Unit, external_id: str, code: str, status: str | None) -> FixedChargeOut:
    """Return one; raises `NotFound` for the subscription or the fixed charge."""
    subscription = await _subscription(unit, external_id, status)
    row = _fixed_charge(subscription, code)
    return (await _with_own_units(unit, subscription, [row]))[0]


async def give_units(
    unit: Unit, external_id: str, code: str, data: FixedChargeUnitsIn, status: str | None
) -> FixedChargeOut:
    """Give a subscription a number of units of its own: those of the plan pass it by from then on.

    They count as `apply_units_immediately` says, or from the start of one that is pending. Other
    fields would need prices of its own and are refused (`docs/rules/metering.md` 4).
    """
    subscription = await _subscription(unit, external_id, status)
    await customers.lock(unit, subscription.customer_id)
    row = _fixed_charge(subscription, code)
    problems = Problems()
    for name in FORKING:
        if getattr(data, name):
            problems.add(name, "unsupported_value")
    problems.check()
    own = (await fixed_charge_store.own_units(unit, subscription.id)).get(row.id)
    if data.units is not None:
        units = quantize(data.units, fixed_charges.UNIT_PLACES)
        before = row.units if own is None else own.units
        _set_own(unit, subscription, row, own, units)
        if subscription.status == "active" and units != before:
            at_once = bool(data.apply_units_immediately)
            await fixed_charges.give(unit, subscription, row, units, immediately=at_once)
        await unit.flush()
    return (await _with_own_units(unit, subscription, [row]))[0]


def _set_own(
    unit: Unit,
    subscription: Subscription,
    row: FixedCharge,
    own: FixedChargeOverride | None,
    units: Decimal,
) -> None:
    if own is not None:
        own.units, own.updated_at = units, unit.now
        return
    override = FixedChargeOverride(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        subscription_id=subscription.id,
        fixed_charge_id=row.id,
        units=units,
    )
    catalog.add(unit, override)


async def _with_own_units(
    unit: Unit, subscription: Subscription, rows: list[FixedCharge]
) -> list[FixedChargeOut]:
    own = await fixed_charge_store.own_units(unit, subscription.id)
    return [
        shape.model_copy(update={"units": own[row.id].units}) if row.id in own else shape
        for row, shape in zip(rows, await shapes.fixed_charges(unit, rows), strict=True)
    ]


async def _subscription(unit: Unit, external_id: str, status: str | None) -> Subscription:
    found = await subscriptions.newest(unit, external_id, status or DEFAULT_STATUS)
    if found is None:
        raise NotFound("subscription")
    return found


def _fixed_charge(subscription: Subscription, code: str) -> FixedCharge:
    for row in subscription.plan.fixed_charges:
        if row.code == code:
            return row
    raise NotFound("fixed_charge")
