"""Projected and past usage."""

from typing import Any

import pytest
from lago_python_client import Client

from tests.support.billing import (
    add_metric,
    add_plan,
    add_tax,
    charge,
    invoices,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, tell, use

TIERS = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "2"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "3"},
]
SHARES = [
    {"from_value": 0, "to_value": 10, "rate": "1", "flat_amount": "2"},
    {"from_value": 11, "to_value": None, "rate": "2", "flat_amount": "3"},
]


def projected(org: Org, query: str = "") -> dict[str, Any]:
    """Return the projected usage of s1 of c1."""
    path = f"/customers/c1/projected_usage?external_subscription_id=s1&{query}"
    found: dict[str, Any] = org.get(path)["customer_projected_usage"]
    return found


def past(org: Org, query: str = "", customer: str = "c1", status: int = 200) -> dict[str, Any]:
    """Return a page of the past usage of s1."""
    path = f"/customers/{customer}/past_usage?external_subscription_id=s1&{query}"
    found: dict[str, Any] = org.get(path, status=status)
    return found


@pytest.mark.parametrize(
    ("model", "properties", "value", "units", "cents"),
    [
        pytest.param("standard", {"amount": "2"}, "10", "20.0", 4000, id="e50-standard"),
        pytest.param(
            "package",
            {"amount": "5", "package_size": 100, "free_units": 100},
            "150",
            "300.0",
            1000,
            id="e50-package",
        ),
        pytest.param("graduated", {"graduated_ranges": TIERS}, "8", "16.0", 1800, id="e50-tiers"),
        pytest.param(
            "graduated_percentage",
            {"graduated_percentage_ranges": SHARES},
            "8",
            "16.0",
            416,
            id="e50-shares",
        ),
        pytest.param("percentage", {"rate": "10", "fixed_amount": "1"}, "10", "20.0", 400, id="p"),
        pytest.param("graduated", {"graduated_ranges": TIERS}, "0", "0.0", 0, id="nothing"),
    ],
)
def test_half_of_a_period_is_over(  # noqa: PLR0913, PLR0917 - one case of the table above
    org: Org, model: str, properties: dict[str, Any], value: str, units: str, cents: int
) -> None:
    sold(org, {}, at="2026-04-01T00:00:00Z", model=model, properties=properties)
    org.clock("2026-04-15T12:00:00Z")  # 15 of 30 days
    use(org, {"value": value})
    usage = projected(org)
    (one,) = usage["charges_usage"]
    assert (one["projected_units"], one["projected_amount_cents"]) == (units, cents)
    assert usage["projected_amount_cents"] == cents
    assert usage["amount_cents"] == one["amount_cents"] == tell(org)["amount_cents"]


def test_e50_day_ten_of_thirty_one(org: Org) -> None:
    sold(org, {})
    org.clock("2026-01-10T23:00:00Z")
    use(org, {"value": 10})
    (one,) = projected(org)["charges_usage"]
    assert one["projected_units"] == "31.0"


def test_recurring_usage_is_not_projected(org: Org) -> None:
    sold(org, {}, metric={"recurring": True})
    org.clock("2026-01-10T23:00:00Z")
    use(org, {"value": 10})
    usage = projected(org)
    assert usage["projected_amount_cents"] == usage["amount_cents"] == 1000


def test_projections_add_up(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    declared = {"filters": [{"key": "cloud", "values": ["aws", "gcp"]}]}
    prices = {"amount": "1", "pricing_group_keys": ["team"]}
    shown = {"presentation_group_keys": [{"value": "host"}]}
    filters = [{"values": {"cloud": ["aws"]}, "properties": {**prices, "amount": "3"}}]
    sold(
        org,
        {"filters": filters},
        at="2026-04-01T00:00:00Z",
        metric=declared,
        properties={**prices, **shown},
        plan={"interval": "yearly", "bill_charges_monthly": True},
    )
    add_tax(org, "vat", "20", applied_to_organization=True)
    org.clock("2026-04-10T12:00:00Z")  # a third of the month, though the plan is yearly
    use(
        org,
        {"cloud": "aws", "team": "a", "value": 1, "host": "h"},
        {"cloud": "aws", "team": "b", "value": 2},
        {"cloud": "gcp", "team": "a", "value": 4},
    )
    usage = projected(org)
    (one,) = usage["charges_usage"]
    assert usage["amount_cents"] == 300 + 600 + 400
    assert usage["taxes_amount_cents"] == 260
    assert projected(org, "apply_taxes=false")["taxes_amount_cents"] == 0
    assert usage["projected_amount_cents"] == one["projected_amount_cents"] == 3900
    for parts in (one["filters"], one["grouped_usage"]):
        assert sum(part["projected_amount_cents"] for part in parts) == 3900
    assert {
        part["grouped_by"]["team"]: part["projected_units"] for part in one["grouped_usage"]
    } == {"a": "15.0", "b": "6.0"}
    assert {"presentation_by": {"host": "h"}, "units": "3.0"} in one[
        "projected_presentation_breakdowns"
    ]


def billed(org: Org) -> None:
    """Let two months of two metrics go by for a customer in Los Angeles."""
    org.clock("2026-01-01T12:00:00Z")
    add_tax(org, "vat", "10", applied_to_organization=True)
    org.post("/customers", {"customer": {"external_id": "c1", "timezone": "America/Los_Angeles"}})
    prices = {"amount": "1", "pricing_group_keys": ["team"]}
    charges = [
        charge(add_metric(org, "usage"), "standard", prices),
        charge(add_metric(org, "calls", "count_agg"), "standard", {"amount": "2"}),
    ]
    add_plan(org, amount_cents=1000, charges=charges)
    subscribe(org)
    use(org, {"value": 3, "team": "a"}, {"value": 4, "team": "b"})
    send(org, "call", "1", code="calls")
    org.clock("2026-02-10T00:00:00Z", catch_up=True)
    use(org, {"value": 5, "team": "a"})
    org.clock("2026-03-10T00:00:00Z", catch_up=True)


def test_past_usage_is_what_was_billed(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    billed(org)
    page = past(org)
    assert page["meta"]["total_count"] == 2
    newest, first = page["usage_periods"]
    ids = [one["lago_id"] for one in invoices(org)]
    assert [one["lago_invoice_id"] for one in page["usage_periods"]] == ids[::-1]
    assert (newest["from_datetime"], newest["to_datetime"]) == (
        "2026-02-01T08:00:00Z",
        "2026-03-01T07:59:59Z",
    )
    assert newest["issuing_date"] == "2026-02-28"  # there; in UTC it is March 1 already
    assert (newest["amount_cents"], newest["taxes_amount_cents"]) == (1500, 150)
    assert newest["total_amount_cents"] == 1650
    (one,) = newest["charges_usage"]
    assert (one["units"], one["amount_cents"]) == ("5.0", 500)
    assert [part["grouped_by"] for part in one["grouped_usage"]] == [{"team": "a"}]
    assert (first["amount_cents"], first["currency"]) == (1000 + 700 + 200, "EUR")
    names = [one["billable_metric"]["code"] for one in first["charges_usage"]]
    assert names == ["calls", "usage"]


def test_past_usage_can_be_narrowed(org: Org) -> None:
    billed(org)
    assert len(past(org, "periods_count=1")["usage_periods"]) == 1
    assert past(org, "periods_count=2&per_page=1&page=2")["meta"] == {
        "current_page": 2,
        "next_page": None,
        "prev_page": 1,
        "total_pages": 2,
        "total_count": 2,
    }
    assert past(org, "periods_count=2&per_page=1&page=3")["usage_periods"] == []
    assert past(org, "periods_count=many")["meta"]["total_count"] == 2
    _, first = past(org, "billable_metric_code=calls")["usage_periods"]
    assert [one["amount_cents"] for one in first["charges_usage"]] == [200]
    assert first["amount_cents"] == 1900  # of the whole invoice
    assert past(org, customer="nobody")["usage_periods"] == []
    refusal = past(org, "billable_metric_code=nothing", status=404)
    assert refusal["code"] == "billable_metric_not_found"
    refusal = org.get("/customers/c1/past_usage", status=422)
    assert refusal["error_details"] == {"external_subscription_id": ["value_is_mandatory"]}


def test_the_published_client_reads_every_face(org: Org) -> None:
    billed(org)
    use(org, {"value": 5, "team": "a"})
    client: Any = Client(api_key=org.key, api_url=org.url)
    usage = client.customers.current_usage("c1", "s1", group={"team": "a"})
    assert [one.amount_cents for one in usage.charges_usage] == [500]
    usage = client.customers.current_usage("c1", "s1", charge_code="usage", full_usage=True)
    assert usage.charges_usage[0].grouped_usage[0].grouped_by == {"team": "a"}
    found = client.customers.projected_usage("c1", "s1")
    assert found.projected_amount_cents > found.amount_cents == 500
    periods = client.customers.past_usage("c1", "s1", {"periods_count": "2"})
    assert [one.amount_cents for one in periods["usage_periods"]] == [1500, 1900]
