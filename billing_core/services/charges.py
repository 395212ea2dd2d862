"""Charges of a plan: validation, creation and replacement."""

from collections.abc import Sequence
from typing import Any

from billing_core.domain.charges import MODELS
from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.services import taxes
from billing_core.store import catalog
from billing_core.store.tables import BillableMetric, Charge, Plan
from billing_core.store.unit import Unit
from billing_core.wire.plans import ChargeIn

OWNER = "charge"


async def create(unit: Unit, plan: Plan, data: ChargeIn, position: int, taken: set[str]) -> Charge:
    """Add a charge to a plan. `taken` holds the codes in use on it (metering.md 3.1)."""
    if data.billable_metric_id is None:
        raise NotFound("billable_metrics")
    metric = await catalog.metric_by_id(unit, data.billable_metric_id)
    if metric is None:
        raise NotFound("billable_metrics")
    if data.charge_model is None:
        raise Invalid.field("charge_model", "value_is_mandatory")
    charge = Charge(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        plan_id=plan.id,
        billable_metric_id=metric.id,
        code=_code(data, metric, taken),
        position=position,
        charge_model=data.charge_model,
        invoice_display_name=data.invoice_display_name,
        invoiceable=data.invoiceable is not False,
        accepts_target_wallet=bool(data.accepts_target_wallet),
        properties=_properties(data.charge_model, data.properties, metric),
    )
    _refuse_unsupported(data)
    charge.metric = metric
    catalog.add(unit, charge)
    await unit.flush()
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, charge.id, data.tax_codes)
    return charge


async def replace(unit: Unit, plan: Plan, wanted: Sequence[ChargeIn], *, live: bool) -> None:
    """Make the plan's charges exactly these: known ids change, others are new, missing go.

    On a plan with subscriptions (`live`) model, code and metric of a charge stay as they are.
    """
    known = {charge.id: charge for charge in plan.charges}
    kept = [data for data in wanted if data.id in known]
    for charge in plan.charges:
        if charge.id not in {data.id for data in kept}:
            charge.deleted_at = unit.now
    await unit.flush()
    taken = {known[data.id].code for data in kept if data.id is not None}
    for position, data in enumerate(wanted):
        if data.id is not None and data.id in known:
            await _change(unit, known[data.id], data, position, live=live)
        else:
            charge = await create(unit, plan, data, position, taken)
            taken.add(charge.code)
    await unit.flush()
    await unit.session.refresh(plan, ["charges"])


async def _change(unit: Unit, charge: Charge, data: ChargeIn, position: int, *, live: bool) -> None:
    _refuse_unsupported(data)
    given = data.model_fields_set
    if data.charge_model is not None and not live:
        charge.charge_model = data.charge_model
    if "properties" in given or (data.charge_model is not None and not live):
        charge.properties = _properties(charge.charge_model, data.properties, charge.metric)
    if "invoice_display_name" in given:
        charge.invoice_display_name = data.invoice_display_name
    if data.accepts_target_wallet is not None:
        charge.accepts_target_wallet = data.accepts_target_wallet
    if data.tax_codes is not None:
        await taxes.assign(unit, OWNER, charge.id, data.tax_codes)
    charge.position = position
    charge.updated_at = unit.now


def _properties(
    model: str, properties: dict[str, Any] | None, metric: BillableMetric
) -> dict[str, Any]:
    if model == "percentage" and metric.aggregation_type == "latest_agg":
        raise Invalid.field("properties", "invalid_value")
    return MODELS[model].parse(properties or {}).properties()


def _code(data: ChargeIn, metric: BillableMetric, taken: set[str]) -> str:
    if data.code is not None:
        if data.code in taken:
            raise Invalid.field("code", "value_already_exist")
        return data.code
    code, number = metric.code, 1
    while code in taken:
        number += 1
        code = f"{metric.code}_{number}"
    return code


def _refuse_unsupported(data: ChargeIn) -> None:
    # what is not priced yet is refused: a bill that silently ignores a rule would be wrong
    problems = Problems()
    if data.pay_in_advance and data.charge_model == "volume":
        problems.add("pay_in_advance", "invalid_aggregation_type_or_charge_model")
    if data.invoiceable is False and not data.pay_in_advance:
        problems.add("invoiceable", "must_be_true_unless_pay_in_advance")
    if data.min_amount_cents and data.pay_in_advance:
        problems.add("min_amount_cents", "not_compatible_with_pay_in_advance")
    problems.check()
    for field in ("pay_in_advance", "prorated", "min_amount_cents", "filters"):
        if getattr(data, field):
            problems.add(field, "unsupported_value")
    if data.applied_pricing_unit:
        problems.add("applied_pricing_unit", "unsupported_value")
    if (data.properties or {}).get("pricing_group_keys") or (data.properties or {}).get(
        "grouped_by"
    ):
        problems.add("properties", "unsupported_value")
    problems.check()
