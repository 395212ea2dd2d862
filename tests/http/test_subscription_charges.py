"""The charges and fixed charges of one subscription through HTTP."""

from typing import Any

import pytest

from tests.support.billing import (
    add_metric,
    add_plan,
    add_tax,
    charge,
    current_usage,
    only_invoice,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org

OWN = "/subscriptions/s1/charges"
FILTERS = f"{OWN}/usage/filters"
ADD_ON = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
IN_US = {"values": {"region": ["us"]}, "properties": {"amount": "2"}}
IN_EU = {"values": {"region": ["eu"]}, "properties": {"amount": "3"}}


def sold(org: Org) -> dict[str, Any]:
    """Subscribe s1 to a plan of 1.00 a unit of usage, 2.00 in the US, and two seats."""
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "20")
    metric = add_metric(org, "usage", filters=[{"key": "region", "values": ["us", "eu"]}])
    org.post("/add_ons", {"add_on": ADD_ON})
    usage = charge(metric, "standard", {"amount": "1"}, filters=[IN_US])
    seat = {"add_on_code": "seat", "charge_model": "standard", "properties": {"amount": "5"}}
    plan = add_plan(org, amount_cents=0, charges=[usage], fixed_charges=[seat | {"units": 2}])
    subscribe(org)
    return plan


def use(org: Org, name: str, region: str) -> None:
    """Send 10 units of a region."""
    event = usage_event(name) | {"properties": {"value": "10", "region": region}}
    org.post("/events", {"event": event})


def test_a_price_of_ones_own(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    plan = sold(org)
    (usage,) = plan["charges"]
    assert org.get(OWN)["charges"] == [usage] == [org.get(f"{OWN}/usage")["charge"]]
    wanted = {
        "invoice_display_name": "My usage",
        "min_amount_cents": 100,
        "properties": {"amount": "0.1"},
        "tax_codes": ["vat"],
        "charge_model": "standard",
        "code": "other",
        "pay_in_advance": True,
    }
    mine = org.put(f"{OWN}/usage", {"charge": wanted})["charge"]
    assert mine["lago_parent_id"] == usage["lago_id"]
    assert (mine["invoice_display_name"], mine["min_amount_cents"]) == ("My usage", 100)
    assert (mine["code"], mine["pay_in_advance"]) == ("usage", False)
    assert [one["code"] for one in mine["taxes"]] == ["vat"]
    assert [one["properties"] for one in mine["filters"]] == [{"amount": "2"}]
    again = org.call("PATCH", f"{OWN}/usage", {"charge": {"properties": {"amount": "0.2"}}})
    assert again["charge"]["lago_id"] == mine["lago_id"], "forked once"
    assert again["charge"]["min_amount_cents"] == 100
    assert org.get("/plans/basic")["plan"] == plan
    use(org, "t1", "eu")
    assert current_usage(org)["amount_cents"] == 200


def test_filters_of_ones_own(org: Org) -> None:
    plan = sold(org)
    (theirs,) = plan["charges"][0]["filters"]
    assert [one["lago_id"] for one in org.get(FILTERS)["filters"]] == [theirs["lago_id"]]
    # the plan's id goes on to mean the copy
    path = f"{FILTERS}/{theirs['lago_id']}"
    mine = org.put(path, {"filter": {"properties": {"amount": "9"}}})["filter"]
    assert mine["lago_id"] != theirs["lago_id"]
    assert mine == org.get(path)["filter"] == org.get(f"{FILTERS}/{mine['lago_id']}")["filter"]
    assert mine["charge_code"] == "usage"
    added = org.post(FILTERS, {"filter": IN_EU})["filter"]
    assert [one["lago_id"] for one in org.get(FILTERS)["filters"]] == [
        mine["lago_id"],
        added["lago_id"],
    ]
    use(org, "t1", "us")
    use(org, "t2", "eu")
    assert current_usage(org)["amount_cents"] == 9000 + 3000
    assert org.delete(path)["filter"] == mine
    assert org.get(path, status=404)["code"] == "charge_filter_not_found"
    assert current_usage(org)["amount_cents"] == 1000 + 3000
    assert org.get("/plans/basic")["plan"] == plan
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 4000 + 1000


def test_a_fixed_charge_of_ones_own(org: Org) -> None:
    plan = sold(org)
    own = "/subscriptions/s1/fixed_charges/seat"
    wanted = {"properties": {"amount": "4"}, "invoice_display_name": "Chairs", "tax_codes": ["vat"]}
    mine = org.put(own, {"fixed_charge": wanted})["fixed_charge"]
    assert mine["lago_parent_id"] == plan["fixed_charges"][0]["lago_id"]
    assert (mine["units"], mine["invoice_display_name"]) == ("2.0", "Chairs")
    more = {"units": 3, "apply_units_immediately": True}
    assert org.put(own, {"fixed_charge": more})["fixed_charge"]["lago_id"] == mine["lago_id"]
    assert org.get(own)["fixed_charge"]["units"] == "3.0"
    assert org.get("/plans/basic")["plan"] == plan
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (fee,) = (one for one in only_invoice(org)["fees"] if one["item"]["type"] == "fixed_charge")
    assert (fee["amount_cents"], fee["taxes_amount_cents"]) == (1200, 240)


def test_the_status_says_which_row_is_meant(org: Org) -> None:
    sold(org)
    subscribe(org, external_id="s2", subscription_at="2026-05-01T00:00:00Z")
    path = "/subscriptions/s2/charges"
    assert org.get(path, status=404)["code"] == "subscription_not_found"
    assert org.get(f"{path}?subscription_status=pending")["meta"]["total_count"] == 1
    wanted = {"charge": {"properties": {"amount": "7"}}}
    mine = org.put(f"{path}/usage?status=pending", wanted)["charge"]
    assert mine["properties"] == {"amount": "7"}
    found = org.get("/subscriptions/s2?status=pending")["subscription"]["plan"]
    assert found["charges"] == [mine]


NOBODY = "00000000-0000-0000-0000-000000000000"
REFUSED: dict[str, tuple[str, str, Any, int, Any]] = {
    "no subscription": ("GET", "/subscriptions/s9/charges", None, 404, "subscription_not_found"),
    "no charge": ("PUT", f"{OWN}/none", {"charge": {"tax_codes": []}}, 404, "charge_not_found"),
    "no filter": (
        "PUT",
        f"{FILTERS}/{NOBODY}",
        {"filter": {"properties": {}}},
        404,
        "charge_filter_not_found",
    ),
    "a filter without values": ("POST", FILTERS, {"filter": {"properties": {}}}, 422, "values"),
    "no root": ("PUT", f"{OWN}/usage", {}, 400, None),
    "another model": (
        "PUT",
        f"{OWN}/usage",
        {"charge": {"charge_model": "package"}},
        403,
        "cannot_override_charge_model",
    ),
    "another model of a fixed charge": (
        "PUT",
        "/subscriptions/s1/fixed_charges/seat",
        {"fixed_charge": {"charge_model": "volume"}},
        403,
        "cannot_override_charge_model",
    ),
    "a bad price": (
        "PUT",
        f"{OWN}/usage",
        {"charge": {"properties": {"amount": 1}}},
        422,
        "properties",
    ),
}


@pytest.fixture(scope="module")
def seller(gateway: Gateway) -> Org:
    org = gateway.organization()
    sold(org)
    return org


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_makes_no_override(seller: Org, name: str) -> None:
    method, path, body, status, told = REFUSED[name]
    answer = seller.call(method, path, body, status)
    assert told in ([*answer["error_details"]] if status == 422 else [answer.get("code")])
    assert seller.get("/subscriptions?overridden=true")["subscriptions"] == []
