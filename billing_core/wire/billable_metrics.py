"""Billable metrics on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from billing_core.wire.base import Flag, In, Instant, Out
from billing_core.wire.types import Code, LongText, Name, ShortText, Whole, refuse

Aggregation = Literal["count_agg", "sum_agg", "max_agg", "unique_count_agg", "latest_agg"]
Precision = Annotated[Whole, Field(ge=-20, le=20)]


def _filters(value: list[Any] | None) -> list[Any] | None:
    for entry in value or []:
        if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or not entry["key"]:
            raise refuse("value_is_mandatory")
        values = entry.get("values")
        if not isinstance(values, list) or not values or not all(values):
            raise refuse("value_is_mandatory")
    return value


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
    filters: Annotated[list[Any] | None, AfterValidator(_filters)] = None


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
    filters: Annotated[list[Any] | None, AfterValidator(_filters)] = None


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
    filters: list[Any]
    active_subscriptions_count: int
    draft_invoices_count: int
    plans_count: int
