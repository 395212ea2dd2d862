"""Charges of a plan: creation, change and replacement (`docs/rules/metering.md` 3.1)."""

from collections.abc import Sequence
from decimal import Decimal

from billing_core.domain.errors import Forbidden, Invalid, NotFound
from billing_core.services import charge_filters, charge_rules, taxes
from billing_core.store import catalog
from billing_core.store.tables import BillableMetric, Charge, Plan, PricingUnit
from billing_core.store.unit import Unit
from billing_core.wire.charges import AppliedPricingUnitIn, ChargeIn, ChargePricesIn

OWNER = "charge"
ONLY_UNUSED = ("pay_in_advance", "invoiceable", "prorated", "min_amount_cents")


async def create(unit: Unit, plan: Plan, data: ChargeIn, position: int, taken: set[str]) -> Charge:
    """Add a charge with its filters to a plan; `taken` holds the codes in use on it."""
    metric = await _metric(unit, data)
    if data.charge_model is None:
        raise Invalid.field("charge_model", "value_is_mandatory")
    pricing_unit, rate = await _new_pricing_unit(unit, data.applied_pricing_unit)
    charge = Charge(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        plan_id=plan.id,
        billable_metric_id=metric.id,
        code=charge_rules.free_code(data.code, metric.code, taken),
        position=position,
        charge_model=data.charge_model,
        invoice_display_name=data.invoice_display_name,
        pay_in_advance=bool(data.pay_in_advance),
        invoiceable=data.invoiceable is not False,
        prorated=bool(data.prorated),
        regroup_paid_fees=data.regroup_paid_fees,
        min_amount_cents=data.min_amount_cents or 0,
        accepts_target_wallet=bool(data.accepts_target_wallet),
        properties=charge_rules.terms(data.charge_model, data.properties, metric),
        conversion_rate=rate,
    )
    charge.metric, charge.pricing_unit = metric, pricing_unit
    charge_rules.check(charge)
    catalog.add(unit, charge)
    await unit.flush()
    for place, wanted in enumerate(data.filters or []):
        await charge_filters.create(unit, charge, wanted, place)
    await charge_filters.reload(unit, charge)
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, charge.id, data.tax_codes)
    return charge


async def replace(unit: Unit, plan: Plan, wanted: Sequence[ChargeIn], *, live: bool) -> None:
    """Make the plan's charges exactly these: known ids change, others are new, missing go."""
    known = {charge.id: charge for charge in plan.charges}
    kept = [data.id for data in wanted if data.id in known]
    for charge in plan.charges:
        if charge.id not in kept:
            charge.deleted_at = unit.now
    await unit.flush()
    taken = {known[charge_id].code for charge_id in kept if charge_id is not None}
    for position, data in enumerate(wanted):
        if data.id is not None and data.id in known:
            charge = known[data.id]
            await change(unit, charge, data, taken - {charge.code}, live=live)
            charge.position = position
        else:
            charge = await create(unit, plan, data, position, taken)
        taken.add(charge.code)
    await unit.flush()


async def change(
    unit: Unit, charge: Charge, data: ChargeIn, others: set[str], *, live: bool
) -> None:
    """Change what was given of a charge; `others` holds the codes of the plan's other charges.

    On a plan with subscriptions (`live`) only prices, filters, the display name, taxes, the target
    wallet and the conversion rate change. The metric is never another one.
    """
    if not live:
        _change_nature(charge, data, others)
        await _change_pricing_unit(unit, charge, data.applied_pricing_unit)
    if data.accepts_target_wallet is not None:
        charge.accepts_target_wallet = data.accepts_target_wallet
    await _change_prices(unit, charge, data)


async def override(unit: Unit, charge: Charge, data: ChargePricesIn) -> None:
    """Change what was given of a charge that one subscription has for itself.

    Raises `Forbidden` for another model, and `Invalid` for prices that do not fit it.
    """
    if data.charge_model not in {None, charge.charge_model}:
        raise Forbidden("cannot_override_charge_model")
    if data.min_amount_cents is not None:
        charge.min_amount_cents = data.min_amount_cents
    await _change_prices(unit, charge, data)


async def copy(unit: Unit, plan: Plan, charge: Charge, taken: set[str]) -> Charge:
    """Give an override of a plan a copy of one of its charges, with its filters and taxes.

    `taken` holds the codes in use on the override.
    """
    code = charge_rules.free_code(None, charge.code, taken)
    made = catalog.copy(unit, charge, plan_id=plan.id, parent_id=charge.id, code=code)
    made.metric, made.pricing_unit = charge.metric, charge.pricing_unit
    await unit.flush()
    for row in charge.filters:
        catalog.copy(unit, row, charge_id=made.id, parent_id=row.id)
    await charge_filters.reload(unit, made)
    found = await catalog.taxes_of(unit, [charge.id])
    await catalog.assign_taxes(unit, OWNER, made.id, found.get(charge.id, []))
    return made


async def _change_prices(unit: Unit, charge: Charge, data: ChargePricesIn) -> None:
    rate = data.applied_pricing_unit and data.applied_pricing_unit.conversion_rate
    if charge.pricing_unit is not None and rate:
        charge.conversion_rate = rate
    given = data.model_fields_set
    if "properties" in given:
        charge.properties = charge_rules.terms(charge.charge_model, data.properties, charge.metric)
    if "invoice_display_name" in given:
        charge.invoice_display_name = data.invoice_display_name
    charge_rules.check(charge)
    charge.updated_at = unit.now
    if data.filters is not None:
        await charge_filters.replace(unit, charge, data.filters)
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, charge.id, data.tax_codes)


def _change_nature(charge: Charge, data: ChargeIn, others: set[str]) -> None:
    given = data.given()
    if given.get("code") is not None:
        charge.code = charge_rules.free_code(data.code, charge.code, others)
    for name in ONLY_UNUSED:
        if given.get(name) is not None:
            setattr(charge, name, given[name])
    if "regroup_paid_fees" in given:
        charge.regroup_paid_fees = data.regroup_paid_fees
    if data.charge_model is None or data.charge_model == charge.charge_model:
        return
    charge.charge_model = data.charge_model
    if "properties" not in given:
        charge.properties = charge_rules.terms(charge.charge_model, None, charge.metric)
    if data.filters is None:
        for row in charge.filters:  # they must be prices of the new model, too
            row.properties = charge_filters.terms(charge, row.properties)


async def _metric(unit: Unit, data: ChargeIn) -> BillableMetric:
    metric_id = data.billable_metric_id
    metric = metric_id and await catalog.metric_by_id(unit, metric_id)
    if not metric:
        raise NotFound("billable_metrics")
    return metric


async def _new_pricing_unit(
    unit: Unit, wanted: AppliedPricingUnitIn | None
) -> tuple[PricingUnit | None, Decimal | None]:
    if wanted is None:
        return None, None
    found = await catalog.pricing_unit_by_code(unit, wanted.code or "")
    if found is None:
        raise NotFound("pricing_unit")
    if wanted.conversion_rate is None:
        raise Invalid.field("applied_pricing_unit.conversion_rate", "value_is_mandatory")
    return found, wanted.conversion_rate


async def _change_pricing_unit(
    unit: Unit, charge: Charge, wanted: AppliedPricingUnitIn | None
) -> None:
    if wanted is not None and wanted.code is not None:
        charge.pricing_unit, charge.conversion_rate = await _new_pricing_unit(unit, wanted)
