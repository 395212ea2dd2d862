"""Coupons, and coupons that customers have, on the wire; amounts are minor units."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from billing_core.domain.money import quantize
from billing_core.wire.base import DecimalText, Flag, In, Instant, Out
from billing_core.wire.credit_notes import CreditOut
from billing_core.wire.dates import parse_instant
from billing_core.wire.types import (
    MAX_CENTS,
    Code,
    Currency,
    Exact,
    LongText,
    Name,
    ShortText,
    refuse,
    whole,
)

RATE_PLACES = 5
LONGEST = 1200  # invoices: a hundred years of months
LAST_YEAR = 9000
FIXED, PERCENTAGE = "fixed_amount", "percentage"


def _rate(value: Decimal) -> Decimal:
    kept = quantize(value, RATE_PLACES)
    if not kept:
        raise refuse("value_is_out_of_range")
    return kept


def _instant(value: Any) -> Any:
    if value is None:
        return None
    found = parse_instant(value) if isinstance(value, str) else None
    if found is None or found.year > LAST_YEAR:
        raise refuse("invalid_date")
    return found


Frequency = Literal["once", "recurring", "forever"]
Amount = Annotated[int, BeforeValidator(whole), Field(gt=0, le=MAX_CENTS)]
Percentage = Annotated[Exact, Field(gt=0, le=100), AfterValidator(_rate)]
Duration = Annotated[int, BeforeValidator(whole), Field(gt=0, le=LONGEST)]
Expiry = Annotated[datetime | None, BeforeValidator(_instant)]


class CouponLimitsIn(In):
    """The plans or the metrics whose fees a coupon is limited to."""

    plan_codes: list[ShortText] | None = None
    billable_metric_codes: list[ShortText] | None = None


class CouponChange(In):
    """What a caller may change; an omitted key keeps its value."""

    name: Name | None = None
    code: Code | None = None
    description: LongText | None = None
    coupon_type: Literal["fixed_amount", "percentage"] | None = None
    amount_cents: Amount | None = None
    amount_currency: Currency | None = None
    percentage_rate: Percentage | None = None
    frequency: Frequency | None = None
    frequency_duration: Duration | None = None
    reusable: Flag | None = None
    expiration: Literal["no_expiration", "time_limit"] | None = None
    expiration_at: Expiry = None
    applies_to: CouponLimitsIn | None = None


class CouponIn(CouponChange):
    """What a caller may set on creation."""

    name: Name
    code: Code
    coupon_type: Literal["fixed_amount", "percentage"]
    frequency: Frequency
    expiration: Literal["no_expiration", "time_limit"]


class CouponTermsIn(In):
    """The terms of one customer that differ from a coupon's own."""

    frequency: Frequency | None = None
    frequency_duration: Duration | None = None
    amount_cents: Amount | None = None
    amount_currency: Currency | None = None
    percentage_rate: Percentage | None = None


class AppliedCouponIn(CouponTermsIn):
    """Who gets which coupon."""

    external_customer_id: ShortText
    coupon_code: ShortText


class PreviewCouponIn(CouponTermsIn):
    """A coupon that an invoice preview supposes: one that there is, or one with these terms."""

    code: ShortText
    name: ShortText | None = None
    coupon_type: Literal["fixed_amount", "percentage"] | None = None


class CouponOut(Out):
    """A coupon as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    code: str
    description: str | None
    coupon_type: str
    amount_cents: int | None
    amount_currency: str | None
    reusable: bool
    limited_plans: bool
    plan_codes: list[str]
    limited_billable_metrics: bool
    billable_metric_codes: list[str]
    percentage_rate: DecimalText | None
    frequency: str
    frequency_duration: int | None
    expiration: str
    expiration_at: Instant | None
    created_at: Instant
    terminated_at: Instant | None


class AppliedCouponOut(Out):
    """A coupon as a customer has it; `amount_cents_remaining` is that of an amount used once."""

    lago_id: UUID = Field(validation_alias="id")
    lago_coupon_id: UUID = Field(validation_alias="coupon_id")
    coupon_code: str
    coupon_name: str
    coupon_status: str
    coupon_deleted_at: Instant | None
    lago_customer_id: UUID = Field(validation_alias="customer_id")
    external_customer_id: str
    status: str
    amount_cents: int | None
    amount_cents_remaining: int | None
    amount_currency: str | None
    percentage_rate: DecimalText | None
    frequency: str
    frequency_duration: int | None
    frequency_duration_remaining: int | None
    expiration_at: Instant | None
    created_at: Instant
    terminated_at: Instant | None


class AppliedCouponUseOut(AppliedCouponOut):
    """The same with what it took off invoices."""

    credits: list[CreditOut]
