"""Legal transitions of invoices and subscriptions, and the refusal of all others."""

from typing import Literal

from billing_core.domain.errors import NotAllowed

InvoiceStatus = Literal[
    "draft",
    "finalized",
    "voided",
    "generating",
    "failed",
    "open",
    "closed",
    "pending",
    "deleted",
]
SubscriptionStatus = Literal["pending", "incomplete", "active", "terminated", "canceled"]

# Source: docs/rules/money.md 1.1.2; the order of the codes is part of it.
INVOICE_STATUS_CODES: dict[InvoiceStatus, int] = {
    "draft": 0,
    "finalized": 1,
    "voided": 2,
    "generating": 3,
    "failed": 4,
    "open": 5,
    "closed": 6,
    "pending": 7,
    "deleted": 8,
}
VISIBLE_INVOICE_STATUSES: frozenset[InvoiceStatus] = frozenset(
    {"draft", "finalized", "voided", "failed", "pending"}
)
INVOICE_TRANSITIONS: dict[InvoiceStatus, frozenset[InvoiceStatus]] = {
    "generating": frozenset({"draft", "pending", "open", "finalized", "closed"}),
    "draft": frozenset({"pending", "finalized", "closed", "deleted"}),
    "pending": frozenset({"finalized", "failed"}),
    "failed": frozenset({"pending", "finalized"}),
    "open": frozenset({"finalized", "closed"}),
    "finalized": frozenset({"voided"}),
    "voided": frozenset(),
    "closed": frozenset(),
    "deleted": frozenset(),
}
_INVOICE_REFUSALS: dict[InvoiceStatus, str] = {
    "voided": "not_voidable",
    "deleted": "not_deletable",
    "pending": "invalid_status",
}
# Source: docs/rules/subscriptions.md 2.1.
SUBSCRIPTION_TRANSITIONS: dict[SubscriptionStatus, frozenset[SubscriptionStatus]] = {
    "pending": frozenset({"active", "incomplete", "canceled"}),
    "incomplete": frozenset({"active", "canceled"}),
    "active": frozenset({"terminated"}),
    "terminated": frozenset(),
    "canceled": frozenset(),
}


def check_invoice_transition(current: InvoiceStatus, wanted: InvoiceStatus) -> None:
    """Raise `NotAllowed` unless an invoice may move from `current` to `wanted`.

    Codes: not_voidable, not_deletable, else invalid_status.
    """
    if wanted not in INVOICE_TRANSITIONS[current]:
        raise NotAllowed(_INVOICE_REFUSALS.get(wanted, "invalid_status"))


def check_invoice_retry(current: InvoiceStatus) -> None:
    """Raise `NotAllowed` (invalid_status) unless a failed invoice is retried.

    Source: `docs/rules/money.md` 1.5.6.
    """
    if current != "failed":
        raise NotAllowed("invalid_status")


def check_invoice_dispute(current: InvoiceStatus) -> None:
    """Raise `NotAllowed` (not_disputable) unless the invoice is finalized or voided.

    Source: `docs/rules/money.md` 1.8.4.
    """
    if current not in {"finalized", "voided"}:
        raise NotAllowed("not_disputable")


def check_invoice_update(current: InvoiceStatus, *, metadata: bool, payment_status: bool) -> None:
    """Raise `NotAllowed` where the metadata or payment status of an invoice may not change.

    Codes: update_on_voided_invoice, metadata_on_draft_invoice,
    payment_status_update_on_draft_invoice (`docs/rules/money.md` 1.7.6 and 1.7.7).
    """
    if current == "voided":
        raise NotAllowed("update_on_voided_invoice")
    if current == "draft" and metadata:
        raise NotAllowed("metadata_on_draft_invoice")
    if current == "draft" and payment_status:
        raise NotAllowed("payment_status_update_on_draft_invoice")


def check_invoice_email(current: InvoiceStatus) -> None:
    """Raise `NotAllowed` (invoice_not_finalized) unless finalized (`docs/rules/money.md` 1.8.6)."""
    if current != "finalized":
        raise NotAllowed("invoice_not_finalized")


def check_subscription_transition(current: SubscriptionStatus, wanted: SubscriptionStatus) -> None:
    """Raise `NotAllowed` unless a subscription may move from `current` to `wanted`.

    Codes: subscription_incomplete for one that waits for its payment, else invalid_status
    (`docs/rules/subscriptions.md` 2.1 and 2.4).
    """
    if wanted not in SUBSCRIPTION_TRANSITIONS[current]:
        code = "subscription_incomplete" if current == "incomplete" else "invalid_status"
        raise NotAllowed(code)


def check_subscription_update(current: SubscriptionStatus) -> None:
    """Raise `NotAllowed` (subscription_incomplete) while a payment gates the activation.

    Source: `docs/rules/subscriptions.md` 2.4.
    """
    if current == "incomplete":
        raise NotAllowed("subscription_incomplete")
