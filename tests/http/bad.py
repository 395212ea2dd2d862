"""Requests that must be refused, and how."""

from typing import Any
from uuid import UUID

NOW = "2026-01-10T00:00:00Z"
DIGITS_400 = "9" * 400
TIER = {"per_unit_amount": "1", "flat_amount": "0"}


def event(transaction_id: Any, **fields: Any) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "external_subscription_id": "s",
        "code": "calls",
        "properties": {"n": 1},
        **fields,
    }


def metric(**fields: Any) -> dict[str, Any]:
    return {
        "billable_metric": {
            "name": "M",
            "code": "m",
            "aggregation_type": "sum_agg",
            "field_name": "n",
            **fields,
        }
    }


def plan(**fields: Any) -> dict[str, Any]:
    return {
        "plan": {
            "name": "New",
            "code": "new",
            "interval": "monthly",
            "amount_cents": 100,
            "amount_currency": "EUR",
            "pay_in_advance": False,
            **fields,
        }
    }


# path, body, what stands under `error_details`
FIELDS: dict[str, tuple[str, dict[str, Any], dict[str, list[str]]]] = {
    "nothing mandatory": (
        "/taxes",
        {"tax": {"description": "x"}},
        {
            "name": ["value_is_mandatory"],
            "code": ["value_is_mandatory"],
            "rate": ["value_is_mandatory"],
        },
    ),
    "rate as word": (
        "/taxes",
        {"tax": {"name": "x", "code": "x", "rate": "much"}},
        {"rate": ["value_is_invalid"]},
    ),
    "rate below zero": (
        "/taxes",
        {"tax": {"name": "x", "code": "x", "rate": -1}},
        {"rate": ["value_is_out_of_range"]},
    ),
    "rate not finite": (
        "/taxes",
        {"tax": {"name": "x", "code": "x", "rate": "NaN"}},
        {"rate": ["value_is_out_of_range"]},
    ),
    "rate of 400 digits": (
        "/taxes",
        {"tax": {"name": "x", "code": "x", "rate": DIGITS_400}},
        {"rate": ["value_is_out_of_range"]},
    ),
    "rate of 500 places": (
        "/taxes",
        {"tax": {"name": "x", "code": "x", "rate": "1." + "1" * 500}},
        {"rate": ["value_is_out_of_range"]},
    ),
    "rate as list is dropped": (
        "/taxes",
        {"tax": {"name": "x", "code": "x", "rate": [1]}},
        {"rate": ["value_is_mandatory"]},
    ),
    "unknown aggregation": (
        "/billable_metrics",
        metric(aggregation_type="median_agg"),
        {"aggregation_type": ["value_is_invalid"]},
    ),
    "taken code": ("/billable_metrics", metric(code="calls"), {"code": ["value_already_exist"]}),
    "blank name": ("/billable_metrics", metric(name=""), {"name": ["value_is_mandatory"]}),
    "long name": ("/billable_metrics", metric(name="x" * 256), {"name": ["value_is_too_long"]}),
    "NUL in a name": ("/billable_metrics", metric(name="a\0b"), {"name": ["value_is_invalid"]}),
    "negative price": (
        "/plans",
        plan(amount_cents=-1),
        {"amount_cents": ["value_is_out_of_range"]},
    ),
    "huge price": (
        "/plans",
        plan(amount_cents=int(DIGITS_400)),
        {"amount_cents": ["value_is_out_of_range"]},
    ),
    "price with a fraction": (
        "/plans",
        plan(amount_cents=1.5),
        {"amount_cents": ["value_is_invalid"]},
    ),
    "price as word": ("/plans", plan(amount_cents="ten"), {"amount_cents": ["value_is_invalid"]}),
    "unknown interval": ("/plans", plan(interval="daily"), {"interval": ["value_is_invalid"]}),
    "unknown currency": (
        "/plans",
        plan(amount_currency="EURO"),
        {"amount_currency": ["invalid_currency"]},
    ),
    "unknown country": (
        "/customers",
        {"customer": {"external_id": "x", "country": "XX"}},
        {"country": ["not_a_valid_country_code"]},
    ),
    "unknown time zone": (
        "/customers",
        {"customer": {"external_id": "x", "timezone": "Mars/Olympus"}},
        {"timezone": ["invalid_timezone"]},
    ),
    "bad email": (
        "/customers",
        {"customer": {"external_id": "x", "email": "nobody"}},
        {"email": ["invalid_email_format"]},
    ),
    "NUL in an external id": (
        "/customers",
        {"customer": {"external_id": "a\0"}},
        {"external_id": ["value_is_invalid"]},
    ),
    "bad start": (
        "/subscriptions",
        {
            "subscription": {
                "external_customer_id": "c",
                "external_id": "x",
                "plan_code": "p",
                "subscription_at": "soon",
            }
        },
        {"subscription_at": ["invalid_date"]},
    ),
    "subscription of somebody else": (
        "/subscriptions",
        {"subscription": {"external_customer_id": "d", "external_id": "s", "plan_code": "p"}},
        {"external_id": ["value_already_exist"]},
    ),
    "no URL": (
        "/webhook_endpoints",
        {"webhook_endpoint": {"webhook_url": "ftp://x"}},
        {"webhook_url": ["url_is_invalid"]},
    ),
    "event without id": (
        "/events",
        {"event": event(None)},
        {"transaction_id": ["value_is_mandatory"]},
    ),
    "event without code": (
        "/events",
        {"event": event("x", code="")},
        {"code": ["value_is_mandatory"]},
    ),
    "event at an ISO time": (
        "/events",
        {"event": event("x", timestamp=NOW)},
        {"timestamp": ["invalid_format"]},
    ),
    "event at 400 digits": (
        "/events",
        {"event": event("x", timestamp=DIGITS_400)},
        {"timestamp": ["invalid_format"]},
    ),
    "event at NaN": (
        "/events",
        {"event": event("x", timestamp="NaN")},
        {"timestamp": ["invalid_format"]},
    ),
    "event seen before": (
        "/events",
        {"event": event("first")},
        {"transaction_id": ["value_already_exist"]},
    ),
    "NUL in a transaction id": (
        "/events",
        {"event": event("a\0")},
        {"transaction_id": ["value_is_invalid"]},
    ),
    "NUL in a property": (
        "/events",
        {"event": event("x", properties={"n": "a\0"})},
        {"properties": ["value_is_invalid"]},
    ),
    "property of 400 digits": (
        "/events",
        {"event": event("x", precise_total_amount_cents=DIGITS_400)},
        {"precise_total_amount_cents": ["value_is_out_of_range"]},
    ),
}
# charge model, properties, the codes they are refused by
PRICES: dict[str, tuple[str, Any, list[str]]] = {
    "negative": ("standard", {"amount": "-1"}, ["invalid_amount"]),
    "number": ("standard", {"amount": 1}, ["invalid_amount"]),
    "word": ("standard", {"amount": "one"}, ["invalid_amount"]),
    "NaN": ("standard", {"amount": "NaN"}, ["invalid_amount"]),
    "1e400": ("standard", {"amount": "1e400"}, ["invalid_amount"]),
    "400 digits": ("standard", {"amount": DIGITS_400}, ["invalid_amount"]),
    "missing": ("standard", {"rate": "1"}, ["invalid_amount"]),
    "package of nothing": (
        "package",
        {"amount": "1", "package_size": 0, "free_units": 0},
        ["invalid_package_size"],
    ),
    "negative free units": (
        "package",
        {"amount": "1", "package_size": 1, "free_units": -1},
        ["invalid_free_units"],
    ),
    "negative rate": ("percentage", {"rate": "-1"}, ["invalid_rate"]),
    "no tiers": ("graduated", {"graduated_ranges": []}, ["missing_graduated_ranges"]),
    "unsorted tiers": (
        "graduated",
        {
            "graduated_ranges": [
                {"from_value": 11, "to_value": None, **TIER},
                {"from_value": 0, "to_value": 10, **TIER},
            ]
        },
        ["invalid_graduated_ranges"],
    ),
    "overlapping tiers": (
        "volume",
        {
            "volume_ranges": [
                {"from_value": 0, "to_value": 10, **TIER},
                {"from_value": 5, "to_value": None, **TIER},
            ]
        },
        ["invalid_volume_ranges"],
    ),
    "tiers without end": (
        "volume",
        {"volume_ranges": [{"from_value": 0, "to_value": 10, **TIER}]},
        ["invalid_volume_ranges"],
    ),
    "tier with a negative price": (
        "volume",
        {
            "volume_ranges": [
                {"from_value": 0, "to_value": None, "per_unit_amount": "-1", "flat_amount": "0"}
            ]
        },
        ["invalid_amount"],
    ),
    "tiers as words": ("graduated", {"graduated_ranges": ["a"]}, ["invalid_graduated_ranges"]),
}
# method, path, body, code of the 404
REFERENCES: dict[str, tuple[str, str, Any, str]] = {
    "plan of a subscription": (
        "POST",
        "/subscriptions",
        {"subscription": {"external_customer_id": "c", "external_id": "x", "plan_code": "nope"}},
        "plan_not_found",
    ),
    "tax of a plan": ("POST", "/plans", plan(tax_codes=["nope"]), "tax_not_found"),
    "metric of a charge": (
        "POST",
        "/plans",
        plan(charges=[{"billable_metric_id": str(UUID(int=7)), "charge_model": "standard"}]),
        "billable_metrics_not_found",
    ),
    "metric by nonsense": (
        "POST",
        "/plans",
        plan(charges=[{"billable_metric_id": "nonsense", "charge_model": "standard"}]),
        "billable_metrics_not_found",
    ),
    "billing entity of a customer": (
        "POST",
        "/customers",
        {"customer": {"external_id": "x", "billing_entity_code": "nope"}},
        "billing_entity_not_found",
    ),
    "metric": ("GET", "/billable_metrics/nope", None, "billable_metric_not_found"),
    "plan": ("DELETE", "/plans/nope", None, "plan_not_found"),
    "customer": ("GET", "/customers/nope", None, "customer_not_found"),
    "subscription": ("GET", "/subscriptions/nope", None, "subscription_not_found"),
    "event": ("GET", "/events/nope", None, "event_not_found"),
    "invoice by nonsense": ("GET", "/invoices/nope", None, "invoice_not_found"),
    "fee by nonsense": ("GET", "/fees/1%2F2", None, "fee_not_found"),
    "tax to change": ("PUT", "/taxes/nope", {"tax": {"rate": 1}}, "tax_not_found"),
    "webhook endpoint": (
        "GET",
        f"/webhook_endpoints/{UUID(int=7)}",
        None,
        "webhook_endpoint_not_found",
    ),
    "customer of a list": ("GET", "/customers/nope/invoices", None, "customer_not_found"),
    "entity of a filter": (
        "GET",
        "/customers?billing_entity_codes[]=nope",
        None,
        "billing_entity_not_found",
    ),
    "encoded slash": ("GET", "/customers/a%2Fb", None, "customer_not_found"),
    "encoded slash in the way": ("GET", "/customers%2Fc", None, "resource_not_found"),
    "encoded NUL": ("GET", "/customers/a%00b", None, "resource_not_found"),
    "no such path": ("GET", "/nope", None, "resource_not_found"),
    "path below": ("GET", "/customers/c/nope", None, "resource_not_found"),
    "wrong verb": ("DELETE", "/customers", None, "resource_not_found"),
    "verb on an item": ("POST", "/plans/p", plan(), "resource_not_found"),
}
# events, what stands under `error_details`
BATCHES: dict[str, tuple[Any, dict[str, Any]]] = {
    "none": ([], {"events": ["no_events"]}),
    "no list": ("x", {"events": ["no_events"]}),
    "too many": ([event(f"m{n}") for n in range(101)], {"events": ["too_many_events"]}),
    "one without a code": (
        [event("b1"), event("b2", code=None), event("b3")],
        {"1": {"code": ["value_is_mandatory"]}},
    ),
    "one at a bad time": (
        [event("b1", timestamp="soon"), event("b2")],
        {"0": {"timestamp": ["invalid_format"]}},
    ),
    "one twice": ([event("b1"), event("b1")], {"1": {"transaction_id": ["value_already_exist"]}}),
    "one stored before": (
        [event("b1"), event("first")],
        {"1": {"transaction_id": ["value_already_exist"]}},
    ),
    "one no object": (
        [event("b1"), 7],
        {"1": {"transaction_id": ["value_is_mandatory"], "code": ["value_is_mandatory"]}},
    ),
}
