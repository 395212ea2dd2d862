"""One organization can neither see nor touch anything of another."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    current_usage,
    invoices,
    send,
    subscribe,
)
from tests.support.coupons import add_coupon, give
from tests.support.gateway import Gateway, Org

LISTS = (
    "add_ons",
    "applied_coupons",
    "billable_metrics",
    "coupons",
    "credit_notes",
    "customers",
    "events",
    "features",
    "fees",
    "invoices",
    "plans",
    "pricing_units",
    "subscriptions",
    "taxes",
    "webhook_endpoints",
)
ROOTS = {
    "add_ons": "add_on",
    "billable_metrics": "billable_metric",
    "coupons": "coupon",
    "credit_notes": "credit_note",
    "customers": "customer",
    "features": "feature",
    "fees": "fee",
    "invoices": "invoice",
    "plans": "plan",
    "subscriptions": "subscription",
    "taxes": "tax",
    "wallets": "wallet",
    "webhook_endpoints": "webhook_endpoint",
}
CHANGES: dict[str, dict[str, Any]] = {
    "alerts": {
        "alert_type": "current_usage_amount",
        "code": "mine",
        "thresholds": [{"value": 1}],
    },
    "fees": {"payment_status": "succeeded"},
    "invoices": {"payment_status": "succeeded"},
    "lifetime_usage": {"external_historical_usage_amount_cents": 1},
    "wallets": {"rate_amount": "1", "currency": "EUR"},
}
# every organization has a billing entity of this code, its own
OF_ITS_OWN = {"billing_entities"}
# what a second or third parameter of a path names
INNER = {
    "applied_coupon_id": "00000000-0000-0000-0000-000000000000",
    "charge_code": "usage",
    "code": "watch",
    "feature_code": "seats",
    "filter_id": "00000000-0000-0000-0000-000000000000",
    "fixed_charge_code": "seat",
    "key": "tier",
    "privilege_code": "max",
    "wallet_code": "watch",
}
# the parts of a plan or a subscription that have a body of their own
PARTS = {
    "alerts": "alert",
    "charges": "charge",
    "filters": "filter",
    "fixed_charges": "fixed_charge",
    "lifetime_usage": "lifetime_usage",
    "metadata": "metadata",
    "wallets": "wallet",
}
PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Tenant:
    """An organization with one of everything; `ids` says how each is addressed."""

    org: Org
    ids: dict[str, str]

    def everything(self) -> dict[str, Any]:
        """Return all that its own key shows, without links, which hold the time."""
        found: dict[str, Any] = {name: self.org.get(f"/{name}") for name in LISTS}
        for invoice in found["invoices"]["invoices"]:
            invoice.pop("file_url")
        return {
            **found,
            "ended": self.org.get("/subscriptions?status[]=terminated&status[]=canceled"),
            "plan_entitlements": self.org.get("/plans/basic/entitlements"),
            "entitlements": self.org.get("/subscriptions/s1/entitlements"),
            "usage": current_usage(self.org),
            "alerts": self.org.get("/subscriptions/s1/alerts"),
            "wallets": self.org.get("/wallets?external_customer_id=c1"),
            "wallet_alerts": self.org.get("/customers/c1/wallets/watch/alerts"),
            "organization": self.org.get("/organizations"),
            "clock": self.org.get("/test_clock"),
        }


def settled(gateway: Gateway) -> Tenant:
    """Return a tenant with a billed month, usage, and an endpoint nobody answers at."""
    org = gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    metric_id = add_metric(org, "usage")
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "1"})])
    add_customer(org, name="Theirs")
    subscribe(org)
    privileges = [{"code": "max", "value_type": "integer"}]
    org.post("/features", {"feature": {"code": "seats", "privileges": privileges}})
    org.post("/plans/basic/entitlements", {"entitlements": {"seats": {"max": 10}}})
    own = {"entitlements": {"seats": {"max": 15}}}
    org.call("PATCH", "/subscriptions/s1/entitlements", own)
    watch = {"alert_type": "current_usage_amount", "code": "watch", "thresholds": [{"value": 9}]}
    org.post("/subscriptions/s1/alerts", {"alert": watch})
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
    org.post("/add_ons", {"add_on": add_on})
    unit = {"name": "Credits", "code": "credits", "short_name": "CR"}
    org.post("/pricing_units", {"pricing_unit": unit})
    purse = {"external_customer_id": "c1", "rate_amount": "1", "currency": "EUR", "code": "watch"}
    wallet = org.post("/wallets", {"wallet": {**purse, "granted_credits": "1"}})["wallet"]
    low = {**watch, "alert_type": "wallet_balance_amount"}
    org.post("/customers/c1/wallets/watch/alerts", {"alert": low})
    add_coupon(org, amount_cents=1)
    give(org)
    send(org, "t1", "5")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    send(org, "t2", "3")
    endpoint = {"webhook_url": "http://192.0.2.1/", "event_types": ["invoice.voided"]}
    made = org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})["webhook_endpoint"]
    (invoice,) = invoices(org)
    add_plan(org, "first", pay_in_advance=True)
    subscribe(org, "first", "s-ended")
    org.drain()
    org.delete("/subscriptions/s-ended")
    org.drain()
    (note,) = org.get("/credit_notes")["credit_notes"]
    *_, entry = org.get(f"/wallets/{wallet['lago_id']}/wallet_transactions")["wallet_transactions"]
    ids = {
        "add_ons": "seat",
        "billable_metrics": "usage",
        "coupons": "ten",
        "credit_notes": note["lago_id"],
        "customers": "c1",
        "events": "t1",
        "features": "seats",
        "fees": invoice["fees"][0]["lago_id"],
        "invoices": invoice["lago_id"],
        "plans": "basic",
        "pricing_units": "credits",
        "subscriptions": "s1",
        "taxes": "vat",
        "wallets": wallet["lago_id"],
        "wallet_transactions": entry["lago_id"],
        "webhook_endpoints": made["lago_id"],
    }
    return Tenant(org, ids)


@pytest.fixture(scope="module")
def theirs(gateway: Gateway) -> Tenant:
    return settled(gateway)


@pytest.fixture
def stranger(gateway: Gateway) -> Org:
    """Return an organization that owns nothing."""
    return gateway.organization("Stranger")


def foreign_requests(gateway: Gateway, ids: dict[str, str]) -> Iterator[tuple[str, str, Any]]:
    """Return each documented operation on one thing, with the other's id and a good body."""
    documented = httpx.get(f"{gateway.url}/openapi.json").json()["paths"]
    for path, methods in documented.items():
        resource = path.removeprefix("/api/v1/").partition("/")[0]
        if not path.startswith("/api/v1/") or not PARAMETER.search(path) or resource in OF_ITS_OWN:
            continue
        assert resource in ids, f"say how a foreign one is addressed: {path}"
        for method in methods.keys() & {"get", "put", "patch", "post", "delete"}:
            body = foreign_body(path, method)
            filled = PARAMETER.sub(ids[resource], path.removeprefix("/api/v1"), count=1)
            filled = PARAMETER.sub(lambda found: INNER[found[1]], filled)
            query = "?external_subscription_id=s1" if "usage" in filled else ""
            yield method.upper(), filled + query, body


def foreign_body(path: str, method: str) -> dict[str, Any] | None:
    """Return what would change the thing a path names, or the part of it."""
    places = [place for place in path.removeprefix("/api/v1/").split("/") if place[0] != "{"]
    if places[-1] in PARTS and method != "get":
        change = CHANGES.get(places[-1], {"invoice_display_name": "Mine now"})
        return {PARTS[places[-1]]: change}
    if method not in {"put", "patch"}:
        return None
    return {ROOTS[places[0]]: CHANGES.get(places[0], {"name": "Mine now"})}


def test_foreign_ids_are_unknown(gateway: Gateway, theirs: Tenant, stranger: Org) -> None:
    before = theirs.everything()
    asked = 0
    for method, path, body in foreign_requests(gateway, theirs.ids):
        asked += 1
        if "/past_usage" in path:  # of nobody, as of a stranger's customer: an empty list
            assert stranger.call(method, path, body)["usage_periods"] == []
            continue
        answer = stranger.call(method, path, body, 404)
        assert answer["code"].endswith("_not_found"), path
    assert asked >= 30, "the operations were not found in the reference"
    assert theirs.everything() == before
    # the same requests would have worked with the right key
    for resource, name in theirs.ids.items():
        theirs.org.get(f"/{resource}/{name}")


def test_lists_show_only_ones_own(theirs: Tenant, stranger: Org) -> None:
    for name in LISTS:
        assert theirs.org.get(f"/{name}")["meta"]["total_count"] > 0
        assert stranger.get(f"/{name}")["meta"]["total_count"] == 0
    narrowed = f"/fees?external_subscription_id=s1&external_customer_id={theirs.ids['customers']}"
    assert stranger.get(narrowed)["fees"] == []
    assert stranger.get("/events?external_subscription_id=s1&code=usage")["events"] == []


def test_foreign_references_in_bodies_are_unknown(theirs: Tenant, stranger: Org) -> None:
    metric = theirs.org.get("/billable_metrics/usage")["billable_metric"]["lago_id"]
    plan = {
        "name": "N",
        "code": "n",
        "interval": "monthly",
        "amount_cents": 1,
        "amount_currency": "EUR",
        "pay_in_advance": False,
    }
    usage = charge(metric, "standard", {"amount": "1"})
    stranger.post("/plans", {"plan": {**plan, "charges": [usage]}}, 404)
    stranger.post("/plans", {"plan": {**plan, "tax_codes": ["vat"]}}, 404)
    stranger.post("/customers", {"customer": {"external_id": "x", "tax_codes": ["vat"]}}, 404)
    subscription = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic"}
    stranger.post("/subscriptions", {"subscription": subscription}, 404)
    rows = {"external_ids": ["s1"]}
    for asked in ({"plan_code": "basic"}, {"subscriptions": rows}):
        stranger.post("/invoices/preview", {"customer": {"external_id": "c1"}, **asked}, 404)
        stranger.post("/invoices/preview", {"customer": {"name": "N"}, **asked}, 404)
    note = theirs.org.post(
        "/customers", {"customer": {"external_id": "c1", "metadata": [{"key": "k", "value": "v"}]}}
    )["customer"]["metadata"][0]
    mine = add_customer(
        stranger, "m1", metadata=[{"id": note["lago_id"], "key": "k", "value": "stolen"}]
    )
    assert mine["metadata"][0]["lago_id"] != note["lago_id"]
    assert theirs.org.get("/customers/c1")["customer"]["metadata"] == [note]
    assert stranger.get("/plans")["meta"]["total_count"] == 0


def test_the_same_names_in_two_organizations(any_gateway: Gateway) -> None:
    first, second = settled(any_gateway), settled(any_gateway)
    kept = second.everything()
    send(first.org, "t3", "100")
    first.org.put("/plans/basic", {"plan": {"amount_cents": 5}})
    first.org.delete("/subscriptions/s1")
    first.org.delete("/billable_metrics/usage")
    first.org.delete("/customers/c1")
    first.org.drain()
    assert second.everything() == kept
    refused = second.org.post(
        "/events",
        {"event": {"transaction_id": "t1", "external_subscription_id": "s1", "code": "usage"}},
        422,
    )
    assert refused["error_details"] == {"transaction_id": ["value_already_exist"]}


def test_no_key_no_answer(gateway: Gateway, theirs: Tenant) -> None:
    for method, path, body in foreign_requests(gateway, theirs.ids):
        answer = httpx.request(method, f"{gateway.url}/api/v1{path}", json=body)
        assert (answer.status_code, answer.json()) == (
            401,
            {"status": 401, "error": "Unauthorized"},
        )
    for name in LISTS:
        assert httpx.get(f"{gateway.url}/api/v1/{name}").status_code == httpx.codes.UNAUTHORIZED
    assert httpx.get(f"{gateway.url}/admin/organizations/{theirs.org.id}").status_code == 401
    key = {"X-Admin-API-Key": theirs.org.key}
    found = httpx.get(f"{gateway.url}/admin/organizations/{theirs.org.id}", headers=key)
    assert found.status_code == httpx.codes.UNAUTHORIZED
