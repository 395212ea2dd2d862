"""What metrics, plans, charges and taxes look like; counters are always 0, as in Lago."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from billing_core.store import catalog
from billing_core.store.tables import BillableMetric, Charge, Plan, Tax
from billing_core.store.unit import Unit
from billing_core.wire.billable_metrics import BillableMetricOut
from billing_core.wire.plans import ChargeOut, PlanOut
from billing_core.wire.taxes import TaxOut


def metric(row: BillableMetric) -> BillableMetricOut:
    """Return the wire model of a metric."""
    return BillableMetricOut.of(
        row, active_subscriptions_count=0, draft_invoices_count=0, plans_count=0
    )


def tax(row: Tax) -> TaxOut:
    """Return the wire model of a tax."""
    return TaxOut.of(row, add_ons_count=0, charges_count=0, customers_count=0, plans_count=0)


def charge(row: Charge, assigned: Sequence[Tax]) -> ChargeOut:
    """Return the wire model of a charge."""
    return ChargeOut.of(
        row,
        billable_metric_code=row.metric.code,
        filters=[],
        taxes=[tax(one) for one in assigned],
        applied_pricing_unit=None,
    )


async def plan(unit: Unit, row: Plan) -> PlanOut:
    """Return the wire model of one plan."""
    return (await plans(unit, [row]))[0]


async def plans(unit: Unit, rows: Sequence[Plan]) -> list[PlanOut]:
    """Return the wire models, with one query for all their taxes."""
    owners = [row.id for row in rows] + [one.id for row in rows for one in row.charges]
    assigned = await catalog.taxes_of(unit, owners)
    return [_plan(row, assigned) for row in rows]


def _plan(row: Plan, assigned: Mapping[UUID, list[Tax]]) -> PlanOut:
    return PlanOut.of(
        row,
        customers_count=0,
        active_subscriptions_count=0,
        draft_invoices_count=0,
        charges=[charge(one, assigned.get(one.id, [])) for one in row.charges],
        fixed_charges=[],
        taxes=[tax(one) for one in assigned.get(row.id, [])],
        usage_thresholds=[],
        applicable_usage_thresholds=[],
        minimum_commitment=None,
        entitlements=[],
        metadata=row.custom_metadata,
    )
