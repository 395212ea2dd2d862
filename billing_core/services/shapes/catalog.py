"""What all that can be sold looks like; counters are always 0, as in Lago."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from billing_core.services.shapes import entitlements
from billing_core.services.shapes import usage_thresholds as threshold_shapes
from billing_core.store import catalog, usage_thresholds
from billing_core.store.tables import (
    AddOn,
    BillableMetric,
    Charge,
    ChargeFilter,
    FixedCharge,
    Plan,
    Tax,
    UsageThreshold,
)
from billing_core.store.unit import Unit
from billing_core.wire.add_ons import AddOnOut
from billing_core.wire.billable_metrics import BillableMetricOut
from billing_core.wire.charges import (
    AppliedPricingUnitOut,
    ChargeFilterFullOut,
    ChargeFilterOut,
    ChargeOut,
)
from billing_core.wire.commitments import MinimumCommitmentOut
from billing_core.wire.entitlements import PlanEntitlementOut
from billing_core.wire.fixed_charges import FixedChargeOut
from billing_core.wire.plans import PlanOut
from billing_core.wire.taxes import TaxOut

Assigned = Mapping[UUID, list[Tax]]


def metric(row: BillableMetric) -> BillableMetricOut:
    """Return the wire model of a metric."""
    return BillableMetricOut.of(
        row, active_subscriptions_count=0, draft_invoices_count=0, plans_count=0
    )


def tax(row: Tax) -> TaxOut:
    """Return the wire model of a tax."""
    return TaxOut.of(row, add_ons_count=0, charges_count=0, customers_count=0, plans_count=0)


async def add_on(unit: Unit, row: AddOn) -> AddOnOut:
    """Return the wire model of one add-on."""
    return (await add_ons(unit, [row]))[0]


async def add_ons(unit: Unit, rows: Sequence[AddOn]) -> list[AddOnOut]:
    """Return the wire models of add-ons."""
    assigned = await catalog.taxes_of(unit, [row.id for row in rows])
    return [AddOnOut.of(row, taxes=_taxes(row.id, assigned)) for row in rows]


async def charge(unit: Unit, row: Charge) -> ChargeOut:
    """Return the wire model of one charge."""
    return (await charges(unit, [row]))[0]


async def charges(unit: Unit, rows: Sequence[Charge]) -> list[ChargeOut]:
    """Return the wire models of charges."""
    assigned = await catalog.taxes_of(unit, [row.id for row in rows])
    return [_charge(row, assigned) for row in rows]


async def fixed_charge(unit: Unit, row: FixedCharge) -> FixedChargeOut:
    """Return the wire model of one fixed charge."""
    return (await fixed_charges(unit, [row]))[0]


async def fixed_charges(unit: Unit, rows: Sequence[FixedCharge]) -> list[FixedChargeOut]:
    """Return the wire models of fixed charges."""
    assigned = await catalog.taxes_of(unit, [row.id for row in rows])
    return [_fixed_charge(row, assigned) for row in rows]


def charge_filter(owner: Charge, row: ChargeFilter) -> ChargeFilterFullOut:
    """Return the wire model of a filter by itself."""
    return ChargeFilterFullOut.of(row, charge_code=owner.code)


async def plan(unit: Unit, row: Plan) -> PlanOut:
    """Return the wire model of one plan."""
    return (await plans(unit, [row]))[0]


async def plans(unit: Unit, rows: Sequence[Plan]) -> list[PlanOut]:
    """Return the wire models; taxes, entitlements and thresholds take one query each."""
    owners = [one.id for row in rows for one in (row, *row.charges, *row.fixed_charges)]
    owners += [row.minimum_commitment.id for row in rows if row.minimum_commitment]
    assigned = await catalog.taxes_of(unit, owners)
    entitled = await entitlements.of_plans(unit, [row.parent_id or row.id for row in rows])
    thresholds = await usage_thresholds.of_owners(
        unit, [one for row in rows for one in (row.id, row.parent_id) if one is not None]
    )
    return [
        _plan(row, assigned, entitled.get(row.parent_id or row.id, []), thresholds) for row in rows
    ]


def _taxes(owner_id: UUID, assigned: Assigned) -> list[TaxOut]:
    return [tax(one) for one in assigned.get(owner_id, [])]


def _charge(row: Charge, assigned: Assigned) -> ChargeOut:
    unit = row.pricing_unit
    return ChargeOut.of(
        row,
        billable_metric_code=row.metric.code,
        filters=[ChargeFilterOut.of(one) for one in row.filters],
        taxes=_taxes(row.id, assigned),
        applied_pricing_unit=unit and AppliedPricingUnitOut.of(row, code=unit.code),
    )


def _fixed_charge(row: FixedCharge, assigned: Assigned) -> FixedChargeOut:
    return FixedChargeOut.of(
        row,
        invoice_display_name=row.invoice_display_name or row.add_on.name,
        add_on_code=row.add_on.code,
        taxes=_taxes(row.id, assigned),
    )


def _commitment(row: Plan, assigned: Assigned) -> MinimumCommitmentOut | None:
    agreed = row.minimum_commitment
    if agreed is None:
        return None
    return MinimumCommitmentOut.of(
        agreed, plan_code=row.code, interval=row.interval, taxes=_taxes(agreed.id, assigned)
    )


def _plan(
    row: Plan,
    assigned: Assigned,
    entitled: Sequence[PlanEntitlementOut],
    thresholds: Mapping[UUID, list[UsageThreshold]],
) -> PlanOut:
    own = thresholds.get(row.id, [])
    inherited = thresholds.get(row.parent_id, []) if row.parent_id else []
    return PlanOut.of(
        row,
        customers_count=0,
        active_subscriptions_count=0,
        draft_invoices_count=0,
        charges=[_charge(one, assigned) for one in row.charges],
        fixed_charges=[_fixed_charge(one, assigned) for one in row.fixed_charges],
        taxes=_taxes(row.id, assigned),
        usage_thresholds=threshold_shapes.several(own),
        applicable_usage_thresholds=threshold_shapes.applicable(own or inherited),
        minimum_commitment=_commitment(row, assigned),
        entitlements=[{"entitlement": one} for one in entitled],
        metadata=row.custom_metadata,
    )
