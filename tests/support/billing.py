"""The words tests use to set up something to bill."""

from typing import Any

from tests.support.gateway import Org


def add_tax(org: Org, code: str, rate: str, **fields: Any) -> None:
    """Create a tax; `rate` in percent."""
    org.post("/taxes", {"tax": {"name": code.upper(), "code": code, "rate": rate, **fields}})


def add_metric(org: Org, code: str, aggregation: str = "sum_agg", **fields: Any) -> str:
    """Create a billable metric over the property `value`; return its id."""
    metric = {"name": code, "code": code, "aggregation_type": aggregation, **fields}
    if aggregation != "count_agg":
        metric.setdefault("field_name", "value")
    return str(
        org.post("/billable_metrics", {"billable_metric": metric})["billable_metric"]["lago_id"]
    )


def charge(metric_id: str, model: str, properties: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a charge in arrears, as plans take it."""
    return {
        "billable_metric_id": metric_id,
        "charge_model": model,
        "properties": properties,
        **fields,
    }


def add_plan(org: Org, code: str = "basic", **fields: Any) -> dict[str, Any]:
    """Create a plan, by default 10.00 EUR a month in arrears, and return it."""
    plan = {
        "name": code,
        "code": code,
        "interval": "monthly",
        "amount_cents": 1000,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        **fields,
    }
    created: dict[str, Any] = org.post("/plans", {"plan": plan})["plan"]
    return created


def add_customer(org: Org, external_id: str = "c1", **fields: Any) -> dict[str, Any]:
    """Create or change a customer, and return it."""
    customer = {"external_id": external_id, **fields}
    created: dict[str, Any] = org.post("/customers", {"customer": customer})["customer"]
    return created


def subscribe(
    org: Org, plan: str = "basic", external_id: str = "s1", customer: str = "c1", **fields: Any
) -> dict[str, Any]:
    """Subscribe a customer, who is created if new; return the subscription."""
    subscription = {
        "external_customer_id": customer,
        "external_id": external_id,
        "plan_code": plan,
        **fields,
    }
    created: dict[str, Any] = org.post("/subscriptions", {"subscription": subscription})[
        "subscription"
    ]
    return created


def usage_event(
    transaction_id: str, code: str = "usage", subscription: str = "s1", **fields: Any
) -> dict[str, Any]:
    """Return an event of 1 unit, as the API takes it."""
    return {
        "transaction_id": transaction_id,
        "external_subscription_id": subscription,
        "code": code,
        "properties": {"value": "1"},
        **fields,
    }


def send(org: Org, transaction_id: str, value: str = "1", **fields: Any) -> dict[str, Any]:
    """Send one event with a value; return it as stored."""
    event = usage_event(transaction_id, **fields) | {"properties": {"value": value}}
    stored: dict[str, Any] = org.post("/events", {"event": event})["event"]
    return stored


def invoices(org: Org, query: str = "") -> list[dict[str, Any]]:
    """Return invoices with their fees, the oldest first."""
    listed = org.get(f"/invoices?per_page=1000&{query}")["invoices"]
    return [org.get(f"/invoices/{one['lago_id']}")["invoice"] for one in reversed(listed)]


def only_invoice(org: Org, query: str = "") -> dict[str, Any]:
    """Return the one invoice there is."""
    (found,) = invoices(org, query)
    return found


def current_usage(org: Org, customer: str = "c1", subscription: str = "s1") -> dict[str, Any]:
    """Return a customer's usage of the running period."""
    query = f"external_subscription_id={subscription}"
    found: dict[str, Any] = org.get(f"/customers/{customer}/current_usage?{query}")[
        "customer_usage"
    ]
    return found
