"""Billable metrics: the operations tagged `billable_metrics`."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import billable_metrics, expressions
from billing_core.services.shapes import catalog as shapes
from billing_core.store.unit import Unit
from billing_core.wire.billable_metrics import (
    BillableMetricChange,
    BillableMetricIn,
    BillableMetricOut,
)
from billing_core.wire.expressions import ExpressionResultOut, read_expression
from billing_core.wire.pages import Page
from gateway.auth import Principal
from gateway.http import Answer, Gives, Operation, Takes, listed, one

ROOT = "billable_metric"
EVALUATED = "expression_result"
ONE = Gives(ROOT, BillableMetricOut)
CREATE = Operation(ONE, Takes(ROOT, BillableMetricIn), refuses=(400, 413, 422))
CHANGE = Operation(ONE, Takes(ROOT, BillableMetricChange), refuses=(400, 404, 413, 422))


@post("/billable_metrics", operation_id="createBillableMetric", status_code=200, opt=CREATE.opt())
async def create_metric(
    unit: NamedDependency[Unit], payload: NamedDependency[BillableMetricIn]
) -> Answer:
    """Create a billable metric."""
    return one(ROOT, shapes.metric(await billable_metrics.create(unit, payload)))


@get(
    "/billable_metrics",
    operation_id="findAllBillableMetrics",
    opt=Operation(Gives("billable_metrics", BillableMetricOut, many=True), refuses=()).opt(),
)
async def list_metrics(unit: NamedDependency[Unit], page: NamedDependency[Page]) -> Answer:
    """List billable metrics, newest first."""
    rows, total = await billable_metrics.page(unit, page)
    return listed("billable_metrics", [shapes.metric(row) for row in rows], page, total)


@get(
    "/billable_metrics/{code:str}",
    operation_id="findBillableMetric",
    opt=Operation(ONE).opt(),
)
async def find_metric(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Return a billable metric."""
    return one(ROOT, shapes.metric(await billable_metrics.get(unit, code)))


@put("/billable_metrics/{code:str}", operation_id="updateBillableMetric", opt=CHANGE.opt())
async def update_metric(
    unit: NamedDependency[Unit],
    code: FromPath[str],
    payload: NamedDependency[BillableMetricChange],
) -> Answer:
    """Change a billable metric."""
    return one(ROOT, shapes.metric(await billable_metrics.update(unit, code, payload)))


@delete(
    "/billable_metrics/{code:str}",
    operation_id="destroyBillableMetric",
    status_code=200,
    opt=Operation(ONE).opt(),
)
async def delete_metric(unit: NamedDependency[Unit], code: FromPath[str]) -> Answer:
    """Delete a billable metric with its charges and the events it counted."""
    return one(ROOT, shapes.metric(await billable_metrics.delete(unit, code)))


@post(
    "/billable_metrics/evaluate_expression",
    operation_id="evaluateBillableMetricExpression",
    status_code=200,
    opt=Operation(Gives(EVALUATED, ExpressionResultOut), refuses=(400, 413, 422)).opt(),
)
async def evaluate_expression(
    principal: NamedDependency[Principal], raw_body: NamedDependency[bytes]
) -> Answer:
    """Try an expression out on an event that is not stored."""
    asked = read_expression(raw_body)
    return one(EVALUATED, expressions.evaluate(asked, principal.now()))


RESOURCE = "billable_metric"
TAG = "billable_metrics"
HANDLERS = [
    create_metric,
    list_metrics,
    find_metric,
    update_metric,
    delete_metric,
    evaluate_expression,
]
