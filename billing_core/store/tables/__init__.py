"""Rows: each table is written down once, one file per aggregate."""

from billing_core.store.tables.base import Row, TenantRow
from billing_core.store.tables.catalog import BillableMetric, Charge, Plan, Tax, TaxAssignment
from billing_core.store.tables.customers import Customer, CustomerMetadata, Subscription
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

__all__ = [
    "ApiKey",
    "BillableMetric",
    "BillingEntity",
    "Charge",
    "Customer",
    "CustomerMetadata",
    "Fee",
    "FeeAppliedTax",
    "Invoice",
    "InvoiceAppliedTax",
    "InvoiceMetadata",
    "InvoiceSubscription",
    "JobRun",
    "Organization",
    "Outbox",
    "Plan",
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
