"""Estimates: what an event would cost, on top of real usage or by itself; nothing is kept."""

from typing import Any

import pytest

from tests.support.advance import ALONE, COUNT, INVOICED, SEATS, fees, pay, tier
from tests.support.billing import add_metric, add_tax
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold


def asked(**properties: Any) -> dict[str, Any]:
    """Return an event to estimate."""
    return {"code": "usage", "external_subscription_id": "s1", "properties": properties}


def estimate(org: Org, **properties: Any) -> dict[str, Any]:
    """Return the one fee that an event would bring."""
    found: list[dict[str, Any]]
    found = org.post("/events/estimate_fees", {"event": asked(**properties)})["fees"]
    (fee,) = found
    return fee


def instant(org: Org, **properties: Any) -> dict[str, Any]:
    """Return the price of one event by itself."""
    found: list[dict[str, Any]]
    found = org.post("/events/estimate_instant_fees", {"event": asked(**properties)})["fees"]
    (fee,) = found
    return fee


def test_an_estimate_is_a_fee_that_was_never_made(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_tax(org, "vat", "20", applied_to_organization=True)
    sold(org, INVOICED, properties={"amount": "2"})
    fee = estimate(org, value="3")
    assert fee["lago_id"] is None
    assert (fee["amount_cents"], fee["taxes_amount_cents"], fee["total_amount_cents"]) == (
        600,
        120,
        720,
    )
    assert (fee["units"], fee["events_count"], fee["amount_details"]) == ("3.0", 1, {})
    assert [tax["tax_code"] for tax in fee["applied_taxes"]] == ["vat"]
    assert (fee["pay_in_advance"], fee["invoiceable"]) == (True, True)
    org.drain()
    assert fees(org) == []
    assert org.get("/invoices")["invoices"] == []
    assert org.get("/events")["meta"]["total_count"] == 0


def test_it_comes_on_top_of_what_was_used_and_moves_nothing(org: Org) -> None:
    ranges = {"graduated_ranges": [tier(0, 2, "10"), tier(3, None, "1")]}
    sold(org, ALONE, model="graduated", properties=ranges)
    pay(org, value=1)
    assert [estimate(org, value=3)["amount_cents"] for _ in range(2)] == [1200, 1200]
    assert pay(org, value=3)["amount_cents"] == 1200
    assert estimate(org, value=-2)["amount_cents"] == 0


def test_the_first_flat_amount_is_left_out_of_an_estimate(org: Org) -> None:
    """8.25: the estimate is 10.00, the fee 12.00."""
    ranges = {"graduated_ranges": [tier(0, 10, "10", "2"), tier(11, None, "5", "3")]}
    sold(org, ALONE, model="graduated", properties=ranges)
    assert estimate(org, value=1)["amount_cents"] == 1000
    assert pay(org, value=1)["amount_cents"] == 1200


def test_seats_that_are_there_cost_nothing(org: Org) -> None:
    sold(org, ALONE, metric=SEATS, properties={"amount": "5", "pricing_group_keys": ["site"]})
    pay(org, value="a", site=1)
    found = [
        estimate(org, value="a", site="1")["amount_cents"],
        estimate(org, value="a", site="2")["amount_cents"],
        estimate(org, value="b", site="1")["amount_cents"],
        estimate(org, value="b", site="1", operation_type="remove")["amount_cents"],
    ]
    assert found == [0, 500, 500, 0]


def test_estimates_see_what_is_computed(org: Org) -> None:
    metric = {"expression": "event.properties.a * 2"}
    sold(org, ALONE, metric=metric)
    assert estimate(org, a="4")["amount_cents"] == 800
    path = "/events/estimate_fees"
    answer = org.post(path, {"event": asked(b="4")}, 422)
    assert answer["error_details"] == "expression_evaluation_failed: Variable: a not found"
    assert instant(org, a="4")["amount_cents"] == "800.0"


@pytest.mark.parametrize("path", ["/events/estimate_fees", "/events/estimate_instant_fees"])
def test_what_cannot_be_estimated_is_refused(org: Org, path: str) -> None:
    sold(org, ALONE)
    add_metric(org, "other")
    unknown = {**asked(value=1), "external_subscription_id": "s2", "timestamp": "soon"}
    assert org.post(path, {"event": unknown}, 404)["code"] == "subscription_not_found"
    late = org.post(path, {"event": {**asked(value=1), "timestamp": "soon", "code": "no"}}, 422)
    assert late["error_details"] == {"timestamp": ["invalid_format"]}
    nowhere = org.post(path, {"event": {**asked(value=1), "code": "no"}}, 404)
    assert nowhere["code"] == "billable_metric_not_found"
    free = org.post(path, {"event": {**asked(value=1), "code": "other"}}, 422)
    assert free["error_details"] == {"code": ["does_not_match_an_instant_charge"]}
    org.post(path, {"events": []}, 400)
    org.post(path, {"event": {"code": "usage"}}, 404)


def test_a_property_that_is_no_number_is_refused(org: Org) -> None:
    sold(org, ALONE)
    answer = org.post("/events/estimate_fees", {"event": asked(value="many")}, 422)
    assert answer["error_details"] == {"properties": ["value_is_not_valid_number"]}
    assert estimate(org)["units"] == "0.0", "a missing one counts as nothing"


def test_an_instant_estimate_knows_only_the_event(org: Org) -> None:
    filters = [{"values": {"cloud": ["aws"]}, "properties": {"amount": "9"}}]
    sold(
        org,
        {**ALONE, "filters": filters},
        properties={"amount": "0.1"},
        metric={
            "filters": [{"key": "cloud", "values": ["aws"]}],
            "rounding_function": "ceil",
        },
    )
    pay(org, value=1)
    fee = instant(org, value="3.2")
    assert (fee["amount_cents"], fee["total_amount_cents"], fee["units"]) == (
        "40.0",
        "40.0",
        "4.0",
    )
    assert (fee["precise_amount"], fee["precise_unit_amount"]) == ("0.4", "10.0")
    assert (fee["taxes_amount_cents"], fee["events_count"], fee["lago_id"]) == (0, 1, None)
    assert fee["item"]["grouped_by"] == {}
    assert fee["event_transaction_id"]
    assert instant(org, value="1", cloud="aws")["amount_cents"] == "900.0"
    assert instant(org)["amount_cents"] == "0.0"
    assert instant(org, value="-3")["amount_cents"] == "0.0"


def test_an_instant_percentage_holds_its_limits(org: Org) -> None:
    properties = {
        "rate": "1",
        "fixed_amount": "0.5",
        "free_units_per_events": 5,
        "per_transaction_min_amount": "1.75",
        "per_transaction_max_amount": "2",
    }
    sold(org, ALONE, model="percentage", properties=properties)
    found = [instant(org, value=value)["amount_cents"] for value in (0, 100, 140, 1000)]
    assert found == ["175.0", "175.0", "190.0", "200.0"]


def test_a_count_brings_one_unit(org: Org) -> None:
    sold(org, ALONE, metric=COUNT, properties={"amount": "3"})
    assert instant(org)["units"] == "1.0"


def test_a_batch_of_instant_estimates(org: Org) -> None:
    path = "/events/batch_estimate_instant_fees"
    sold(org, ALONE, properties={"amount": "2"})
    add_metric(org, "other")
    events = [
        {**asked(value=1), "transaction_id": "first"},
        {**asked(value=1), "code": "other"},
        {"event": {**asked(value=2), "transaction_id": "wrapped"}},
    ]
    found = org.post(path, {"events": events})["fees"]
    assert [(fee["event_transaction_id"], fee["amount_cents"]) for fee in found] == [
        ("first", "200.0"),
        ("wrapped", "400.0"),
    ]
    nobody = {**asked(value=1), "external_subscription_id": "s2"}
    assert org.post(path, {"events": [nobody]}, 404)["code"] == "subscription_not_found"
    assert org.post(path, {"events": []}, 422)["error_details"] == {"events": ["no_events"]}
    assert org.post(path, {}, 422)["error_details"] == {"events": ["no_events"]}


def test_a_plan_without_instant_prices_is_refused(org: Org) -> None:
    ranges = {"graduated_ranges": [tier(0, None, "10")]}
    sold(org, ALONE, model="graduated", properties=ranges)
    for path, body in (
        ("/events/estimate_instant_fees", {"event": asked(value=1)}),
        ("/events/batch_estimate_instant_fees", {"events": [asked(value=1)]}),
    ):
        details = org.post(path, body, 422)["error_details"]
        assert details == {"code": ["does_not_match_an_instant_charge"]}
