"""Subscriptions on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, InstantMs, Out
from billing_core.wire.charges import Reference
from billing_core.wire.plan_overrides import PlanOverridesIn
from billing_core.wire.types import Hours, ShortText
from billing_core.wire.usage_thresholds import UsageThresholds

CreditNoteRule = Literal["credit", "refund", "offset", "skip"]


class PaymentMethodIn(In):
    """How invoices are paid: by the customer's payment provider, or by hand."""

    payment_method_type: Literal["provider", "manual"] | None = None
    payment_method_id: Reference | None = None


class ActivationRuleIn(In):
    """What must happen before a subscription starts; 0 hours, the default, never expire."""

    type: Literal["payment"]
    timeout_hours: Hours | None = None


class ActivationRuleOut(Out):
    """A rule as a caller reads it."""

    lago_id: UUID = Field(validation_alias="id")
    type: str = Field(validation_alias="rule_type")
    timeout_hours: int
    status: str
    expires_at: Instant | None
    created_at: Instant
    updated_at: Instant


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
    billing_entity_id: Reference | None = None
    payment_method: PaymentMethodIn | None = None
    consolidate_invoice: Flag | None = None
    purchase_order_number: ShortText | None = None
    plan_overrides: PlanOverridesIn | None = None
    usage_thresholds: UsageThresholds | None = None
    progressive_billing_disabled: Flag | None = None
    activation_rules: list[ActivationRuleIn] | None = None


class SubscriptionChange(In):
    """What a caller may change."""

    name: ShortText | None = None
    ending_at: ShortText | None = None
    subscription_at: ShortText | None = None
    billing_entity_code: ShortText | None = None
    billing_entity_id: Reference | None = None
    payment_method: PaymentMethodIn | None = None
    on_termination_credit_note: CreditNoteRule | None = None
    on_termination_invoice: Literal["generate", "skip"] | None = None
    consolidate_invoice: Flag | None = None
    purchase_order_number: ShortText | None = None
    plan_overrides: PlanOverridesIn | None = None
    usage_thresholds: UsageThresholds | None = None
    progressive_billing_disabled: Flag | None = None
    activation_rules: list[ActivationRuleIn] | None = None


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
    activation_rules: list[ActivationRuleOut]
    applied_invoice_custom_sections: list[Any]
    skip_invoice_custom_sections: bool
    progressive_billing_disabled: bool
    payment_method: dict[str, Any]
