"""The running API held against its own document, with bodies nobody would think of."""

import os
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.reference.examples import PROPERTIES
from tests.contract.listed import LISTED, Listed
from tests.support.gateway import Gateway, Org

IS_SOAK = bool(os.environ.get("TALLYGATE_SOAK"))  # noqa: TID251 - how long to try is said there
EXAMPLES_PER_OPERATION = 300 if IS_SOAK else 6
NOW = "2026-03-01T00:00:00Z"
# they move the clock under everything else, or years of billing ahead
LEFT_OUT = {"setTestClock", "liftTestClock"}
DESCRIBED = sorted(
    (
        one
        for one in LISTED
        if one.operation_id not in LEFT_OUT
        and not one.is_alias
        and not one.path.startswith(("/docs", "/openapi"))
    ),
    key=lambda one: one.method == "DELETE",  # last, or the others would meet nothing
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEATURES = ("seats", "sso", "api")
# what parameters name that stand behind another
INNER = {
    "charge_code": ["sum"],
    "feature_code": list(FEATURES),
    "fixed_charge_code": ["seat"],
    "privilege_code": ["max", "mode"],
    "wallet_code": ["purse"],
}
Document = dict[str, Any]


@pytest.fixture(scope="module")
def fuzzed(gateway: Gateway) -> Org:
    """Return an organization in which there is something of everything to meet."""
    org = gateway.organization("Fuzzed", timezone="America/New_York")
    org.clock("2026-01-01T00:00:00Z")
    org.post("/taxes", {"tax": {"name": "T", "code": "tax", "rate": "7.5"}})
    for kind in ("count", "sum", "unique_count"):
        metric: dict[str, Any] = {"name": kind, "code": kind, "aggregation_type": f"{kind}_agg"}
        metric |= {} if kind == "count" else {"field_name": "n"}
        metric |= {"filters": [{"key": "region", "values": ["us", "eu"]}]}
        org.post("/billable_metrics", {"billable_metric": metric})
    metric_id = org.get("/billable_metrics/sum")["billable_metric"]["lago_id"]
    for model, properties in PROPERTIES.items():
        charge = {"billable_metric_id": metric_id, "charge_model": model, "properties": properties}
        plan = {
            "name": model,
            "code": model,
            "interval": "monthly",
            "amount_cents": 1000,
            "amount_currency": "USD",
            "pay_in_advance": model == "volume",
            "charges": [charge],
        }
        org.post("/plans", {"plan": plan})
        customer = {
            "external_id": f"c-{model}",
            "billing_configuration": {"invoice_grace_period": 3},
        }
        org.post("/customers", {"customer": customer})
        subscription = {
            "external_customer_id": f"c-{model}",
            "external_id": f"s-{model}",
            "plan_code": model,
        }
        org.post("/subscriptions", {"subscription": subscription})
        event = {"external_subscription_id": f"s-{model}", "code": "sum", "properties": {"n": 12}}
        org.post("/events", {"event": {**event, "transaction_id": f"t-{model}"}})
    ended = {**subscription, "plan_code": "volume", "external_id": "s-ended"}
    org.post("/subscriptions", {"subscription": ended})
    org.drain()
    org.delete("/subscriptions/s-ended")
    _add_features(org)
    _add_parts_of_plans(org)
    for model in PROPERTIES:
        purse = {"external_customer_id": f"c-{model}", "rate_amount": "1", "currency": "USD"}
        purse |= {"code": "purse", "granted_credits": "5", "paid_credits": "3"}
        org.post("/wallets", {"wallet": purse})
    endpoint = {"webhook_url": "http://127.0.0.1:9/", "event_types": []}
    org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})
    org.clock("2026-02-01T00:30:00Z", catch_up=True)
    org.clock(NOW)
    return org


def _add_features(org: Org) -> None:
    options = {"select_options": ["a", "b"]}
    privileges: list[dict[str, Any]] = [
        {"code": "max", "value_type": "integer"},
        {"code": "mode", "value_type": "select", "config": options},
    ]
    for code in FEATURES:
        org.post("/features", {"feature": {"code": code, "privileges": privileges}})
    given = {"entitlements": {code: {"max": 10} for code in FEATURES}}
    for model in PROPERTIES:
        org.post(f"/plans/{model}/entitlements", given)
        own = {"entitlements": {"seats": {"max": 15, "mode": "a"}}}
        org.call("PATCH", f"/subscriptions/s-{model}/entitlements", own)


def _add_parts_of_plans(org: Org) -> None:
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 100, "amount_currency": "USD"}
    org.post("/add_ons", {"add_on": add_on})
    unit = {"name": "Credits", "code": "credits", "short_name": "CR"}
    org.post("/pricing_units", {"pricing_unit": unit})
    a_filter = {"values": {"region": ["us"]}, "properties": PROPERTIES["standard"]}
    org.post("/plans/standard/charges/sum/filters", {"filter": a_filter})
    fixed = {"add_on_code": "seat", "charge_model": "standard", "units": 1}
    org.post("/plans/standard/fixed_charges", {"fixed_charge": fixed})


@pytest.fixture(scope="module")
def api(gateway: Gateway, fuzzed: Org) -> Any:
    """Return the gateway's document, in which names are more likely to name something."""
    document: Document = httpx.get(f"{gateway.url}/openapi.json").raise_for_status().json()
    _name_what_is_there(document, fuzzed)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=gateway.url)
    return schema


def _name_what_is_there(document: Document, org: Org) -> None:
    ids = {
        root: [row["lago_id"] for row in org.get(f"/{root}")[root]]
        for root in ("credit_notes", "invoices", "fees", "webhook_endpoints", "billable_metrics")
    }
    models = list(PROPERTIES)
    purses = org.get("/wallets?external_customer_id=c-standard")["wallets"]
    ids["wallets"] = [row["lago_id"] for row in purses]
    bought = org.get(f"/wallets/{ids['wallets'][0]}/wallet_transactions")["wallet_transactions"]
    ids["wallet_transactions"] = [row["lago_id"] for row in bought]
    customers = [f"c-{model}" for model in models]
    subscriptions = [f"s-{model}" for model in models]
    filters = org.get("/plans/standard/charges/sum/filters")["filters"]
    inner = {**INNER, "filter_id": [row["lago_id"] for row in filters]}
    known = {
        "add_ons": ["seat"],
        "billable_metrics": ["count", "sum", "unique_count"],
        "billing_entities": [org.get("/billing_entities")["billing_entities"][0]["code"]],
        "customers": customers,
        "events": [f"t-{model}" for model in models],
        "features": list(FEATURES),
        "plans": models,
        "pricing_units": ["credits"],
        "subscriptions": subscriptions,
        "taxes": ["tax"],
        **ids,
    }
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                names = known.get(path.split("/")[3] if path.startswith("/api") else "")
                names = inner.get(parameter["name"], names)
                if parameter["in"] == "path" and names:
                    _prefer(parameter["schema"], names)
                elif parameter["name"] == "external_subscription_id":
                    _prefer(parameter["schema"], subscriptions)
    schemas = document["components"]["schemas"]
    wishes = {
        ("SubscriptionIn", "plan_code"): models,
        ("SubscriptionIn", "external_customer_id"): customers,
        ("SubscriptionIn", "subscription_at"): [
            "2026-02-15T00:00:00Z",
            "2026-09-01T12:00:00+02:00",
        ],
        ("SubscriptionIn", "ending_at"): ["2027-01-01T00:00:00Z"],
        ("PreviewIn", "plan_code"): models,
        ("PreviewIn", "subscription_at"): ["2026-02-15T00:00:00Z", "1999-12-31T23:59:59Z"],
        ("PreviewCustomerIn", "external_id"): customers,
        ("PreviewSubscriptionsIn", "plan_code"): models,
        ("PreviewSubscriptionsIn", "terminated_at"): ["2027-01-01T00:00:00Z"],
        ("WalletIn", "external_customer_id"): customers,
        ("WalletTransactionIn", "wallet_id"): ids["wallets"],
        ("EventIn", "code"): known["billable_metrics"],
        ("EventIn", "external_subscription_id"): subscriptions,
        ("ChargeIn", "billable_metric_id"): ids["billable_metrics"],
        ("FixedChargeIn", "add_on_code"): known["add_ons"],
        ("AppliedPricingUnitIn", "code"): known["pricing_units"],
        ("CustomerIn", "timezone"): ["Asia/Kathmandu", "America/St_Johns"],
        ("OrganizationChange", "timezone"): ["UTC", "Pacific/Apia"],
        # nobody listens there, and nobody else is bothered
        ("WebhookEndpointIn", "webhook_url"): ["http://127.0.0.1:9/hooks", "ftp://x", "x"],
        ("WebhookEndpointChange", "webhook_url"): ["http://127.0.0.1:9/others"],
        ("OrganizationChange", "webhook_url"): ["http://127.0.0.1:9/mine"],
    }
    values = {"type": "object", "properties": {"max": {"type": "integer"}, "mode": {}}}
    entitled = {"properties": dict.fromkeys(FEATURES, values), "additionalProperties": False}
    schemas["WantedEntitlements"].update(entitled)
    schemas["PreviewSubscriptionsIn"]["properties"]["external_ids"] = {
        "type": "array",
        "items": {"type": "string", "enum": [*subscriptions, "nowhere/at all"]},
    }
    for (owner, field), names in wishes.items():
        schemas[owner]["properties"][field] = {"type": "string", "enum": [*names, "nowhere/at all"]}


def _prefer(schema: dict[str, Any], names: list[str]) -> None:
    schema.clear()
    schema.update({"type": "string", "enum": [*names, "nowhere/at all"]})


def call_all(operation: Any, headers: dict[str, str]) -> None:
    """Call an operation with many bodies and parameters, fitting ones and others."""

    @settings(
        max_examples=EXAMPLES_PER_OPERATION,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @given(
        case=strategies.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )
    )
    def call(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    call()


@pytest.mark.parametrize("one", DESCRIBED, ids=lambda one: one.operation_id)
def test_answers_are_as_documented(gateway: Gateway, api: Any, fuzzed: Org, one: Listed) -> None:
    headers = {"Authorization": f"Bearer {fuzzed.key}"}
    if one.path.startswith("/admin/"):
        headers = {"X-Admin-API-Key": gateway.admin_key}
    call_all(api[one.path][one.method], headers)
