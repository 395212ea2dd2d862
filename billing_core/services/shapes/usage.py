"""What usage looks like: the fees of a charge, told apart by filter and by group."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.money import exact_context
from billing_core.store.tables import Charge
from billing_core.wire.usage import ChargeUsageOut, ProjectedChargeOut

ZERO = Decimal(0)
Breakdowns = Mapping[tuple[tuple[str, str], ...], Decimal]


@dataclass(frozen=True, slots=True)
class FilterName:
    """A charge filter as usage shows it."""

    id: UUID
    values: Mapping[str, Sequence[str]]
    invoice_display_name: str | None


@dataclass(frozen=True, slots=True)
class UsagePart:
    """The usage of one bucket and group; amounts in minor units.

    `filter_name` None is the default bucket; `pricing_unit_cents` hundredths of the pricing unit.
    `breakdowns` are units by the pairs of presentation key and value. The projected numbers are for
    the end of the period.
    """

    filter_name: FilterName | None
    grouped_by: Mapping[str, str | None]
    units: Decimal
    total_aggregated_units: Decimal
    events_count: int
    amount_cents: int
    pricing_unit_cents: int
    breakdowns: Breakdowns
    projected_units: Decimal = ZERO
    projected_amount_cents: int = 0
    projected_breakdowns: Breakdowns | None = None


def charge_usage(
    charge: Charge,
    parts: Sequence[UsagePart],
    currency: str,
    unit_details: Mapping[str, Any] | None,
) -> ChargeUsageOut:
    """Return the wire model of a charge's usage.

    `unit_details` are the pricing unit's `short_name` and `conversion_rate`, None without one.
    """
    return ChargeUsageOut.model_validate(_charge(charge, parts, currency, unit_details))


def projected_charge(
    charge: Charge,
    parts: Sequence[UsagePart],
    currency: str,
    unit_details: Mapping[str, Any] | None,
) -> ProjectedChargeOut:
    """Return the wire model of a charge's usage with its projection."""
    return ProjectedChargeOut.model_validate(_charge(charge, parts, currency, unit_details))


def _charge(
    charge: Charge,
    parts: Sequence[UsagePart],
    currency: str,
    unit_details: Mapping[str, Any] | None,
) -> dict[str, Any]:
    metric = charge.metric
    return {
        **_numbers(parts, unit_details),
        "amount_currency": currency,
        "charge": {
            "lago_id": str(charge.id),
            "code": charge.code,
            "charge_model": charge.charge_model,
            "invoice_display_name": charge.invoice_display_name,
        },
        "billable_metric": {
            "lago_id": str(metric.id),
            "name": metric.name,
            "code": metric.code,
            "aggregation_type": metric.aggregation_type,
        },
        "filters": _filters(parts, unit_details),
        "grouped_usage": _groups(parts, unit_details),
    }


def _filters(
    parts: Sequence[UsagePart], unit_details: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Show each filter and the default, where there are filters at all."""
    if all(part.filter_name is None for part in parts):
        return []
    found = []
    for members in _together(parts, lambda part: part.filter_name and part.filter_name.id):
        name = members[0].filter_name
        found.append(
            {
                **_numbers(members, unit_details),
                "invoice_display_name": name and name.invoice_display_name,
                "values": name and dict(name.values),
            }
        )
    return found


def _groups(
    parts: Sequence[UsagePart], unit_details: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Show each group, where there are groups at all; ungrouped buckets stand under none."""
    if not any(part.grouped_by for part in parts):
        return []
    return [
        {
            **_numbers(members, unit_details),
            "grouped_by": dict(members[0].grouped_by),
            "filters": _filters(members, unit_details),
        }
        for members in _together(parts, lambda part: tuple(part.grouped_by.items()))
    ]


def _numbers(parts: Sequence[UsagePart], unit_details: Mapping[str, Any] | None) -> dict[str, Any]:
    in_unit = sum(part.pricing_unit_cents for part in parts)
    projected = [part.projected_breakdowns or {} for part in parts]
    with exact_context():
        return {
            "units": sum((part.units for part in parts), ZERO),
            "total_aggregated_units": sum((part.total_aggregated_units for part in parts), ZERO),
            "events_count": sum(part.events_count for part in parts),
            "amount_cents": sum(part.amount_cents for part in parts),
            "pricing_unit_details": unit_details and {**unit_details, "amount_cents": in_unit},
            "presentation_breakdowns": breakdowns_out(part.breakdowns for part in parts),
            "projected_units": sum((part.projected_units for part in parts), ZERO),
            "projected_amount_cents": sum(part.projected_amount_cents for part in parts),
            "projected_presentation_breakdowns": breakdowns_out(projected),
        }


def breakdowns_out(several: Iterable[Breakdowns]) -> list[dict[str, Any]]:
    """Add up breakdowns and show them by their values."""
    total: dict[tuple[tuple[str, str], ...], Decimal] = {}
    for breakdowns in several:
        for pairs, units in breakdowns.items():
            with exact_context():
                total[pairs] = total.get(pairs, ZERO) + units
    return [
        {"presentation_by": dict(pairs), "units": units} for pairs, units in sorted(total.items())
    ]


def _together(parts: Sequence[UsagePart], key: Any) -> list[list[UsagePart]]:
    found: dict[Hashable, list[UsagePart]] = {}
    for part in parts:
        found.setdefault(key(part), []).append(part)
    return list(found.values())
