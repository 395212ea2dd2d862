"""What query and path parameters mean and which values they take."""

from gateway.queries import CHOICES as INVOICE_CHOICES
from gateway.queries import CREDIT_NOTE_CHOICES, WALLET_TRANSACTION_CHOICES
from gateway.reference.schemas import FLAG, INSTANT, TEXT, WHOLE, Schema, many

DAY: Schema = {"type": "string", "format": "date"}
FEE_TYPES = ("charge", "add_on", "subscription", "credit", "commitment", "fixed_charge")
SUBSCRIPTION_STATUSES = ("pending", "active", "terminated", "canceled", "incomplete")

QUERY: dict[str, tuple[Schema, str]] = {
    "amount_from": (WHOLE, "Smallest total in minor units."),
    "amount_to": (WHOLE, "Largest total in minor units."),
    "apply_taxes": (FLAG, "Whether to compute taxes; true by default."),
    "billable_metric_code": (TEXT, "Only this metric."),
    "billing_entity_codes[]": (TEXT, "Only these billing entities."),
    "charge_code": (TEXT, "Only the charge with this code."),
    "charge_id": (TEXT, "Only the charge with this id."),
    "code": (TEXT, "Only events with this code."),
    "currency": (TEXT, "Only this ISO 4217 currency."),
    "event_transaction_id": (TEXT, "Only the fee of this event."),
    "external_customer_id": (TEXT, "Only this customer, by external id."),
    "external_id": (TEXT, "Only this external id."),
    "external_subscription_id": (TEXT, "Only this subscription, by external id."),
    "filter_by_charge_code": (TEXT, "Earlier name of `charge_code`."),
    "filter_by_charge_id": (TEXT, "Earlier name of `charge_id`."),
    "filter_by_group": (TEXT, "Earlier name of `group`."),
    "filter_by_metric_code": (TEXT, "Earlier name of `billable_metric_code`."),
    "filter_by_presentation": (TEXT, "Only this presentation key, or a JSON list of them."),
    "full_usage": (FLAG, "All usage since the subscription started."),
    "group": (TEXT, "Only these groups: `group[key]=value`, or a JSON object."),
    "has_customer_type": (FLAG, "Whether a customer type is set."),
    "has_tax_identification_number": (FLAG, "Whether a tax number is set."),
    "invoice_number": (TEXT, "Only notes on the invoice with this number."),
    "issuing_date_from": (DAY, "First issuing date; no date at all is ignored."),
    "issuing_date_to": (DAY, "Last issuing date; no date at all is ignored."),
    "on_termination_credit_note": (TEXT, "What happens to what was paid in advance."),
    "on_termination_invoice": (TEXT, "Whether a last invoice is made."),
    "periods_count": (WHOLE, "How many periods at most."),
    "plan_code": (TEXT, "Only subscriptions to this plan."),
    "search_term": (TEXT, "Part of a name, number, code, email or external id."),
    "subscription_status": (
        {"type": "string", "enum": ["pending", "active", "terminated", "canceled"]},
        "In which status the subscription is meant; active by default.",
    ),
    "skip_grouping": (FLAG, "Whether to leave pricing groups out."),
    "timestamp_from": (INSTANT, "First instant."),
    "timestamp_to": (INSTANT, "Last instant."),
    "timestamp_from_started_at": (FLAG, "Begin at the subscription's start."),
}
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "invoices": INVOICE_CHOICES,
    "credit_notes": CREDIT_NOTE_CHOICES,
    "wallet_transactions": WALLET_TRANSACTION_CHOICES,
    "fees": {
        "fee_type": FEE_TYPES,
        "payment_status": ("pending", "succeeded", "failed", "refunded"),
    },
    "subscriptions": {"status": SUBSCRIPTION_STATUSES, "status[]": SUBSCRIPTION_STATUSES},
    "customers": {
        "account_type[]": ("customer", "partner"),
        "customer_type": ("company", "individual"),
    },
}
PATHS = {
    "code": "The code given on creation.",
    "external_id": "The external id given on creation.",
    "feature_code": "The code of a feature.",
    "file_id": "The file's id.",
    "key_id": "The key's id.",
    "lago_id": "The id given by the server.",
    "org_id": "The organization's id.",
    "privilege_code": "The code of a privilege of the feature.",
    "transaction_id": "The transaction id given by the sender.",
    "wallet_code": "The code of the wallet.",
}
PAGING: list[Schema] = [
    {
        "name": "page",
        "in": "query",
        "description": "Page wanted, from 1.",
        "schema": {"type": "integer", "minimum": 1, "default": 1},
    },
    {
        "name": "per_page",
        "in": "query",
        "description": "Rows per page, at most 1000.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    },
]


def in_path(name: str) -> Schema:
    """Describe a path parameter; a slash in it is sent as `%2F`."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PATHS.get(name, "Names the resource."),
        "schema": {"type": "string", "minLength": 1},
    }


def in_query(name: str, tag: str) -> Schema:
    """Describe a query parameter; `name[]` may be repeated."""
    schema, description = QUERY.get(name, (_by_ending(name), "Filter."))
    choices = CHOICES.get(tag, {}).get(name)
    if choices is not None:
        schema, description = {"type": "string", "enum": list(choices)}, "Only these."
    if name.endswith("[]"):
        schema = many(schema)
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _by_ending(name: str) -> Schema:
    return INSTANT if name.endswith(("_at_from", "_at_to")) else TEXT
