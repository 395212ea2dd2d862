"""Billable metrics on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, Out, Text
from billing_core.wire.types import Code, LongText, Name, ShortText, Whole

Aggregation = Literal[
    "count_agg",
    "custom_agg",
    "latest_agg",
    "max_agg",
    "sum_agg",
    "unique_count_agg",
    "weighted_sum_agg",
]
Precision = Annotated[Whole, Field(ge=-20, le=20)]


class MetricFilterIn(In):
    """A property that charge filters may look at, and the values it may have there."""

    key: ShortText | None = None
    values: list[Text] | None = None


class BillableMetricIn(In):
    """What a caller may set on creation."""

    name: Name
    code: Code
    description: LongText | None = None
    aggregation_type: Aggregation
    field_name: ShortText | None = None
    recurring: Flag | None = None
    rounding_function: Literal["ceil", "floor", "round"] | None = None
    rounding_precision: Precision | None = None
    weighted_interval: Literal["seconds"] | None = None
    expression: LongText | None = None
    filters: list[MetricFilterIn] | None = None


class BillableMetricChange(In):
    """What a caller may change; an omitted key keeps its value."""

    name: Name | None = None
    code: Code | None = None
    description: LongText | None = None
    aggregation_type: Aggregation | None = None
    field_name: ShortText | None = None
    recurring: Flag | None = None
    rounding_function: Literal["ceil", "floor", "round"] | None = None
    rounding_precision: Precision | None = None
    weighted_interval: Literal["seconds"] | None = None
    expression: LongText | None = None
    filters: list[MetricFilterIn] | None = None


class MetricFilterOut(Out):
    """A declared property and its values, sorted."""

    key: str
    values: list[str]


class BillableMetricOut(Out):
    """What a caller reads."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    code: str
    description: str | None
    aggregation_type: str
    weighted_interval: str | None
    recurring: bool
    rounding_function: str | None
    rounding_precision: int | None
    created_at: Instant
    field_name: str | None
    expression: str | None
    filters: list[MetricFilterOut]
    active_subscriptions_count: int
    draft_invoices_count: int
    plans_count: int
