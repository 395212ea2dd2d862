"""Metrics, taxes and plans: created, listed, changed and deleted."""

import pytest

from tests.support.billing import add_metric, add_plan, add_tax, charge, send, subscribe
from tests.support.gateway import Org


def refused(org: Org, path: str, body: object) -> dict[str, list[str]]:
    """Return the details of a 422."""
    answer = org.post(path, body, 422)
    assert answer["code"] == "validation_errors"
    details: dict[str, list[str]] = answer["error_details"]
    return details


def test_a_metric_lives(org: Org) -> None:
    metric_id = add_metric(org, "tokens", name="Tokens", description="All of them")
    found = org.get("/billable_metrics/tokens")["billable_metric"]
    assert (found["lago_id"], found["name"], found["field_name"]) == (metric_id, "Tokens", "value")
    assert found["aggregation_type"] == "sum_agg"
    assert found["recurring"] is False
    change = {"billable_metric": {"name": "Words", "code": "words"}}
    changed = org.put("/billable_metrics/tokens", change)["billable_metric"]
    assert (changed["name"], changed["code"]) == ("Words", "words")
    org.get("/billable_metrics/tokens", 404)
    assert org.delete("/billable_metrics/words")["billable_metric"]["lago_id"] == metric_id
    answer = org.get("/billable_metrics/words", 404)
    assert answer == {"status": 404, "error": "Not Found", "code": "billable_metric_not_found"}
    assert add_metric(org, "words") != metric_id, "the code of a deleted metric is free again"


def test_metrics_that_are_refused(org: Org) -> None:
    path = "/billable_metrics"
    add_metric(org, "taken")
    good = {"name": "N", "code": "taken", "aggregation_type": "count_agg"}
    assert refused(org, path, {"billable_metric": good}) == {"code": ["value_already_exist"]}
    no_field = {"name": "N", "code": "n", "aggregation_type": "sum_agg"}
    assert refused(org, path, {"billable_metric": no_field}) == {
        "field_name": ["value_is_mandatory"]
    }
    unknown = {"name": "N", "code": "n", "aggregation_type": "median_agg"}
    assert "aggregation_type" in refused(org, path, {"billable_metric": unknown})
    assert {"name", "code"} <= set(refused(org, path, {"billable_metric": {"description": "d"}}))
    answer = org.post(path, {"metric": good}, 400)
    assert answer["error"].endswith(
        "param is missing or the value is empty or invalid: billable_metric"
    )


def test_an_attached_metric_keeps_its_meaning(org: Org) -> None:
    metric_id = add_metric(org, "usage")
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "1"})])
    change = {"billable_metric": {"aggregation_type": "max_agg", "name": "Renamed"}}
    org.put("/billable_metrics/usage", change)
    found = org.get("/billable_metrics/usage")["billable_metric"]
    assert (found["name"], found["aggregation_type"]) == ("Renamed", "sum_agg")


def test_deleting_a_metric_takes_its_charges_and_events(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    keep, drop = add_metric(org, "keep"), add_metric(org, "drop")
    standard = {"amount": "1"}
    add_plan(org, charges=[charge(keep, "standard", standard), charge(drop, "standard", standard)])
    subscribe(org)
    send(org, "t1", "1", code="keep")
    send(org, "t2", "1", code="drop")
    org.delete("/billable_metrics/drop")
    org.drain()
    plan = org.get("/plans/basic")["plan"]
    assert [one["billable_metric_code"] for one in plan["charges"]] == ["keep"]
    assert org.get("/events/t1")["event"]["code"] == "keep"
    org.get("/events/t2", 404)


def test_a_tax_lives(org: Org) -> None:
    add_tax(org, "vat", "19.5", description="Value added")
    found = org.get("/taxes/vat")["tax"]
    assert (found["rate"], found["description"]) == (19.5, "Value added")
    assert found["applied_to_organization"] is False
    assert org.put("/taxes/vat", {"tax": {"rate": "7"}})["tax"]["rate"] == 7
    details = refused(org, "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": "1"}})
    assert details == {"code": ["value_already_exist"]}
    assert "rate" in refused(org, "/taxes", {"tax": {"name": "N", "code": "n", "rate": "much"}})
    add_tax(org, "another", "1")
    assert [one["code"] for one in org.get("/taxes")["taxes"]] == ["another", "vat"], "by name"
    org.delete("/taxes/vat")
    assert org.get("/taxes/vat", 404)["code"] == "tax_not_found"


@pytest.mark.parametrize("pay_in_advance", [False, True])
@pytest.mark.parametrize("interval", ["weekly", "monthly", "quarterly", "semiannual", "yearly"])
def test_a_plan_of_every_interval(org: Org, interval: str, *, pay_in_advance: bool) -> None:
    plan = add_plan(org, "p", interval=interval, pay_in_advance=pay_in_advance)
    found = org.get("/plans/p")["plan"]
    assert found == plan
    assert (found["interval"], found["pay_in_advance"]) == (interval, pay_in_advance)


def test_a_plan_lives(org: Org) -> None:
    metric_id = add_metric(org, "usage")
    add_tax(org, "vat", "20")
    standard = charge(metric_id, "standard", {"amount": "0.05"}, invoice_display_name="Calls")
    plan = add_plan(org, charges=[standard], tax_codes=["vat"])
    (made,) = plan["charges"]
    assert made["properties"] == {"amount": "0.05"}
    assert made["invoice_display_name"] == "Calls"
    assert [tax["code"] for tax in plan["taxes"]] == ["vat"]
    volume = charge(
        metric_id,
        "volume",
        {
            "volume_ranges": [
                {"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}
            ]
        },
    )
    kept = {**standard, "id": made["lago_id"], "properties": {"amount": "0.07"}}
    change = {"plan": {"name": "Better", "amount_cents": 1500, "charges": [kept, volume]}}
    changed = org.put("/plans/basic", change)["plan"]
    assert (changed["name"], changed["amount_cents"]) == ("Better", 1500)
    assert [one["charge_model"] for one in changed["charges"]] == ["standard", "volume"]
    assert changed["charges"][0]["lago_id"] == made["lago_id"]
    assert changed["charges"][0]["properties"] == {"amount": "0.07"}
    without = org.put("/plans/basic", {"plan": {"charges": [], "tax_codes": []}})["plan"]
    assert (without["charges"], without["taxes"]) == ([], [])
    org.delete("/plans/basic")
    org.drain()
    assert org.get("/plans/basic", 404)["code"] == "plan_not_found"


def test_plans_that_are_refused(org: Org) -> None:
    metric_id = add_metric(org, "usage")
    add_plan(org)
    good = {
        "name": "N",
        "code": "n",
        "interval": "monthly",
        "amount_cents": 1,
        "amount_currency": "EUR",
        "pay_in_advance": False,
    }

    def details(**fields: object) -> dict[str, list[str]]:
        return refused(org, "/plans", {"plan": {**good, **fields}})

    assert details(code="basic") == {"code": ["value_already_exist"]}
    assert "interval" in details(interval="daily")
    assert "amount_cents" in details(amount_cents=-1)
    assert "amount_currency" in details(amount_currency="XXX")
    wrong = charge(metric_id, "standard", {"amount": "a lot"})
    assert details(charges=[wrong])
    ranges = [
        {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "0"},
        {"from_value": 15, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"},
    ]
    gap = charge(metric_id, "graduated", {"graduated_ranges": ranges})
    assert "invalid_graduated_ranges" in str(details(charges=[gap]))
    nobody = charge("00000000-0000-0000-0000-000000000000", "standard", {"amount": "1"})
    answer = org.post("/plans", {"plan": {**good, "charges": [nobody]}}, 404)
    assert answer["code"] in {"billable_metric_not_found", "billable_metrics_not_found"}
    answer = org.post("/plans", {"plan": {**good, "tax_codes": ["no"]}}, 404)
    assert answer["code"] == "tax_not_found"
    assert org.get("/plans")["meta"]["total_count"] == 1, "nothing was stored on the way"


def test_a_subscribed_plan_keeps_its_interval(org: Org) -> None:
    add_plan(org)
    subscribe(org)
    change = {"plan": {"interval": "yearly", "pay_in_advance": True, "amount_cents": 2000}}
    changed = org.put("/plans/basic", change)["plan"]
    assert (changed["interval"], changed["pay_in_advance"]) == ("monthly", False)
    assert changed["amount_cents"] == 2000


def test_lists_are_paged(org: Org) -> None:
    for number in range(5):
        add_tax(org, f"t{number}", "1")
    first = org.get("/taxes?per_page=2")
    assert [one["code"] for one in first["taxes"]] == ["t0", "t1"]
    assert first["meta"] == {
        "current_page": 1,
        "next_page": 2,
        "prev_page": None,
        "total_pages": 3,
        "total_count": 5,
    }
    last = org.get("/taxes?per_page=2&page=3")
    assert [one["code"] for one in last["taxes"]] == ["t4"]
    assert (last["meta"]["next_page"], last["meta"]["prev_page"]) == (None, 2)
    beyond = org.get("/taxes?per_page=2&page=9")
    assert (beyond["taxes"], beyond["meta"]["total_count"]) == ([], 5)
    assert org.get("/plans") == {
        "plans": [],
        "meta": {
            "current_page": 0,
            "next_page": None,
            "prev_page": None,
            "total_pages": 0,
            "total_count": 0,
        },
    }
    for query in ("page=x&per_page=-3", "page=0", "per_page=0", "page=99999999999999999999"):
        assert org.get(f"/taxes?{query}")["meta"]["total_count"] == 5
    org_limit = org.get("/taxes?per_page=100000")
    assert len(org_limit["taxes"]) == 5
