"""What can be done with billable metrics."""

from billing_core.domain.errors import Invalid, NotFound, Problems
from billing_core.services.shapes import catalog as shapes
from billing_core.store import catalog
from billing_core.store.tables import BillableMetric
from billing_core.store.unit import Unit
from billing_core.wire.billable_metrics import (
    BillableMetricChange,
    BillableMetricIn,
)
from billing_core.wire.pages import Page

RECURRING = frozenset({"sum_agg", "unique_count_agg"})
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
        filters=_sorted_filters(data.filters),
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
        changes["filters"] = _sorted_filters(changes["filters"])
    if "recurring" in changes:
        changes["recurring"] = bool(changes["recurring"])
    for name, value in changes.items():
        setattr(metric, name, value)
    _check(metric)
    metric.updated_at = unit.now
    unit.emit("billable_metric.updated", "billable_metric", shapes.metric(metric).model_dump())
    return metric


async def delete(unit: Unit, code: str) -> BillableMetric:
    """Delete a metric with its charges; the events it counted are forgotten (metering.md 1.5)."""
    metric = await get(unit, code)
    metric.deleted_at = unit.now
    for charge in await catalog.charges_of_metric(unit, metric.id):
        charge.deleted_at = unit.now
    until = unit.now.isoformat()  # events carry the organization's time, which may be frozen
    unit.promise(FORGET_EVENTS_TOPIC, {"code": metric.code, "until": until})
    unit.emit("billable_metric.deleted", "billable_metric", shapes.metric(metric).model_dump())
    return metric


def _check(metric: BillableMetric) -> None:
    problems = Problems()
    if metric.aggregation_type == "count_agg":
        metric.field_name = None
    elif not metric.field_name:
        problems.add("field_name", "value_is_mandatory")
    if metric.recurring and metric.aggregation_type not in RECURRING:
        problems.add("recurring", "not_compatible_with_aggregation_type")
    if metric.recurring:
        problems.add("recurring", "unsupported_value")  # carry-over is not metered yet
    if metric.expression:
        problems.add("expression", "unsupported_value")  # expressions are not evaluated yet
    problems.check()


def _sorted_filters(filters: list[dict[str, object]] | None) -> list[object]:
    return [
        {"key": entry["key"], "values": sorted({str(v) for v in entry["values"]})}  # type: ignore[attr-defined]
        for entry in filters or []
    ]
