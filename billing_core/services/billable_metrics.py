"""What can be done with billable metrics."""

from collections.abc import Sequence

from billing_core.domain.errors import Forbidden, Invalid, NotFound, Problems
from billing_core.domain.expressions import ExpressionError, compile_expression
from billing_core.services import charge_filters
from billing_core.services.plans import WATCH_TOPIC
from billing_core.services.shapes import catalog as shapes
from billing_core.store import alerts, catalog, invoices
from billing_core.store.tables import BillableMetric
from billing_core.store.unit import Unit
from billing_core.wire.billable_metrics import (
    BillableMetricChange,
    BillableMetricIn,
    MetricFilterIn,
)
from billing_core.wire.pages import Page

RECURRING = frozenset({"sum_agg", "unique_count_agg", "weighted_sum_agg"})
CHANGEABLE_WHEN_USED = frozenset({"name", "description", "filters"})
FORGET_EVENTS_TOPIC = "events.forget"


async def create(unit: Unit, data: BillableMetricIn) -> BillableMetric:
    """Create a metric; its code is unique among live ones (metering.md 2.1)."""
    if await catalog.metric_by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    values = data.given(leave_out=frozenset({"recurring", "filters"}))
    metric = BillableMetric(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        recurring=bool(data.recurring),
        filters=_declared(data.filters),
        **values,
    )
    _check(metric)
    catalog.add(unit, metric)
    unit.emit("billable_metric.created", "billable_metric", shapes.metric(metric).model_dump())
    return metric


async def get(unit: Unit, code: str) -> BillableMetric:
    """Return a live metric, or refuse."""
    metric = await catalog.metric_by_code(unit, code)
    if metric is None:
        raise NotFound("billable_metric")
    return metric


async def page(unit: Unit, wanted: Page) -> tuple[list[BillableMetric], int]:
    """List metrics."""
    return await catalog.metrics_page(unit, wanted)


async def update(unit: Unit, code: str, data: BillableMetricChange) -> BillableMetric:
    """Change a metric; once a plan prices it only name, description and filters may change."""
    metric = await get(unit, code)
    changes = data.given()
    if await catalog.metric_is_used(unit, metric.id):
        changes = {name: value for name, value in changes.items() if name in CHANGEABLE_WHEN_USED}
    for required in ("name", "code", "aggregation_type"):
        if required in changes and changes[required] is None:
            raise Invalid.field(required, "value_is_mandatory")
    new_code = changes.get("code", metric.code)
    if new_code != metric.code and await catalog.metric_by_code(unit, new_code):
        raise Invalid.field("code", "value_already_exist")
    if "filters" in changes:
        changes["filters"] = _declared(changes["filters"])
    if "recurring" in changes:
        changes["recurring"] = bool(changes["recurring"])
    for name, value in changes.items():
        setattr(metric, name, value)
    _check(metric)
    metric.updated_at = unit.now
    if "filters" in changes:
        await charge_filters.trim(unit, metric)
        await _flag_drafts(unit, metric)
    unit.emit("billable_metric.updated", "billable_metric", shapes.metric(metric).model_dump())
    return metric


async def delete(unit: Unit, code: str) -> BillableMetric:
    """Delete a metric with its charges; the events it counted are forgotten (metering.md 1.5)."""
    metric = await get(unit, code)
    metric.deleted_at = unit.now
    await _flag_drafts(unit, metric)
    for charge in await catalog.charges_of_metric(unit, metric.id):
        charge.deleted_at = unit.now
    await alerts.delete_of_metric(unit, metric.id, unit.now)
    until = unit.now.isoformat()  # events carry the organization's time, which may be frozen
    unit.promise(WATCH_TOPIC, {})
    unit.promise(FORGET_EVENTS_TOPIC, {"code": metric.code, "until": until})
    unit.emit("billable_metric.deleted", "billable_metric", shapes.metric(metric).model_dump())
    return metric


async def _flag_drafts(unit: Unit, metric: BillableMetric) -> None:
    charges = await catalog.charges_of_metric(unit, metric.id)
    for plan_id in {charge.plan_id for charge in charges}:
        await invoices.flag_drafts(unit, plan_id=plan_id)


def _check(metric: BillableMetric) -> None:
    if metric.aggregation_type == "custom_agg":
        raise Forbidden("feature_unavailable")  # it would run code that callers sent
    problems = Problems()
    if metric.aggregation_type == "count_agg":
        metric.field_name = None
    elif not metric.field_name:
        problems.add("field_name", "value_is_mandatory")
    if metric.recurring and metric.aggregation_type not in RECURRING:
        problems.add("recurring", "not_compatible_with_aggregation_type")
    if metric.aggregation_type == "weighted_sum_agg" and metric.weighted_interval is None:
        problems.add("weighted_interval", "value_is_mandatory")
    if metric.expression:
        try:
            compile_expression(metric.expression)
        except ExpressionError:
            problems.add("expression", "invalid_expression")
    problems.check()


def _declared(filters: Sequence[MetricFilterIn] | None) -> list[object]:
    declared: dict[str, set[str]] = {}
    for one in filters or ():
        if not one.key:
            raise Invalid.field("key", "value_is_mandatory")
        if not one.values or not all(one.values):
            raise Invalid.field("values", "value_is_mandatory")
        declared.setdefault(one.key, set()).update(one.values)
    return [{"key": key, "values": sorted(values)} for key, values in declared.items()]
