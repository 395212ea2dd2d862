"""Overrides of plans through HTTP: made with a subscription or later, and billed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.advance import fees, pay, shown
from tests.support.billing import (
    add_metric,
    add_plan,
    add_tax,
    charge,
    current_usage,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org

START = "2026-01-01T00:00:00Z"
MONTH_OVER = "2026-02-01T01:00:00Z"
ADD_ON = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
FULL_PLAN: dict[str, Any] = {
    "amount_cents": 3100,
    "description": "All of it",
    "metadata": {"tier": "gold"},
    "minimum_commitment": {"amount_cents": 500_000},
    "tax_codes": ["vat"],
}


def seats(**fields: Any) -> dict[str, Any]:
    """Return ten seats at 10.00 each."""
    return {
        "add_on_code": "seat",
        "charge_model": "standard",
        "units": 10,
        "properties": {"amount": "10"},
        **fields,
    }


def catalog(org: Org, *fixed_charges: dict[str, Any], **plan: Any) -> dict[str, Any]:
    """Freeze the time and create a plan of 31.00 and 1.00 a unit of the sum `usage`."""
    org.clock(START)
    add_tax(org, "vat", "20")
    add_tax(org, "city", "10")
    regions = [{"key": "region", "values": ["us", "eu"]}]
    metric = add_metric(org, "usage", filters=regions)
    in_us = {"values": {"region": ["us"]}, "properties": {"amount": "2"}}
    usage = charge(metric, "standard", {"amount": "1"}, filters=[in_us], tax_codes=["city"])
    if fixed_charges:
        org.post("/add_ons", {"add_on": ADD_ON})
    return add_plan(org, charges=[usage], fixed_charges=fixed_charges, **FULL_PLAN | plan)


def change(org: Org, status: int = 200, /, **overrides: Any) -> Any:
    """Override the plan of s1; return its subscription, or the refusal."""
    wanted = {"subscription": {"plan_overrides": overrides}}
    answer = org.put("/subscriptions/s1", wanted, status)
    org.drain()
    return answer["subscription"] if status == 200 else answer


def the_plan(org: Org, name: str = "s1") -> dict[str, Any]:
    """Return the plan a subscription shows."""
    found: dict[str, Any] = org.get(f"/subscriptions/{name}")["subscription"]["plan"]
    return found


def test_an_override_is_a_plan_below_the_plan(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    plan = catalog(org, seats())
    usage = plan["charges"][0]
    wanted = {
        "amount_cents": 6200,
        "name": "Just for you",
        "charges": [{"id": usage["lago_id"], "properties": {"amount": "0.5"}}],
        "fixed_charges": [{"id": plan["fixed_charges"][0]["lago_id"], "units": 3}],
    }
    subscription = subscribe(org, plan_overrides=wanted)
    subscribe(org, external_id="s2", customer="c2")
    own = subscription["plan"]
    assert own["parent_id"] == plan["lago_id"] != own["lago_id"]
    assert (own["code"], own["name"], own["amount_cents"]) == ("basic", "Just for you", 6200)
    assert (own["interval"], own["description"]) == ("monthly", "All of it")
    assert subscription["plan_amount_cents"] == 6200
    (copied,) = own["charges"]
    assert copied["lago_parent_id"] == usage["lago_id"]
    assert (copied["code"], copied["properties"]) == ("usage", {"amount": "0.5"})
    assert [one["properties"] for one in copied["filters"]] == [{"amount": "2"}]
    assert [one["code"] for one in copied["taxes"]] == ["city"]
    (seat,) = own["fixed_charges"]
    assert (seat["units"], seat["properties"]) == ("3.0", {"amount": "10"})
    assert the_plan(org, "s2") == org.get("/plans/basic")["plan"] == plan, "the plan is as it was"
    assert [one["lago_id"] for one in org.get("/plans")["plans"]] == [plan["lago_id"]]
    for query, names in (
        ("overridden=true", ["s1"]),
        ("overridden=false", ["s2"]),
        ("overridden=maybe", ["s2", "s1"]),
        ("plan_code=basic", ["s2", "s1"]),
        ("plan_code=basic&overridden=true", ["s1"]),
    ):
        found = org.get(f"/subscriptions?{query}")["subscriptions"]
        assert [one["external_id"] for one in found] == names
    send(org, "t1", "100")
    org.clock(MONTH_OVER, catch_up=True)
    (invoice,) = invoices(org, "external_customer_id=c1")
    billed = {fee["item"]["type"]: fee for fee in invoice["fees"]}
    assert {kind: fee["amount_cents"] for kind, fee in billed.items()} == {
        "subscription": 6200,
        "charge": 5000,
        "fixed_charge": 3000,
    }
    assert billed["charge"]["taxes_amount_cents"] == 500
    assert billed["charge"]["lago_charge_id"] == copied["lago_id"]


def test_14_13_taxes_and_commitment_of_the_plan_are_not_overridden_but_dropped(org: Org) -> None:
    plan = catalog(org)
    assert (len(plan["taxes"]), plan["minimum_commitment"]["amount_cents"]) == (1, 500_000)
    own = subscribe(org, plan_overrides={"name": "Mine"})["plan"]
    assert (own["taxes"], own["minimum_commitment"], own["metadata"]) == (
        [],
        None,
        plan["metadata"],
    )
    org.clock(MONTH_OVER, catch_up=True)
    ((fee,),) = [one["fees"] for one in invoices(org)]
    assert (fee["item"]["type"], fee["taxes_amount_cents"]) == ("subscription", 0)


def test_what_of_the_plan_itself_can_be_overridden(org: Org) -> None:
    catalog(org)
    wanted = {
        "name": "Mine",
        "invoice_display_name": "Ours",
        "description": None,
        "amount_cents": 100,
        "amount_currency": "USD",
        "trial_period": 3,
        "tax_codes": ["city"],
        "minimum_commitment": {"amount_cents": 9000, "tax_codes": ["vat"]},
        "metadata": {"by": "hand"},
        "interval": "weekly",
        "pay_in_advance": True,
        "code": "other",
    }
    subscription = subscribe(org, plan_overrides=wanted)
    own = subscription["plan"]
    kept = {"interval": "monthly", "pay_in_advance": False, "code": "basic"}
    shown_ones = [*wanted.keys() - {"tax_codes", "minimum_commitment"}]
    assert {name: own[name] for name in shown_ones} == {
        name: (wanted | kept)[name] for name in shown_ones
    }
    assert [one["code"] for one in own["taxes"]] == ["city"]
    assert own["minimum_commitment"]["amount_cents"] == 9000
    assert org.get("/customers/c1")["customer"]["currency"] == "USD"


def test_a_price_that_changes_within_the_period_prices_all_of_its_usage(org: Org) -> None:
    plan = catalog(org)
    subscribe(org)
    send(org, "t1", "100")
    org.clock("2026-01-20T00:00:00Z")
    assert current_usage(org)["amount_cents"] == 10000
    own = change(
        org, charges=[{"id": plan["charges"][0]["lago_id"], "properties": {"amount": "3"}}]
    )
    assert own["plan"]["parent_id"] == plan["lago_id"]
    assert current_usage(org)["amount_cents"] == 30000
    send(org, "t2", "1")
    usage = current_usage(org)
    assert (usage["amount_cents"], usage["charges_usage"][0]["events_count"]) == (30300, 2)
    org.clock(MONTH_OVER, catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 3100 + 30300


def test_an_override_is_changed_in_place(org: Org) -> None:
    plan = catalog(org, seats(), seats(code="desk"))
    first = subscribe(org, plan_overrides={"name": "Mine", "tax_codes": ["city"]})["plan"]
    usage, (seat, desk) = plan["charges"][0], plan["fixed_charges"]
    own = change(
        org,
        amount_cents=5000,
        amount_currency="USD",
        trial_period=9,
        charges=[{"id": usage["lago_id"], "min_amount_cents": 7000}],
        fixed_charges=[{"id": seat["lago_id"], "properties": {"amount": "4"}}],
    )["plan"]
    assert own["lago_id"] == first["lago_id"]
    assert (own["name"], own["amount_cents"]) == ("Mine", 5000)
    assert [one["code"] for one in own["taxes"]] == ["city"]
    assert (own["amount_currency"], own["trial_period"]) == ("EUR", None), "as once subscribed"
    assert own["charges"][0]["min_amount_cents"] == 7000
    assert {one["code"]: one["properties"] for one in own["fixed_charges"]} == {
        "seat": {"amount": "4"},
        "desk": desk["properties"],
    }, "what is not named stays"
    own = change(org, charges=[{"id": own["charges"][0]["lago_id"], "filters": []}])["plan"]
    assert (own["charges"][0]["filters"], own["charges"][0]["min_amount_cents"]) == ([], 7000)


def test_units_alone_make_no_override(org: Org) -> None:
    plan = catalog(org, seats())
    mine = [{"id": plan["fixed_charges"][0]["lago_id"], "units": 3}]
    subscribe(org, plan_overrides={"fixed_charges": mine})
    own = "/subscriptions/s1/fixed_charges/seat"
    assert the_plan(org) == plan
    assert org.get(own)["fixed_charge"]["units"] == "3.0"
    change(org, fixed_charges=[mine[0] | {"units": 4, "apply_units_immediately": True}])
    assert (the_plan(org), org.get(own)["fixed_charge"]["units"]) == (plan, "4.0")
    change(org, name="Mine")
    assert the_plan(org)["fixed_charges"][0]["units"] == "4.0", "they go on in the override"
    org.put("/plans/basic/fixed_charges/seat", {"fixed_charge": {"units": 50}})
    org.clock(MONTH_OVER, catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 3100 + 4000


def test_what_is_paid_in_advance_goes_on_in_an_override(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock(START)
    metric = add_metric(org, "usage")
    early = charge(metric, "standard", {"amount": "1"}, pay_in_advance=True, invoiceable=False)
    regional = {"values": {"region": ["us"]}, "properties": {"amount": "1"}}
    org.put(
        "/billable_metrics/usage",
        {"billable_metric": {"filters": [{"key": "region", "values": ["us"]}]}},
    )
    org.post("/add_ons", {"add_on": ADD_ON})
    plan = add_plan(
        org,
        amount_cents=0,
        charges=[early | {"filters": [regional]}],
        fixed_charges=[seats(pay_in_advance=True, prorated=True)],
    )
    subscribe(org)
    org.drain()
    assert shown(pay(org, value="5", region="us")) == ("5.0", 500)
    assert shown(pay(org, value="-2", region="us")) == ("0.0", 0)
    org.clock("2026-01-17T00:00:00Z")
    own = change(org, charges=[{"id": plan["charges"][0]["lago_id"], "tax_codes": []}])
    assert own["plan"]["parent_id"] == plan["lago_id"]
    # 3 are held and 5 were paid for: 4 more are 2 beyond the mark, for the filter as before
    last = pay(org, value="4", region="us")
    assert shown(last)[1] == 200
    assert last["lago_charge_id"] == own["plan"]["charges"][0]["lago_id"]
    assert sum(one["amount_cents"] for one in fees(org)) == 700
    # 10 seats are paid for January: of 14 the 4 new ones are due for its last 15 days
    more = {"units": 14, "apply_units_immediately": True}
    org.put("/subscriptions/s1/fixed_charges/seat", {"fixed_charge": more})
    org.drain()
    assert [one["fees_amount_cents"] for one in invoices(org)] == [10000, 1935]
    org.clock(MONTH_OVER, catch_up=True)
    assert [one["fees_amount_cents"] for one in invoices(org)] == [10000, 1935, 14000]


def test_a_draft_and_its_credit_note_follow_into_an_override(org: Org) -> None:
    catalog(org, pay_in_advance=True, minimum_commitment={})
    org.post(
        "/customers",
        {"customer": {"external_id": "c1", "billing_configuration": {"invoice_grace_period": 3}}},
    )
    subscribe(org)
    org.drain()
    send(org, "t1", "100")
    org.clock(MONTH_OVER, catch_up=True)
    draft = invoices(org)[-1]
    assert draft["status"] == "draft"
    (fee,) = (fee for fee in draft["fees"] if fee["item"]["type"] == "charge")
    note = {"invoice_id": draft["lago_id"], "credit_amount_cents": 5500}
    note["items"] = [{"fee_id": fee["lago_id"], "amount_cents": 5000}]
    org.post("/credit_notes", {"credit_note": note})
    usage = org.get("/subscriptions/s1/charges/usage")["charge"]
    own = change(org, charges=[{"id": usage["lago_id"], "properties": {"amount": "2"}}])
    refreshed = org.put(f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    by_type = {fee["item"]["type"]: fee for fee in refreshed["fees"]}
    assert by_type["charge"]["amount_cents"] == 20000
    assert by_type["charge"]["lago_charge_id"] == own["plan"]["charges"][0]["lago_id"]
    org.put(f"/invoices/{draft['lago_id']}/finalize")
    (found,) = org.get("/credit_notes")["credit_notes"]
    assert found["credit_amount_cents"] == 11000, "half of the fee, as before, with its tax"


def test_14_11_the_same_request_again_changes_nothing(org: Org) -> None:
    catalog(org)
    wanted: dict[str, Any] = {"plan_overrides": {"amount_cents": 100}}
    first = subscribe(org, **wanted)
    others: dict[str, Any] = {"plan_overrides": {"amount_cents": 9999}}
    for again in (wanted, {}, others):
        same = subscribe(org, **again)
        assert (same["lago_id"], same["plan"]) == (first["lago_id"], first["plan"])
    org.clock(MONTH_OVER, catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 100


def test_a_change_to_an_overridden_plan_is_judged_by_its_own_price(org: Org) -> None:
    catalog(org)
    add_plan(org, "other", amount_cents=5000)
    first = subscribe(org)
    cheap: dict[str, Any] = {"plan_overrides": {"amount_cents": 50}}
    waiting = [subscribe(org, "other", **cheap) for _ in range(2)]
    assert {one["lago_id"] for one in waiting} == {first["lago_id"]}
    assert waiting[-1]["next_plan_code"] == "other"
    org.clock(MONTH_OVER, catch_up=True)
    now = org.get("/subscriptions/s1")["subscription"]
    assert (now["plan_code"], now["plan_amount_cents"]) == ("other", 50)
    dear: dict[str, Any] = {"plan_overrides": {"amount_cents": 51}}
    org.clock("2026-02-11T00:00:00Z")
    assert subscribe(org, "basic", **dear)["plan_amount_cents"] == 51, "at once"


def test_a_cheaper_override_cancels_a_downgrade_that_is_none_anymore(org: Org) -> None:
    catalog(org)
    add_plan(org, "small", amount_cents=2000)
    subscribe(org)
    assert subscribe(org, "small")["next_plan_code"] == "small"
    assert change(org, amount_cents=1999)["next_plan_code"] is None


USAGE, NOBODY = "usage", "00000000-0000-0000-0000-000000000000"
REFUSED: dict[str, tuple[int, dict[str, Any], Any]] = {
    "an unknown charge": (404, {"charges": [{"id": NOBODY}]}, "charge_not_found"),
    "no charge at all": (404, {"charges": [{"properties": {}}]}, "charge_not_found"),
    "an unknown fixed charge": (
        404,
        {"fixed_charges": [{"id": NOBODY, "units": 1}]},
        "fixed_charge_not_found",
    ),
    "an unknown tax": (404, {"tax_codes": ["nope"]}, "tax_not_found"),
    "another model": (
        403,
        {"charges": [{"id": USAGE, "charge_model": "volume"}]},
        "cannot_override_charge_model",
    ),
    "a price that is none": (
        422,
        {"charges": [{"id": USAGE, "properties": {"amount": "-1"}}]},
        {"properties": ["invalid_amount"]},
    ),
    "a filter the metric does not know": (
        422,
        {"charges": [{"id": USAGE, "filters": [{"values": {"region": ["asia"]}}]}]},
        {"values": ["value_is_invalid"]},
    ),
    "an amount below nothing": (
        422,
        {"amount_cents": -1},
        {"plan_overrides.amount_cents": ["value_is_out_of_range"]},
    ),
    "no name": (422, {"name": None}, {"name": ["value_is_mandatory"]}),
    "a currency that is none": (
        422,
        {"amount_currency": "XXY"},
        {"plan_overrides.amount_currency": ["invalid_currency"]},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_override_leaves_everything_as_it_was(org: Org, name: str) -> None:
    status, overrides, told = REFUSED[name]
    plan = catalog(org)
    subscribe(org)
    named = {USAGE: plan["charges"][0]["lago_id"]}
    given = [
        one | ({"id": named.get(one["id"], one["id"])} if "id" in one else {})
        for one in overrides.get("charges", [])
    ]
    overrides = overrides | ({"charges": given} if given else {})
    answer = change(org, status, **overrides)
    assert (answer["error_details"] if status == 422 else answer["code"]) == told
    assert the_plan(org) == plan
    wanted = {"external_customer_id": "c9", "external_id": "s9", "plan_code": "basic"}
    org.post("/subscriptions", {"subscription": wanted | {"plan_overrides": overrides}}, status)
    assert org.get("/customers/c9", status=404)
    assert org.get("/subscriptions?overridden=true")["subscriptions"] == []


def test_overrides_given_at_the_same_time_are_one(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    catalog(org)
    subscribe(org)
    wanted: list[dict[str, Any]] = [
        {"name": "Mine"},
        {"amount_cents": 77},
        {"description": "Both"},
        {"invoice_display_name": "All"},
    ]
    with ThreadPoolExecutor(len(wanted)) as at_once:
        plans = list(at_once.map(lambda one: change(org, **one)["plan"]["lago_id"], wanted))
    assert len(set(plans)) == 1
    own = the_plan(org)
    assert [{name: own[name] for name in one} for one in wanted] == wanted
