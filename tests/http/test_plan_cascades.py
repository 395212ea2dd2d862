"""`cascade_updates` through HTTP: overrides follow their plan where they say what it said."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.advance import pay, shown
from tests.support.billing import (
    add_metric,
    add_plan,
    add_tax,
    charge,
    current_usage,
    invoices,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org

START = "2026-01-01T00:00:00Z"
ADD_ON = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
USAGE = "/plans/basic/charges/usage"
SEATS = "/plans/basic/fixed_charges/seat"
NAMED = {"name": "Mine"}
SEAT = {
    "add_on_code": "seat",
    "charge_model": "standard",
    "units": 10,
    "properties": {"amount": "10"},
}


def family(org: Org, **overrides: dict[str, Any]) -> dict[str, Any]:
    """Create a plan with a charge and a seat, and an overridden subscription for each name."""
    org.clock(START)
    metric = add_metric(org, "usage", filters=[{"key": "region", "values": ["us", "eu", "asia"]}])
    org.post("/add_ons", {"add_on": ADD_ON})
    in_us = {"values": {"region": ["us"]}, "properties": {"amount": "2"}}
    usage = charge(metric, "standard", {"amount": "1"}, filters=[in_us])
    plan = add_plan(org, charges=[usage], fixed_charges=[SEAT])
    for name, override in (overrides or {"s1": NAMED}).items():
        subscribe(org, external_id=name, customer=name, plan_overrides=override)
    org.drain()
    return plan


def edit(org: Org, method: str, path: str, root: str, **fields: Any) -> None:
    """Change a part of the plan with `cascade_updates`, and wait for what follows."""
    org.call(method, path, {root: {**fields, "cascade_updates": True}})
    org.drain()


def own(org: Org, name: str = "s1") -> dict[str, Any]:
    """Return the plan of a subscription."""
    found: dict[str, Any] = org.get(f"/subscriptions/{name}")["subscription"]["plan"]
    return found


def amounts(rows: list[dict[str, Any]]) -> list[str]:
    """Return the prices of charges, fixed charges or filters."""
    return [row["properties"]["amount"] for row in rows]


def test_the_amount_is_followed_by_those_who_had_it(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    family(org, s1=NAMED, s2={"amount_cents": 1234}, s3=NAMED)
    org.delete("/subscriptions/s3")
    edit(org, "PUT", "/plans/basic", "plan", amount_cents=2000, name="New", description="New")
    assert (own(org)["amount_cents"], own(org)["name"], own(org)["description"]) == (
        2000,
        "Mine",
        None,
    )
    assert own(org, "s2")["amount_cents"] == 1234
    ended = org.get("/subscriptions/s3?status=terminated")["subscription"]
    assert ended["plan_amount_cents"] == 1000, "nobody lives there anymore"
    org.put("/plans/basic", {"plan": {"amount_cents": 3000}})
    org.drain()
    assert own(org)["amount_cents"] == 2000, "cascading has to be asked for"


def test_taxes_and_commitments_never_cascade(org: Org) -> None:
    family(org)
    add_tax(org, "vat", "20")
    commitment = {"amount_cents": 77}
    edit(org, "PUT", "/plans/basic", "plan", tax_codes=["vat"], minimum_commitment=commitment)
    assert (own(org)["taxes"], own(org)["minimum_commitment"]) == ([], None)


def test_a_price_is_followed_by_those_who_had_it(org: Org) -> None:
    plan = family(org, s1=NAMED, s2=NAMED)
    mine = {"charge": {"properties": {"amount": "9"}}}
    org.put("/subscriptions/s2/charges/usage", mine)
    keys = {"pricing_group_keys": ["region"]}
    send(org, "t1", "100")
    edit(org, "PUT", USAGE, "charge", properties={"amount": "3", **keys})
    grouped = {"grouped_by": ["region"], **keys}
    assert own(org)["charges"][0]["properties"] == {"amount": "3", **grouped}
    assert own(org, "s2")["charges"][0]["properties"] == {"amount": "9", **grouped}, "keys are"
    assert current_usage(org, "s1")["amount_cents"] == 30000
    (usage,) = plan["charges"]
    again = {"id": usage["lago_id"], "properties": {"amount": "4"}, "filters": []}
    edit(org, "PUT", "/plans/basic", "plan", charges=[again])
    assert amounts(own(org)["charges"]) == ["4"]
    assert own(org)["charges"][0]["filters"] == own(org, "s2")["charges"][0]["filters"] == []
    assert own(org, "s2")["charges"][0]["properties"] == {"amount": "9"}


def test_charges_come_and_go(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    plan = family(org)
    metric = plan["charges"][0]["lago_billable_metric_id"]
    one = charge(metric, "standard", {"amount": "5"}, pay_in_advance=True, invoiceable=False)
    path = "/plans/basic/charges"
    edit(org, "POST", path, "charge", **one, code="early")
    assert [one["code"] for one in own(org)["charges"]] == ["usage", "early"]
    assert own(org)["charges"][1]["lago_parent_id"] is not None
    assert shown(pay(org, value="2")) == ("2.0", 1000)
    edit(org, "DELETE", USAGE, "charge")
    assert [one["code"] for one in own(org)["charges"]] == ["early"]
    org.delete(f"{path}/early")
    org.drain()
    assert [one["code"] for one in own(org)["charges"]] == ["early"]
    # a code may move to another charge within one request
    usage = charge(metric, "standard", {"amount": "6"}, code="usage")
    edit(org, "PUT", "/plans/basic", "plan", charges=[usage])
    assert sorted(amounts(own(org)["charges"])) == ["5", "6"]


def test_filters_follow_one_by_one(org: Org) -> None:
    plan = family(org)
    (in_us,) = plan["charges"][0]["filters"]
    filters = f"{USAGE}/filters"
    edit(org, "POST", filters, "filter", values={"region": ["eu"]}, properties={"amount": "3"})
    edit(org, "PUT", f"{filters}/{in_us['lago_id']}", "filter", values={"region": ["us", "asia"]})
    found = own(org)["charges"][0]["filters"]
    assert [one["values"] for one in found] == [{"region": ["us", "asia"]}, {"region": ["eu"]}]
    assert amounts(found) == ["2", "3"]
    edit(org, "DELETE", f"{filters}/{in_us['lago_id']}", "filter")
    assert amounts(own(org)["charges"][0]["filters"]) == ["3"]
    # one of the subscription's own is not doubled
    mine = {"values": {"region": ["asia"]}, "properties": {"amount": "8"}}
    org.post("/subscriptions/s1/charges/usage/filters", {"filter": mine})
    edit(org, "POST", filters, "filter", **mine | {"properties": {"amount": "7"}})
    assert amounts(own(org)["charges"][0]["filters"]) == ["3", "8"]


def test_fixed_charges_follow_price_and_units_as_one(org: Org) -> None:
    family(org, s1=NAMED, s2=NAMED)
    org.put("/subscriptions/s2/fixed_charges/seat", {"fixed_charge": {"units": 11}})
    edit(org, "PUT", SEATS, "fixed_charge", properties={"amount": "12"}, units=20)
    (mine,), (theirs,) = own(org)["fixed_charges"], own(org, "s2")["fixed_charges"]
    assert (mine["units"], mine["properties"]) == ("20.0", {"amount": "12"})
    assert (theirs["units"], theirs["properties"]) == ("11.0", {"amount": "10"})
    desk = SEAT | {"code": "desk", "units": 1, "pay_in_advance": True}
    path = "/plans/basic/fixed_charges"
    edit(org, "POST", path, "fixed_charge", **desk, apply_units_immediately=True)
    assert [one["fees_amount_cents"] for one in invoices(org)] == [1000, 1000], "of both, at once"
    edit(org, "PUT", f"{path}/desk", "fixed_charge", units=3, apply_units_immediately=True)
    assert [one["fees_amount_cents"] for one in invoices(org)] == [1000, 1000, 2000, 2000]
    edit(org, "DELETE", f"{path}/desk", "fixed_charge")
    assert [len(own(org, name)["fixed_charges"]) for name in ("s1", "s2")] == [1, 1]


def test_changes_made_one_after_the_other_are_followed_in_their_order(org: Org) -> None:
    family(org)
    for cents in (2000, 3000, 1000, 4000):  # no waiting in between
        change = {"amount_cents": cents, "cascade_updates": True}
        org.put("/plans/basic", {"plan": change})
        price = {"properties": {"amount": str(cents)}, "cascade_updates": True}
        org.put(USAGE, {"charge": price})
    org.drain()
    assert (own(org)["amount_cents"], amounts(own(org)["charges"])) == (4000, ["4000"])


def test_changes_made_at_the_same_time_are_all_followed(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    family(org)

    def cascade(number: int) -> None:
        price = {"properties": {"amount": str(number)}, "cascade_updates": True}
        org.put(USAGE, {"charge": price})
        change = {"amount_cents": number, "cascade_updates": True}
        org.put("/plans/basic", {"plan": change})

    with ThreadPoolExecutor(6) as at_once:
        list(at_once.map(cascade, range(2, 14)))
    org.drain()
    plan = org.get("/plans/basic")["plan"]
    assert own(org)["amount_cents"] == plan["amount_cents"]
    assert amounts(own(org)["charges"]) == amounts(plan["charges"])


def test_a_plan_lived_on_through_overrides_alone_keeps_its_periods(org: Org) -> None:
    family(org)
    change = {"interval": "weekly", "code": "new", "pay_in_advance": True, "trial_period": 3}
    found = org.put("/plans/basic", {"plan": change | {"name": "New"}})["plan"]
    assert (found["interval"], found["code"], found["name"]) == ("monthly", "basic", "New")
    assert (found["pay_in_advance"], found["trial_period"]) == (False, None)


def test_overrides_are_deleted_with_their_plan(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    family(org, s1={"amount_cents": 3100}, s2={})
    subscribe(
        org,
        external_id="s3",
        customer="s3",
        subscription_at="2026-03-01T00:00:00Z",
        plan_overrides=NAMED,
    )
    send(org, "t1", "5")
    org.clock("2026-01-10T12:00:00Z")
    deleted = org.delete("/plans/basic")["plan"]
    assert deleted["pending_deletion"] is True
    org.drain()
    org.get("/plans/basic", status=404)
    ended = org.get("/subscriptions?status[]=terminated&status[]=canceled")["subscriptions"]
    assert {one["external_id"]: one["status"] for one in ended} == {
        "s1": "terminated",
        "s2": "terminated",
        "s3": "canceled",
    }
    billed = {one["customer"]["external_id"]: one for one in invoices(org)}
    first = {fee["item"]["type"]: fee["amount_cents"] for fee in billed["s1"]["fees"]}
    assert first == {"subscription": 1000, "charge": 500, "fixed_charge": 10000}
    assert billed["s2"]["fees_amount_cents"] == 323 + 10000
    add_plan(org)
