"""Subscriptions on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, InstantMs, Out
from billing_core.wire.types import ShortText

CreditNoteRule = Literal["credit", "refund", "offset", "skip"]


class SubscriptionIn(In):
    """What a caller may set on creation. Instants are ISO 8601 texts."""

    external_customer_id: ShortText | None = None
    external_id: Annotated[ShortText, Field(min_length=1)]
    plan_code: ShortText | None = None
    name: ShortText | None = None
    billing_time: Literal["calendar", "anniversary"] | None = None
    subscription_at: ShortText | None = None
    ending_at: ShortText | None = None
    billing_entity_code: ShortText | None = None
    consolidate_invoice: Flag | None = None
    purchase_order_number: ShortText | None = None
    plan_overrides: dict[str, Any] | None = None
    usage_thresholds: list[Any] | None = None
    activation_rules: list[Any] | None = None


class SubscriptionChange(In):
    """What a caller may change."""

    name: ShortText | None = None
    ending_at: ShortText | None = None
    subscription_at: ShortText | None = None
    on_termination_credit_note: CreditNoteRule | None = None
    on_termination_invoice: Literal["generate", "skip"] | None = None
    consolidate_invoice: Flag | None = None
    purchase_order_number: ShortText | None = None
    plan_overrides: dict[str, Any] | None = None
    usage_thresholds: list[Any] | None = None


class SubscriptionOut(Out):
    """What a caller reads."""

    lago_id: UUID = Field(validation_alias="id")
    external_id: str
    lago_customer_id: UUID = Field(validation_alias="customer_id")
    external_customer_id: str
    billing_entity_code: str
    name: str | None
    plan_code: str
    plan_amount_cents: int
    plan_amount_currency: str
    status: str
    billing_time: str
    subscription_at: Instant
    started_at: InstantMs | None
    activated_at: Instant | None
    trial_ended_at: Instant | None
    ending_at: Instant | None
    terminated_at: Instant | None
    canceled_at: Instant | None
    created_at: Instant
    previous_plan_code: str | None
    next_plan_code: str | None
    downgrade_plan_date: str | None
    current_billing_period_started_at: Instant | None
    current_billing_period_ending_at: Instant | None
    on_termination_credit_note: str | None
    on_termination_invoice: str
    consolidate_invoice: bool
    purchase_order_number: str | None
    cancellation_reason: str | None
    activation_rules: list[Any]
    applied_invoice_custom_sections: list[Any]
    skip_invoice_custom_sections: bool
    progressive_billing_disabled: bool
    payment_method: dict[str, Any]
