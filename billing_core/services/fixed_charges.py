"""Fixed charges of a plan, and from when how many units count (`docs/rules/metering.md` 4)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.charges import MODELS
from billing_core.domain.errors import Forbidden, Invalid, NotFound
from billing_core.domain.fixed_charges import running_period
from billing_core.domain.money import quantize
from billing_core.services import charge_rules, taxes
from billing_core.services.shapes.subscriptions import times_of
from billing_core.store import catalog, fixed_charges
from billing_core.store.tables import (
    AddOn,
    FixedCharge,
    FixedChargeOverride,
    FixedChargeUnits,
    Plan,
    Subscription,
)
from billing_core.store.unit import Unit
from billing_core.wire.fixed_charges import FixedChargeIn, FixedChargePricesIn

INCREASES_TOPIC = "billing.fixed_charges"
OWNER = "fixed_charge"
UNIT_PLACES = 10


async def create(
    unit: Unit,
    plan: Plan,
    data: FixedChargeIn,
    position: int,
    taken: set[str],
) -> tuple[FixedCharge, list[FixedChargeUnits]]:
    """Add a fixed charge to a plan; `taken` holds the codes in use on it.

    Also returns the changes of units that are to be billed at once, by `promise_increases`.
    """
    add_on = await _add_on(unit, data)
    if data.charge_model is None:
        raise Invalid.field("charge_model", "value_is_mandatory")
    row = FixedCharge(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        plan_id=plan.id,
        add_on_id=add_on.id,
        code=charge_rules.free_code(data.code, add_on.code, taken),
        position=position,
        invoice_display_name=data.invoice_display_name,
        charge_model=data.charge_model,
        pay_in_advance=bool(data.pay_in_advance),
        prorated=bool(data.prorated),
        units=quantize(data.units or Decimal(0), UNIT_PLACES),
        properties=_terms(data.charge_model, data.properties),
    )
    row.add_on = add_on
    _check(row)
    catalog.add(unit, row)
    await unit.flush()
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, row.id, data.tax_codes)
    return row, await spread(unit, row, immediately=bool(data.apply_units_immediately))


async def replace(
    unit: Unit, plan: Plan, wanted: Sequence[FixedChargeIn], *, live: bool
) -> set[UUID]:
    """Make the plan's fixed charges exactly these: known ids change, others are new, missing go.

    Returns those whose units count immediately.
    """
    known = {row.id: row for row in plan.fixed_charges}
    kept = [data.id for data in wanted if data.id in known]
    for row in plan.fixed_charges:
        if row.id not in kept:
            row.deleted_at = unit.now
    await unit.flush()
    taken = {known[row_id].code for row_id in kept if row_id is not None}
    billed_at_once: list[FixedChargeUnits] = []
    at_once: set[UUID] = set()
    for position, data in enumerate(wanted):
        if data.id is not None and data.id in known:
            row = known[data.id]
            changes = await change(unit, row, data, taken - {row.code}, live=live)
            row.position = position
        else:
            row, changes = await create(unit, plan, data, position, taken)
        billed_at_once += changes
        at_once |= {row.id} if data.apply_units_immediately else set()
        taken.add(row.code)
    await unit.flush()
    promise_increases(unit, billed_at_once)
    return at_once


async def change(
    unit: Unit, row: FixedCharge, data: FixedChargeIn, others: set[str], *, live: bool
) -> list[FixedChargeUnits]:
    """Change what was given of a fixed charge; `others` holds the codes of the plan's other ones.

    The add-on, `pay_in_advance` and `prorated` never change; model and code only on a plan without
    subscriptions. Returns the changes of units that are to be billed at once.
    """
    if not live:
        if data.code is not None:
            row.code = charge_rules.free_code(data.code, row.code, others)
        if data.charge_model is not None and data.charge_model != row.charge_model:
            row.charge_model = data.charge_model
            row.properties = _terms(row.charge_model, data.properties)
    return await _change_prices(unit, row, data)


async def override(
    unit: Unit, row: FixedCharge, data: FixedChargePricesIn
) -> list[FixedChargeUnits]:
    """Change what was given of a fixed charge that one subscription has for itself.

    Returns the changes of units that are to be billed at once; raises `Forbidden` for another
    model.
    """
    if data.charge_model not in {None, row.charge_model}:
        raise Forbidden("cannot_override_charge_model")
    return await _change_prices(unit, row, data)


async def copy(unit: Unit, plan: Plan, row: FixedCharge, taken: set[str]) -> FixedCharge:
    """Give an override of a plan a copy of one of its fixed charges, with its taxes.

    `taken` holds the codes in use on the override.
    """
    code = charge_rules.free_code(None, row.code, taken)
    made = catalog.copy(unit, row, plan_id=plan.id, parent_id=row.id, code=code)
    made.add_on = row.add_on
    await unit.flush()
    found = await catalog.taxes_of(unit, [row.id])
    await catalog.assign_taxes(unit, OWNER, made.id, found.get(row.id, []))
    return made


async def _change_prices(
    unit: Unit, row: FixedCharge, data: FixedChargePricesIn
) -> list[FixedChargeUnits]:
    given = data.model_fields_set
    if "properties" in given:
        row.properties = _terms(row.charge_model, data.properties)
    if "invoice_display_name" in given:
        row.invoice_display_name = data.invoice_display_name
    _check(row)
    row.updated_at = unit.now
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, row.id, data.tax_codes)
    units = row.units if data.units is None else quantize(data.units, UNIT_PLACES)
    return await set_units(unit, row, units, immediately=bool(data.apply_units_immediately))


async def set_units(
    unit: Unit, row: FixedCharge, units: Decimal, *, immediately: bool
) -> list[FixedChargeUnits]:
    """Give a fixed charge another number of units; returns the changes to be billed at once."""
    if units == row.units:
        return []
    row.units = units
    return await spread(unit, row, immediately=immediately)


async def begin(unit: Unit, subscription: Subscription) -> None:
    """Give a subscription that starts its units: its own, else those of its plan."""
    own = await fixed_charges.own_units(unit, subscription.id)
    start = subscription.started_at or subscription.subscription_at
    for row in subscription.plan.fixed_charges:
        units = own[row.id].units if row.id in own else row.units
        _note(unit, subscription, row, units, start)
    await unit.flush()


async def set_own_units(
    unit: Unit, subscription: Subscription, row: FixedCharge, units: Decimal, *, immediately: bool
) -> None:
    """Give a subscription a number of units of its own: those of the plan pass it by from then on.

    An active one has them now or from its next period on, one that is pending from its start
    (`docs/rules/metering.md` 4). The caller holds the customer's lock.
    """
    units = quantize(units, UNIT_PLACES)
    own = (await fixed_charges.own_units(unit, subscription.id)).get(row.id)
    before = row.units if own is None else own.units
    if own is not None:
        own.units, own.updated_at = units, unit.now
    else:
        override = FixedChargeOverride(
            org_id=unit.org_id,
            created_at=unit.now,
            updated_at=unit.now,
            subscription_id=subscription.id,
            fixed_charge_id=row.id,
            units=units,
        )
        catalog.add(unit, override)
    if subscription.status == "active" and units != before:
        start = effective_at(subscription, unit.now, immediately=immediately)
        noted = _note(unit, subscription, row, units, start)
        if immediately and row.pay_in_advance:
            await unit.flush()
            promise_increases(unit, [noted])
    await unit.flush()


def promise_increases(unit: Unit, changes: Iterable[FixedChargeUnits]) -> None:
    """Promise the invoices of changes that apply at once, one for each subscription."""
    by_subscription: dict[str, list[str]] = defaultdict(list)
    for one in changes:
        if one.effective_at > unit.now:  # its subscription waits for a payment
            continue
        by_subscription[str(one.subscription_id)].append(str(one.id))
    for subscription_id, ids in by_subscription.items():
        unit.promise(INCREASES_TOPIC, {"subscription_id": subscription_id, "units_ids": ids})


async def spread(unit: Unit, row: FixedCharge, *, immediately: bool) -> list[FixedChargeUnits]:
    """Give the plan's active subscriptions the units, unless they have a number of their own.

    Returns the changes that are to be billed at once: those of what is paid in advance.
    """
    changes = []
    for subscription in await fixed_charges.followers(unit, row):
        start = effective_at(subscription, unit.now, immediately=immediately)
        changes.append(_note(unit, subscription, row, row.units, start))
    await unit.flush()
    return changes if immediately and row.pay_in_advance else []


def _note(
    unit: Unit, subscription: Subscription, row: FixedCharge, units: Decimal, start: datetime
) -> FixedChargeUnits:
    noted = FixedChargeUnits(
        org_id=unit.org_id,
        created_at=unit.now,
        subscription_id=subscription.id,
        fixed_charge_id=row.id,
        units=units,
        effective_at=start,
    )
    catalog.add(unit, noted)
    return noted


def effective_at(subscription: Subscription, now: datetime, *, immediately: bool) -> datetime:
    """Return from when a change of units counts: now, or the first instant of the next period.

    The period is that of the subscription's fixed charges (`docs/rules/subscriptions.md` 3.2).
    While a payment decides about its start, what was asked to be paid stays as it is (2.5).
    """
    if immediately and subscription.status != "incomplete":
        return now
    return running_period(times_of(subscription), now).end


async def _add_on(unit: Unit, data: FixedChargeIn) -> AddOn:
    found = None
    if data.add_on_id is not None:
        found = await catalog.add_on_by_id(unit, data.add_on_id)
    elif data.add_on_code is not None:
        found = await catalog.add_on_by_code(unit, data.add_on_code)
    if found is None:
        raise NotFound("add_on")
    return found


def _terms(model: str, properties: Mapping[str, Any] | None) -> dict[str, Any]:
    # nothing is grouped where nothing is used
    own = {key: value for key, value in (properties or {}).items() if key in MODELS[model].keys}
    return MODELS[model].parse(own).properties()


def _check(row: FixedCharge) -> None:
    is_graduated = row.charge_model == "graduated" and row.prorated
    if row.pay_in_advance and (row.charge_model == "volume" or is_graduated):
        raise Invalid.field("charge_model", "invalid_charge_model")
