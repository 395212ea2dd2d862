"""Charge filters: prices of their own for some events (`docs/rules/metering.md` 3.12)."""

from collections.abc import Mapping, Sequence
from typing import Any

from billing_core.domain.errors import Invalid
from billing_core.domain.filters import ALL_VALUES
from billing_core.services import charge_rules
from billing_core.store import catalog
from billing_core.store.tables import BillableMetric, Charge, ChargeFilter
from billing_core.store.unit import Unit
from billing_core.wire.charges import ChargeFilterIn

ONLY_ON_CHARGES = "presentation_group_keys"
Values = dict[str, list[str]]


async def create(unit: Unit, charge: Charge, data: ChargeFilterIn, position: int) -> ChargeFilter:
    """Add a filter to a charge; raises `Invalid` for values the metric does not declare."""
    row = ChargeFilter(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        charge_id=charge.id,
        position=position,
        values=_checked(data.values, charge.metric),
        properties=terms(charge, data.properties),
        invoice_display_name=data.invoice_display_name,
    )
    catalog.add(unit, row)
    return row


def change(unit: Unit, charge: Charge, row: ChargeFilter, data: ChargeFilterIn) -> None:
    """Change what was given of a filter."""
    given = data.model_fields_set
    if "values" in given:
        row.values = _checked(data.values, charge.metric)
    if "properties" in given:
        row.properties = terms(charge, data.properties)
    if "invoice_display_name" in given:
        row.invoice_display_name = data.invoice_display_name
    row.updated_at = unit.now


async def replace(unit: Unit, charge: Charge, wanted: Sequence[ChargeFilterIn]) -> None:
    """Make the charge's filters exactly these, in this order.

    One with the same values as an existing filter changes it, so that its age is kept.
    """
    left = list(charge.filters)
    for position, data in enumerate(wanted):
        values = _checked(data.values, charge.metric)
        same = next((row for row in left if same_values(row.values, values)), None)
        if same is None:
            await create(unit, charge, data, position)
            continue
        left.remove(same)
        change(unit, charge, same, data)
        same.position = position
    for row in left:
        row.deleted_at = unit.now
    await reload(unit, charge)


async def reload(unit: Unit, charge: Charge) -> None:
    """Let `charge.filters` show what was written."""
    await unit.flush()
    await unit.session.refresh(charge, ["filters"])


async def trim(unit: Unit, metric: BillableMetric) -> None:
    """Take values that the metric no longer declares out of all filters that use them.

    A key without values goes, and so does a filter without keys (metering.md 2.1).
    """
    declared = {one["key"]: {*one["values"], ALL_VALUES} for one in metric.filters}
    for charge in await catalog.charges_of_metric(unit, metric.id):
        for row in charge.filters:
            kept = {
                key: [value for value in values if value in declared.get(key, ())]
                for key, values in row.values.items()
            }
            values = {key: texts for key, texts in kept.items() if texts}
            if not values:
                row.deleted_at = unit.now
            elif values != row.values:
                row.values = values
                row.updated_at = unit.now
        await reload(unit, charge)


def terms(charge: Charge, properties: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a filter's properties as they are stored, in the model of its charge."""
    own = {key: value for key, value in (properties or {}).items() if key != ONLY_ON_CHARGES}
    return charge_rules.terms(charge.charge_model, own, charge.metric)


def _checked(values: Mapping[str, Sequence[str]] | None, metric: BillableMetric) -> Values:
    if not values or not all(values.values()):
        raise Invalid.field("values", "value_is_mandatory")
    declared = {one["key"]: set(one["values"]) for one in metric.filters}
    for key, texts in values.items():
        if key not in declared or not (set(texts) <= declared[key] or texts == [ALL_VALUES]):
            raise Invalid.field("values", "value_is_invalid")
    return {key: list(dict.fromkeys(texts)) for key, texts in values.items()}


def same_values(values: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether two filters take the same events; the order of values does not matter."""
    return {key: set(texts) for key, texts in values.items()} == {
        key: set(texts) for key, texts in other.items()
    }
