"""Usage thresholds on the wire; amounts are minor units of the plan's currency."""

from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field

from billing_core.wire.base import Flag, In, Instant, Out
from billing_core.wire.types import MAX_CENTS, ShortText, whole

MOST_THRESHOLDS = 100


class UsageThresholdIn(In):
    """A threshold; one list replaces the other, so nothing refers to an earlier one."""

    amount_cents: Annotated[int, BeforeValidator(whole), Field(gt=0, le=MAX_CENTS)] | None = None
    threshold_display_name: ShortText | None = None
    recurring: Flag | None = None


UsageThresholds = Annotated[list[UsageThresholdIn], Field(max_length=MOST_THRESHOLDS)]


class ApplicableUsageThresholdOut(Out):
    """A threshold in force, whoever it belongs to."""

    threshold_display_name: str | None
    amount_cents: int
    recurring: bool


class UsageThresholdOut(ApplicableUsageThresholdOut):
    """A threshold of a plan or a subscription."""

    lago_id: UUID = Field(validation_alias="id")
    created_at: Instant
    updated_at: Instant


class AppliedUsageThresholdOut(Out):
    """A threshold that an invoice was made for, and the lifetime usage that reached it."""

    lifetime_usage_amount_cents: int
    created_at: Instant
    usage_threshold: UsageThresholdOut
