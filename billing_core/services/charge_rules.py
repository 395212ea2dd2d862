"""Which attributes of a charge go together (`docs/rules/metering.md` 2.5 and 3.1)."""

from collections.abc import Mapping
from typing import Any

from billing_core.domain.charges import MODELS
from billing_core.domain.errors import Invalid, Problems
from billing_core.store.tables import BillableMetric, Charge

PAYABLE_IN_ADVANCE = frozenset({"count_agg", "sum_agg", "unique_count_agg", "custom_agg"})
PRORATED_IN_ARREARS = frozenset({"standard", "volume", "graduated"})
AGGREGATION_OF_MODEL = {"dynamic": "sum_agg", "custom": "custom_agg"}
NOT_ON_LATEST = frozenset({"percentage", "graduated_percentage"})
UNFIT = "invalid_aggregation_type_or_charge_model"


def check(charge: Charge) -> None:
    """Refuse a charge whose attributes contradict each other or its metric.

    Raises `Invalid` that names every field at fault.
    """
    problems = Problems()
    model, aggregation = charge.charge_model, charge.metric.aggregation_type
    if AGGREGATION_OF_MODEL.get(model, aggregation) != aggregation:
        problems.add("charge_model", UNFIT)
    if charge.prorated and not _may_be_prorated(charge):
        problems.add("prorated", "invalid_billable_metric_or_charge_model")
    if charge.pay_in_advance:
        if model == "volume" or aggregation not in PAYABLE_IN_ADVANCE:
            problems.add("pay_in_advance", UNFIT)
        if charge.min_amount_cents:
            problems.add("min_amount_cents", "not_compatible_with_pay_in_advance")
    elif not charge.invoiceable:
        problems.add("invoiceable", "must_be_true_unless_pay_in_advance")
    if charge.regroup_paid_fees and (charge.invoiceable or not charge.pay_in_advance):
        problems.add("regroup_paid_fees", "only_compatible_with_pay_in_advance_and_non_invoiceable")
    problems.check()


def _may_be_prorated(charge: Charge) -> bool:
    metric = charge.metric
    if not metric.recurring or metric.aggregation_type == "weighted_sum_agg":
        return False
    if charge.pay_in_advance:
        return charge.charge_model == "standard"
    return charge.charge_model in PRORATED_IN_ARREARS


def terms(
    model: str, properties: Mapping[str, Any] | None, metric: BillableMetric
) -> dict[str, Any]:
    """Return the properties of a model as they are stored; empty ones mean its defaults.

    Raises `Invalid` with the codes of the model under `properties`.
    """
    if model in NOT_ON_LATEST and metric.aggregation_type == "latest_agg":
        raise Invalid.field("properties", "invalid_value")
    return MODELS[model].parse(properties).properties()


def free_code(wanted: str | None, default: str, taken: set[str]) -> str:
    """Return the code a new charge gets: the wanted one, or the default with a number behind.

    Raises `Invalid` if the wanted one is in use on the plan.
    """
    if wanted is not None:
        if wanted in taken:
            raise Invalid.field("code", "value_already_exist")
        return wanted
    code, number = default, 1
    while code in taken:
        number += 1
        code = f"{default}_{number}"
    return code
