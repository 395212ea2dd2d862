"""Lifetime usage on the wire; amounts are minor units of the plan's currency."""

from uuid import UUID

from billing_core.wire.base import In, Instant, Number, Out
from billing_core.wire.types import Cents


class LifetimeUsageChange(In):
    """What was used before the subscription was here."""

    external_historical_usage_amount_cents: Cents


class ThresholdOut(Out):
    """A threshold, the share of the way to it from 0 to 1, and when it was reached."""

    amount_cents: int
    completion_ratio: Number
    reached_at: Instant | None


class LifetimeUsageOut(Out):
    """Usage without taxes: before, on invoices of earlier periods, and in the running period.

    The record belongs to its subscription and bears its id (`docs/rules/metering.md` 5.4).
    """

    lago_id: UUID
    lago_subscription_id: UUID
    external_subscription_id: str
    external_historical_usage_amount_cents: int
    invoiced_usage_amount_cents: int
    current_usage_amount_cents: int
    from_datetime: Instant
    to_datetime: Instant
    usage_thresholds: list[ThresholdOut]
