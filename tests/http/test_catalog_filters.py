"""Charge filters: their values, their order, and how a new list replaces the old one (3.12)."""

from typing import Any

import pytest

from tests.support.billing import add_metric, add_plan, charge, subscribe
from tests.support.gateway import Org

PATH = "/plans/basic/charges/usage/filters"
ALL = "__ALL_FILTER_VALUES__"
METRIC_FILTERS = [
    {"key": "region", "values": ["us", "eu"]},
    {"key": "size", "values": [1, 2]},
]


def a_filter(amount: str, **values: list[Any]) -> dict[str, Any]:
    return {"values": values, "properties": {"amount": amount}}


@pytest.fixture
def metric_id(org: Org) -> str:
    """Return a metric with filters, and a plan that prices it."""
    made = add_metric(org, "usage", filters=METRIC_FILTERS)
    add_plan(org, charges=[charge(made, "standard", {"amount": "1"})])
    return made


def shown(org: Org) -> list[tuple[dict[str, list[str]], str]]:
    """Return values and price of the charge's filters, in order."""
    (found,) = org.get("/plans/basic")["plan"]["charges"]
    assert found["filters"] == org.get("/plans/basic/charges/usage")["charge"]["filters"]
    return [(one["values"], one["properties"]["amount"]) for one in found["filters"]]


def test_filters_of_a_plan_keep_their_order_and_age(org: Org, metric_id: str) -> None:
    first = [a_filter("5", size=[2]), a_filter("3", region=["us"]), a_filter("4", region=[ALL])]
    priced = charge(metric_id, "standard", {"amount": "1"}, code="usage", filters=first)
    org.put("/plans/basic", {"plan": {"charges": [priced]}})
    assert shown(org) == [
        ({"size": ["2"]}, "5"),
        ({"region": ["us"]}, "3"),
        ({"region": [ALL]}, "4"),
    ]
    ids = {str(one["values"]): one["lago_id"] for one in org.get(PATH)["filters"]}
    second = [
        a_filter("4", region=[ALL]),
        {**a_filter("7", region=["eu", "us"]), "invoice_display_name": "Both"},
        a_filter("6", size=[2]),
    ]
    org.put("/plans/basic/charges/usage", {"charge": {"filters": second}})
    assert shown(org) == [
        ({"region": [ALL]}, "4"),
        ({"region": ["eu", "us"]}, "7"),
        ({"size": ["2"]}, "6"),
    ]
    listed = org.get(PATH)["filters"]
    assert [one["lago_id"] == ids.get(str(one["values"])) for one in listed] == [True, False, True]
    assert [one["invoice_display_name"] for one in listed] == [None, "Both", None]
    org.put("/plans/basic/charges/usage", {"charge": {"invoice_display_name": "Same"}})
    assert len(shown(org)) == 3, "filters that are not named stay"
    org.put("/plans/basic/charges/usage", {"charge": {"filters": []}})
    assert shown(org) == []


def test_the_same_values_in_another_order_are_the_same_filter(org: Org, metric_id: str) -> None:
    assert metric_id
    body = {"charge": {"filters": [a_filter("5", region=["us", "eu"])]}}
    org.put("/plans/basic/charges/usage", body)
    (before,) = org.get(PATH)["filters"]
    body = {"charge": {"filters": [a_filter("6", region=["eu", "us"])]}}
    org.put("/plans/basic/charges/usage", body)
    (after,) = org.get(PATH)["filters"]
    assert (after["lago_id"], after["properties"]) == (before["lago_id"], {"amount": "6"})


def test_a_filter_lives(org: Org, metric_id: str) -> None:
    assert metric_id
    subscribe(org)
    body = {**a_filter("2", region=["us"]), "invoice_display_name": "US", "cascade_updates": True}
    made = org.post(PATH, {"filter": body})["filter"]
    assert (made["charge_code"], made["invoice_display_name"]) == ("usage", "US")
    other = org.post(PATH, {"filter": a_filter("3", size=["1"])})["filter"]
    one = f"{PATH}/{made['lago_id']}"
    assert org.get(one)["filter"] == made
    assert org.get(PATH)["filters"] == [made, other]
    assert org.get(f"{PATH}?per_page=1&page=2")["filters"] == [other]
    change = {"values": {"region": ["eu"]}, "properties": {"amount": "9"}}
    changed = org.put(one, {"filter": {**change, "invoice_display_name": None}})["filter"]
    assert changed == {**made, **change, "invoice_display_name": None}
    assert shown(org) == [({"region": ["eu"]}, "9"), ({"size": ["1"]}, "3")]
    assert org.delete(one)["filter"] == changed
    assert org.get(one, 404)["code"] == "charge_filter_not_found"
    assert shown(org) == [({"size": ["1"]}, "3")]


def test_a_filter_has_the_model_of_its_charge(org: Org, metric_id: str) -> None:
    tier = {"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}
    graduated = {"graduated_ranges": [tier]}
    filters = [{"values": {"region": ["us"]}, "properties": graduated}]
    wanted = charge(metric_id, "graduated", graduated, code="usage", filters=filters)
    org.put("/plans/basic", {"plan": {"charges": [wanted]}})
    (found,) = org.get(PATH)["filters"]
    assert found["properties"] == graduated
    # the charge cannot become another kind while a filter is of the old one
    answer = org.put("/plans/basic/charges/usage", {"charge": {"charge_model": "standard"}}, 422)
    assert answer["error_details"] == {"properties": ["invalid_amount"]}
    change = {"charge_model": "standard", "filters": [a_filter("2", region=["us"])]}
    changed = org.put("/plans/basic/charges/usage", {"charge": change})["charge"]
    assert (changed["properties"], changed["filters"][0]["properties"]) == (
        {"amount": "0"},
        {"amount": "2"},
    )


def test_groups_of_a_filter(org: Org, metric_id: str) -> None:
    assert metric_id
    keys = {
        "amount": "1",
        "pricing_group_keys": ["project"],
        "presentation_group_keys": [{"value": "user"}],
    }
    body = {"filter": {"values": {"region": ["us"]}, "properties": keys}}
    made = org.post(PATH, body)["filter"]
    assert made["properties"] == {
        "amount": "1",
        "pricing_group_keys": ["project"],
        "grouped_by": ["project"],
    }, "presentation keys belong to charges alone"


def test_a_filter_without_a_price_has_the_default_one(org: Org, metric_id: str) -> None:
    assert metric_id
    made = org.post(PATH, {"filter": {"values": {"region": ["us"]}}})["filter"]
    assert made["properties"] == {"amount": "0"}


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "value_is_mandatory"),
    "no keys": ({}, "value_is_mandatory"),
    "no values": ({"region": []}, "value_is_mandatory"),
    "not an object": (["us"], "value_is_mandatory"),
    "unknown key": ({"color": ["red"]}, "value_is_invalid"),
    "ALL of an unknown key": ({"color": [ALL]}, "value_is_invalid"),
    "unknown value": ({"region": ["us", "mars"]}, "value_is_invalid"),
    "ALL and more": ({"region": [ALL, "us"]}, "value_is_invalid"),
    "ALL twice": ({"region": [ALL, ALL]}, "value_is_invalid"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_are_refused(org: Org, metric_id: str, name: str) -> None:
    values, code = REFUSED[name]
    body = {"values": values, "properties": {"amount": "1"}}
    details = {"values": [code]}
    assert org.post(PATH, {"filter": body}, 422)["error_details"] == details
    wanted = charge(metric_id, "standard", {"amount": "1"}, code="usage", filters=[body])
    answer = org.put("/plans/basic", {"plan": {"charges": [wanted]}}, 422)
    assert answer["error_details"] == details
    assert org.get(PATH)["filters"] == []


def test_a_filter_cannot_become_wrong(org: Org, metric_id: str) -> None:
    assert metric_id
    good = org.post(PATH, {"filter": a_filter("1", region=["us"])})["filter"]
    for values, code in REFUSED.values():
        change = {"filter": {"values": values}}
        if isinstance(values, list):
            continue  # of the wrong shape, so not given at all
        answer = org.put(f"{PATH}/{good['lago_id']}", change, 422)
        assert answer["error_details"] == {"values": [code]}
    assert org.get(PATH)["filters"] == [good]


def test_prices_that_are_refused(org: Org, metric_id: str) -> None:
    assert metric_id
    for properties in ({"amount": 1}, {"amount": "x"}, {"rate": "1"}):
        body = {"filter": {"values": {"region": ["us"]}, "properties": properties}}
        assert org.post(PATH, body, 422)["error_details"] == {"properties": ["invalid_amount"]}
    assert org.get(PATH)["filters"] == []


def test_filters_of_unknown_owners(org: Org, metric_id: str) -> None:
    assert metric_id
    body = {"filter": a_filter("1", region=["us"])}
    made = org.post(PATH, body)["filter"]["lago_id"]
    for path, code in (
        (f"/plans/none/charges/usage/filters/{made}", "plan_not_found"),
        (f"/plans/basic/charges/none/filters/{made}", "charge_not_found"),
        (f"{PATH}/00000000-0000-0000-0000-000000000000", "charge_filter_not_found"),
        (f"{PATH}/x", "charge_filter_not_found"),
    ):
        for method in ("GET", "PUT", "DELETE"):
            assert org.call(method, path, body, 404)["code"] == code
    add_plan(org, "other", charges=[charge(metric_id, "standard", {"amount": "1"})])
    foreign = f"/plans/other/charges/usage/filters/{made}"
    assert org.get(foreign, 404)["code"] == "charge_filter_not_found"
    assert org.post("/plans/basic/charges/none/filters", body, 404)["code"] == "charge_not_found"
