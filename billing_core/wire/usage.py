"""Current usage on the wire."""

from datetime import date
from typing import Any
from uuid import UUID

from billing_core.wire.base import DecimalText, Instant, Out


class ChargeUsageOut(Out):
    """Usage of one charge in the current period."""

    units: DecimalText
    total_aggregated_units: DecimalText
    events_count: int
    amount_cents: int
    amount_currency: str
    pricing_unit_details: dict[str, Any] | None
    charge: dict[str, Any]
    billable_metric: dict[str, Any]
    filters: list[Any]
    grouped_usage: list[Any]
    presentation_breakdowns: list[Any]


class UsageOut(Out):
    """Usage of a subscription in its current period; `to_datetime` is inclusive."""

    from_datetime: Instant
    to_datetime: Instant
    issuing_date: date
    lago_invoice_id: UUID | None
    currency: str
    amount_cents: int
    taxes_amount_cents: int
    total_amount_cents: int
    charges_usage: list[ChargeUsageOut]
