"""Rows: each table is written down once, one file per aggregate."""

from billing_core.store.tables.base import Row, TenantRow
from billing_core.store.tables.catalog import (
    AddOn,
    BillableMetric,
    Charge,
    ChargeFilter,
    FixedCharge,
    Plan,
    PricingUnit,
    Tax,
    TaxAssignment,
)
from billing_core.store.tables.credit_notes import (
    Credit,
    CreditNote,
    CreditNoteAppliedTax,
    CreditNoteItem,
)
from billing_core.store.tables.customers import (
    Customer,
    CustomerMetadata,
    FixedChargeOverride,
    FixedChargeUnits,
    Subscription,
)
from billing_core.store.tables.entitlements import (
    Entitlement,
    EntitlementValue,
    Feature,
    Privilege,
)
from billing_core.store.tables.invoices import (
    Fee,
    FeeAppliedTax,
    Invoice,
    InvoiceAppliedTax,
    InvoiceMetadata,
    InvoiceSubscription,
)
from billing_core.store.tables.organizations import ApiKey, BillingEntity, Organization
from billing_core.store.tables.promises import (
    JobRun,
    Outbox,
    StoredFile,
    Webhook,
    WebhookAttempt,
    WebhookEndpoint,
)
from billing_core.store.tables.usage import EventCheck, HighWaterMark

__all__ = [
    "AddOn",
    "ApiKey",
    "BillableMetric",
    "BillingEntity",
    "Charge",
    "ChargeFilter",
    "Credit",
    "CreditNote",
    "CreditNoteAppliedTax",
    "CreditNoteItem",
    "Customer",
    "CustomerMetadata",
    "Entitlement",
    "EntitlementValue",
    "EventCheck",
    "Feature",
    "Fee",
    "FeeAppliedTax",
    "FixedCharge",
    "FixedChargeOverride",
    "FixedChargeUnits",
    "HighWaterMark",
    "Invoice",
    "InvoiceAppliedTax",
    "InvoiceMetadata",
    "InvoiceSubscription",
    "JobRun",
    "Organization",
    "Outbox",
    "Plan",
    "PricingUnit",
    "Privilege",
    "Row",
    "StoredFile",
    "Subscription",
    "Tax",
    "TaxAssignment",
    "TenantRow",
    "Webhook",
    "WebhookAttempt",
    "WebhookEndpoint",
]
