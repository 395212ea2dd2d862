"""Answers and bodies that no single wire model describes, and how refusals look."""

from dataclasses import dataclass
from typing import Any

from billing_core.domain.expressions import MAX_CHARACTERS
from billing_core.services.clocks import JOBS
from billing_core.wire.alerts import MOST_ALERTS
from gateway.reference.schemas import (
    INSTANT,
    LOOSE_DECIMAL,
    TEXT,
    WHOLE,
    Schema,
    many,
    nullable,
    options,
    record,
    ref,
)

JSON = "application/json"
PLAIN = "text/plain"


@dataclass(frozen=True, slots=True)
class Told:
    """What an operation answers with 200."""

    schema: Schema
    media_type: str = JSON


def _with(component: str, **fields: Schema) -> Schema:
    return {"allOf": [ref(component), record(**fields)]}


SUBSCRIPTION = record(
    subscription=_with(
        "SubscriptionOut",
        plan=ref("PlanOut"),
        entitlements=many(ref("SubscriptionEntitlementOut")),
        applicable_usage_thresholds=many(ref("ApplicableUsageThresholdOut")),
    )
)
ADMIN_ORGANIZATION = _with("OrganizationOut", hmac_key=TEXT)
PLAN_ENTITLEMENTS = record(entitlements=many(ref("PlanEntitlementOut")))
ENTITLEMENTS = record(entitlements=many(ref("SubscriptionEntitlementOut")))
FROZEN = record(test_clock=record(frozen_time=nullable(INSTANT)))
EVENT = record(event=ref("EventOut"))
PRICES = record(fees=many(ref("InstantFeeOut")))
ESTIMATED = {
    **options(
        code=TEXT,
        external_subscription_id=TEXT,
        transaction_id=nullable(TEXT),
        timestamp=nullable(LOOSE_DECIMAL),
        precise_total_amount_cents=nullable(LOOSE_DECIMAL),
        properties={"type": "object", "additionalProperties": True},
    ),
    "required": ["code", "external_subscription_id"],
}
WANTED = record(entitlements=ref("WantedEntitlements"))

METADATA_OF = ("CreditNote", "CustomerWallet", "Plan", "Wallet")
NOTES = record(metadata=ref("Metadata"))
KEPT = Told(record(metadata=nullable(ref("Metadata"))))


def _cascade(root: str) -> tuple[Schema, bool]:
    return record(**{root: ref("Cascade")}), False


def _alerts(model: str) -> tuple[Schema, bool]:
    several = {**many(ref(model)), "minItems": 1, "maxItems": MOST_ALERTS}
    return {"oneOf": [record(alert=ref(model)), record(alerts=several)]}, True


MADE_ALERTS = Told({"oneOf": [record(alert=ref("AlertOut")), record(alerts=many(ref("AlertOut")))]})
# by operation id; everything else is described by what its handler says it gives
ANSWERS: dict[str, Told] = {
    "createSubscription": Told(SUBSCRIPTION),
    "findSubscription": Told(SUBSCRIPTION),
    "updateSubscription": Told(SUBSCRIPTION),
    "destroySubscription": Told(SUBSCRIPTION),
    "createEntitlement": Told(PLAN_ENTITLEMENTS),
    "findAllEntitlements": Told(PLAN_ENTITLEMENTS),
    "updateEntitlement": Told(PLAN_ENTITLEMENTS),
    "findAllSubscriptionEntitlements": Told(ENTITLEMENTS),
    "updateSubscriptionEntitlements": Told(ENTITLEMENTS),
    "destroySubscriptionEntitlement": Told(ENTITLEMENTS),
    "destroySubscriptionEntitlementPrivilege": Told(ENTITLEMENTS),
    **{
        f"{verb}{kind}Metadata{part}": KEPT
        for kind in METADATA_OF
        for verb, part in (("replace", ""), ("merge", ""), ("deleteAll", ""), ("delete", "Key"))
    },
    "createSubscriptionAlert": MADE_ALERTS,
    "deleteAllSubscriptionAlerts": Told(TEXT, PLAIN),
    "createCustomerWalletAlert": MADE_ALERTS,
    "deleteAllCustomerWalletAlerts": Told(TEXT, PLAIN),
    "createWalletTransaction": Told(record(wallet_transactions=many(ref("WalletTransactionOut")))),
    "walletTransactionPaymentUrl": Told(
        record(wallet_transaction_payment_details=record(payment_url=TEXT))
    ),
    "createEvent": Told(EVENT),
    "findEvent": Told(EVENT),
    "createBatchEvents": Told(record(events=many(ref("EventOut")))),
    "eventEstimateFees": Told(record(fees=many(ref("EstimatedFeeOut")))),
    "eventEstimateInstantFees": Told(PRICES),
    "eventBatchEstimateInstantFees": Told(PRICES),
    "findAllEvents": Told(record(events=many(ref("EventOut")), meta=ref("PaginationMeta"))),
    "listBillingEntities": Told(record(billing_entities=many(ref("BillingEntityOut")))),
    "fetchPublicKey": Told(TEXT, PLAIN),
    "fetchJsonPublicKey": Told(record(webhook=record(public_key=TEXT))),
    "setTestClock": Told(FROZEN),
    "findTestClock": Told(FROZEN),
    "liftTestClock": Told(FROZEN),
    "runTestClockJob": Told(record(test_clock=record(job=TEXT))),
    "drainTestClock": Told(record(test_clock=record(drained=WHOLE))),
    "adminCreateOrganization": Told(record(organization=ADMIN_ORGANIZATION, api_key=TEXT)),
    "adminFindOrganization": Told(record(organization=ADMIN_ORGANIZATION)),
    "adminFindAllApiKeys": Told(record(api_keys=many(ref("KeyOut")))),
    "openFile": Told({"type": "string", "format": "binary"}, "application/pdf"),
    "readiness": Told(record(status=TEXT, failing={"type": "object"})),
    "liveness": Told(record(status=TEXT)),
    "metrics": Told(TEXT, PLAIN),
}
# bodies of operations whose handlers read them without a model: schema, and whether it is required
BODIES: dict[str, tuple[Schema, bool]] = {
    "createEntitlement": (WANTED, True),
    "updateEntitlement": (WANTED, True),
    "updateSubscriptionEntitlements": (WANTED, True),
    **{
        f"{verb}{kind}Metadata": (NOTES, True)
        for kind in METADATA_OF
        for verb in ("replace", "merge")
    },
    "createSubscriptionAlert": _alerts("AlertIn"),
    "createCustomerWalletAlert": _alerts("WalletAlertIn"),
    "destroyPlanCharge": _cascade("charge"),
    "destroyPlanChargeFilter": _cascade("filter"),
    "destroyPlanFixedCharge": _cascade("fixed_charge"),
    "createEvent": (record(event=ref("EventIn")), True),
    "createBatchEvents": (
        record(events={**many(ref("EventIn")), "minItems": 1, "maxItems": 100}),
        True,
    ),
    "eventEstimateFees": (record(event=ESTIMATED), True),
    "eventEstimateInstantFees": (record(event=ESTIMATED), True),
    "eventBatchEstimateInstantFees": (
        record(events={**many(ESTIMATED), "minItems": 1, "maxItems": 100}),
        True,
    ),
    "evaluateBillableMetricExpression": (
        record(
            expression={"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS},
            event={
                **options(
                    code=TEXT,
                    timestamp=nullable(LOOSE_DECIMAL),
                    properties={"type": "object", "additionalProperties": True},
                ),
                "required": ["code"],
            },
        ),
        True,
    ),
    "runTestClockJob": (record(job={"type": "string", "enum": list(JOBS)}), True),
    "voidInvoice": (
        options(
            generate_credit_note={"type": "boolean"},
            credit_amount={"type": "integer", "minimum": 0},
            refund_amount={"type": "integer", "minimum": 0},
        ),
        False,
    ),
    "adminRotateApiKey": (options(name=nullable(TEXT), expires_at=nullable(INSTANT)), False),
}
# statuses beyond what the handler names
ALSO: dict[str, tuple[int, ...]] = {
    "createPlan": (404,),
    "createEvent": (400, 413, 422, 429, 503),
    "createBatchEvents": (400, 413, 422, 429, 503),
}

WORDS: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "The body is not JSON, or its root key is missing or empty."),
    401: ("Unauthorized", "No key, or a key that is unknown, revoked or expired."),
    402: ("PaymentRequired", "Not enough prepaid credit."),
    403: ("Forbidden", "The key or the organization may not do this."),
    404: ("NotFound", "No such thing in the key's organization; `code` names its kind."),
    405: ("NotAllowed", "The state of the resource forbids the verb; `code` says why."),
    409: ("Conflict", "The same id was used for something else."),
    413: ("TooLarge", "The body exceeds the limit of 10 MiB."),
    422: ("Unprocessable", "Some fields were refused; `error_details` gives codes by field."),
    429: ("TooManyRequests", "The server cannot take more now; `Retry-After` says when to retry."),
    500: ("InternalServer", "A bug on the server."),
    503: ("Unavailable", "A part that the answer depends on is down; retry the request."),
}
_EXAMPLES: dict[int, dict[str, Any]] = {
    400: {
        "status": 400,
        "error": "BadRequest: param is missing or the value is empty or invalid: customer",
    },
    401: {"status": 401, "error": "Unauthorized"},
    402: {
        "status": 402,
        "error": "Payment Required",
        "code": "insufficient_credits",
        "error_details": {"available": "1.5"},
    },
    403: {
        "status": 403,
        "error": "Forbidden",
        "code": "write_action_not_allowed_for_customer",
    },
    404: {"status": 404, "error": "Not Found", "code": "customer_not_found"},
    405: {"status": 405, "error": "Method Not Allowed", "code": "not_voidable"},
    409: {"status": 409, "error": "Conflict", "code": "amount_differs"},
    413: {"status": 413, "error": "Content Too Large", "code": "request_too_large"},
    422: {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "validation_errors",
        "error_details": {"code": ["value_already_exist"]},
    },
    429: {"status": 429, "error": "Too Many Requests", "code": "too_many_requests"},
    500: {"status": 500, "error": "Internal Server Error"},
    503: {"status": 503, "error": "Service Unavailable", "code": "service_unavailable"},
}
_WITHOUT_CODE = frozenset({400, 401, 500})
_WITH_DETAILS = frozenset({402, 422})


def refusal_schema(status: int) -> Schema:
    """Return the exact body of a refusal (`docs/rules/api-conventions.md` 5)."""
    error = TEXT if status == 400 else {"const": _EXAMPLES[status]["error"]}  # noqa: PLR2004 - Bad Request names its reason
    fields: dict[str, Schema] = {"status": {"const": status}, "error": error}
    if status not in _WITHOUT_CODE:
        fields["code"] = TEXT
    schema = record(**fields)
    if status in _WITH_DETAILS:
        details: Schema = {"anyOf": [{"type": "object"}, {"type": "string"}]}
        schema["properties"]["error_details"] = details
    return schema


def refusal_components() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return schemas and responses of all refusals, by name."""
    schemas: dict[str, Schema] = {}
    responses: dict[str, Schema] = {}
    for status, (name, description) in WORDS.items():
        schemas[f"{name}Error"] = {"title": f"{name}Error", **refusal_schema(status)}
        content = {JSON: {"schema": ref(f"{name}Error"), "example": _EXAMPLES[status]}}
        responses[name] = {"description": description, "content": content}
    wait = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
    responses["TooManyRequests"]["headers"] = {"Retry-After": wait}
    return schemas, responses


NOT_READY: Schema = {
    "description": "Not ready; `failing` names the parts.",
    "content": {JSON: {"schema": record(status=TEXT, failing={"type": "object"})}},
}
