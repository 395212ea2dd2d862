"""How the amount of a fee came about, on the wire (`docs/rules/metering.md` 3.18)."""

from typing import Any, Literal
from uuid import UUID

from billing_core.wire.base import DecimalText, InstantMs, Out


class AggregationOut(Out):
    """What the metric of a usage fee came to.

    `units` are those of the window before the metric's rounding, `carried_units` what of them was
    there before it; `priced_units` were priced and `shown_units` stand on the fee.
    """

    type: str
    events_count: int
    units: str
    carried_units: str
    rounding_function: str | None
    rounding_precision: int | None
    priced_units: str
    shown_units: str


class HeldOut(Out):
    """Units that were held, or paid, for some local days of a period."""

    units: str
    days: int
    period_days: int


class ExplanationOut(Out):
    """The window, what was counted in it, and the steps that add up to the price."""

    charge_model: str | None
    currency: str
    from_datetime: str
    to_datetime: str
    filter: dict[str, list[str]] | None
    grouped_by: dict[str, str | None]
    aggregation: AggregationOut | None
    proration: list[HeldOut]
    steps: list[dict[str, Any]]


class RoundingOut(Out):
    """The one rounding: half away from zero, to minor units of which `subunit` make a major one."""

    mode: Literal["half_up"]
    subunit: str


class FeeExplanationOut(Out):
    """The arithmetic of a fee: its steps, multiplied by the subunit and rounded, are its amount.

    `explanation` is null for fees that were not priced. `events_url` leads to the events that were
    counted; it is null where there are none.
    """

    lago_fee_id: UUID
    fee_type: str
    amount_cents: int
    amount_currency: str
    explanation: ExplanationOut | None
    rounding: RoundingOut
    events_url: str | None


class FeeEventOut(Out):
    """An event that was counted: the text of the metric's property, and what it does to it."""

    lago_id: UUID
    transaction_id: str
    timestamp: InstantMs
    value: str | None
    operation_type: str | None
    precise_total_amount_cents: DecimalText | None
