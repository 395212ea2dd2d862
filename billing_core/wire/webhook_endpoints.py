"""Webhook endpoints and webhooks on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import In, Instant, Out, Text
from billing_core.wire.types import ShortText

WEBHOOK_TYPES = frozenset(
    [
        "alert.triggered",
        "billable_metric.created",
        "billable_metric.updated",
        "billable_metric.deleted",
        "credit_note.created",
        "credit_note.generated",
        "credit_note.provider_refund_failure",
        "customer.created",
        "customer.updated",
        "customer.payment_provider_created",
        "customer.payment_provider_error",
        "customer.checkout_url_generated",
        "customer.accounting_provider_created",
        "customer.crm_provider_created",
        "customer.accounting_provider_error",
        "customer.crm_provider_error",
        "customer.tax_provider_error",
        "customer.vies_check",
        "dunning_campaign.finished",
        "event.error",
        "events.errors",
        "feature.created",
        "feature.updated",
        "feature.deleted",
        "fee.created",
        "fee.tax_provider_error",
        "integration.provider_error",
        "invoice.created",
        "invoice.one_off_created",
        "invoice.paid_credit_added",
        "invoice.drafted",
        "invoice.ready_to_finalize",
        "invoice.generated",
        "invoice.voided",
        "invoice.deleted",
        "invoice.payment_status_updated",
        "invoice.payment_overdue",
        "invoice.payment_failure",
        "invoice.payment_dispute_lost",
        "invoice.resynced",
        "order.created",
        "order.executed",
        "order_form.created",
        "order_form.signed",
        "order_form.expired",
        "order_form.voided",
        "quote.created",
        "quote.approved",
        "quote.voided",
        "payment.requires_action",
        "payment.succeeded",
        "payment_provider.error",
        "payment_receipt.created",
        "payment_receipt.generated",
        "payment_request.created",
        "payment_request.payment_status_updated",
        "payment_request.payment_failure",
        "plan.created",
        "plan.updated",
        "plan.deleted",
        "subscription.started",
        "subscription.updated",
        "subscription.incomplete",
        "subscription.canceled",
        "subscription.terminated",
        "subscription.termination_alert",
        "subscription.trial_ended",
        "subscription.usage_threshold_reached",
        "wallet.created",
        "wallet.updated",
        "wallet.terminated",
        "wallet.depleted_ongoing_balance",
        "wallet_transaction.created",
        "wallet_transaction.updated",
        "wallet_transaction.payment_failure",
    ]
)


class WebhookEndpointIn(In):
    """What a caller may set. `event_types` null or ["*"] is everything, [] nothing."""

    webhook_url: Annotated[Text, Field(min_length=1, max_length=2000)]
    signature_algo: Literal["jwt", "hmac"] | None = None
    name: ShortText | None = None
    event_types: Any = None


class WebhookEndpointChange(In):
    """What a caller may change."""

    webhook_url: Annotated[Text, Field(min_length=1, max_length=2000)] | None = None
    signature_algo: Literal["jwt", "hmac"] | None = None
    name: ShortText | None = None
    event_types: Any = None


class WebhookEndpointOut(Out):
    """What a caller reads; `signing_secret` verifies the Standard Webhooks header."""

    lago_id: UUID = Field(validation_alias="id")
    lago_organization_id: UUID = Field(validation_alias="org_id")
    webhook_url: str
    signature_algo: str
    signing_secret: str
    name: str | None
    event_types: list[str] | None
    created_at: Instant
