"""Usage on the wire: current, past and projected."""

from datetime import date
from typing import Any
from uuid import UUID

from billing_core.wire.base import DecimalText, Instant, Out


class BreakdownOut(Out):
    """Units of one combination of presentation values; an absent value is an empty text."""

    presentation_by: dict[str, str]
    units: DecimalText


class PricedInUnitOut(Out):
    """What usage costs in a pricing unit, in hundredths of it."""

    amount_cents: int
    short_name: str
    conversion_rate: DecimalText


class MeteredOut(Out):
    """What a charge, one of its filters or one of its groups has in common."""

    units: DecimalText
    total_aggregated_units: DecimalText
    events_count: int
    amount_cents: int
    pricing_unit_details: PricedInUnitOut | None
    presentation_breakdowns: list[BreakdownOut]


class FilterUsageOut(MeteredOut):
    """Usage of one filter of a charge; `values` is null for the default."""

    invoice_display_name: str | None
    values: dict[str, list[str]] | None


class GroupUsageOut(MeteredOut):
    """Usage of one pricing group of a charge."""

    grouped_by: dict[str, str | None]
    filters: list[FilterUsageOut]


class ChargeUsageOut(MeteredOut):
    """Usage of one charge in a period."""

    amount_currency: str
    charge: dict[str, Any]
    billable_metric: dict[str, Any]
    filters: list[FilterUsageOut]
    grouped_usage: list[GroupUsageOut]


class PeriodOut(Out):
    """A period of a subscription and what its usage comes to; `to_datetime` is inclusive."""

    from_datetime: Instant
    to_datetime: Instant
    issuing_date: date
    lago_invoice_id: UUID | None
    currency: str
    amount_cents: int
    taxes_amount_cents: int
    total_amount_cents: int


class UsageOut(PeriodOut):
    """Usage of a subscription in a period."""

    charges_usage: list[ChargeUsageOut]


class Projection(Out):
    """What is expected by the end of the period, for a charge, a filter or a group."""

    projected_units: DecimalText
    projected_amount_cents: int
    projected_presentation_breakdowns: list[BreakdownOut]


class ProjectedFilterOut(FilterUsageOut, Projection):
    """Usage of one filter, with its projection."""


class ProjectedGroupOut(MeteredOut, Projection):
    """Usage of one pricing group, with its projection."""

    grouped_by: dict[str, str | None]
    filters: list[ProjectedFilterOut]


class ProjectedChargeOut(MeteredOut, Projection):
    """Usage of one charge, with its projection."""

    amount_currency: str
    charge: dict[str, Any]
    billable_metric: dict[str, Any]
    filters: list[ProjectedFilterOut]
    grouped_usage: list[ProjectedGroupOut]


class ProjectedUsageOut(PeriodOut):
    """Usage of a subscription in its current period, and what it is expected to come to."""

    projected_amount_cents: int
    charges_usage: list[ProjectedChargeOut]
