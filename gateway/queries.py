"""Query parameters that several routes read the same way."""

from collections.abc import Mapping, Sequence

from billing_core.domain.errors import Invalid
from billing_core.wire.credit_notes import REASONS
from gateway.http import Filters, lenient_day

STATUSES = ("draft", "finalized", "voided", "failed", "pending")
PAYMENT_STATUSES = ("pending", "succeeded", "failed")
TYPES = ("subscription", "add_on", "credit", "one_off", "advance_charges", "progressive_billing")
BOOLEANS = ("true", "false")
CHOICES = {
    "status": STATUSES,
    "status[]": STATUSES,
    "statuses[]": STATUSES,
    "payment_status": PAYMENT_STATUSES,
    "payment_status[]": PAYMENT_STATUSES,
    "payment_statuses[]": PAYMENT_STATUSES,
    "invoice_type": TYPES,
    "payment_overdue": BOOLEANS,
    "payment_dispute_lost": BOOLEANS,
    "self_billed": BOOLEANS,
}
INVOICE_FILTERS = (
    *CHOICES,
    "external_customer_id",
    "currency",
    "search_term",
    "amount_from",
    "amount_to",
    "issuing_date_from",
    "issuing_date_to",
    "billing_entity_codes[]",
)
CREDIT_NOTE_CHOICES = {
    "reason": REASONS,
    "credit_status": ("available", "consumed", "voided"),
    "refund_status": ("pending", "succeeded", "failed"),
    "self_billed": BOOLEANS,
}
CREDIT_NOTE_FILTERS = (
    *CREDIT_NOTE_CHOICES,
    "external_customer_id",
    "currency",
    "search_term",
    "invoice_number",
    "amount_from",
    "amount_to",
    "issuing_date_from",
    "issuing_date_to",
    "billing_entity_codes[]",
)
APPLIED_COUPON_CHOICES = {"status": ("active", "terminated")}
WALLET_TRANSACTION_CHOICES = {
    "status": ("pending", "settled", "failed"),
    "transaction_status": ("purchased", "granted", "voided", "invoiced"),
    "transaction_type": ("inbound", "outbound"),
}
MOST_DIGITS = 15


def invoice_filters(found: Filters) -> Filters:
    """Check and parse invoice filters; a bad choice is a 422, a bad date is ignored."""
    return _checked(found, CHOICES)


def credit_note_filters(found: Filters) -> Filters:
    """Check and parse credit note filters, in the same way."""
    return _checked(found, CREDIT_NOTE_CHOICES)


def known_choices(found: Filters, choices: Mapping[str, Sequence[str]]) -> Filters:
    """Return the filters that mean something; others are ignored."""
    return {name: found[name] for name, known in choices.items() if found.get(name) in known}


def _checked(found: Filters, known: Mapping[str, Sequence[str]]) -> Filters:
    for name, choices in known.items():
        value = found.get(name)
        given = value if isinstance(value, list) else [value] if value else []
        if any(one not in choices for one in given):
            raise Invalid.field(name, f"must be one of: {', '.join(choices)}")
    parsed = dict(found)
    for name in ("amount_from", "amount_to"):
        text = parsed.pop(name, None)
        if text:
            if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
                raise Invalid.field(name, "must be an integer")
            parsed[name] = int(text)
    for name in ("issuing_date_from", "issuing_date_to"):
        parsed[name] = lenient_day(parsed.get(name))
    return parsed
