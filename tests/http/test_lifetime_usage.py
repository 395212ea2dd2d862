"""Lifetime usage: what was used elsewhere, what was invoiced, and what is running now."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.billing import add_plan, add_tax, charge, subscribe, usage_event
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, use

PATH = "/subscriptions/s1/lifetime_usage"


def lifetime(org: Org, path: str = PATH) -> dict[str, Any]:
    """Return the lifetime usage of s1."""
    found: dict[str, Any] = org.get(path)["lifetime_usage"]
    return found


def amounts(org: Org, path: str = PATH) -> tuple[int, int, int]:
    """Return the cents used before, on invoices, and in the running period."""
    found = lifetime(org, path)
    return (
        found["external_historical_usage_amount_cents"],
        found["invoiced_usage_amount_cents"],
        found["current_usage_amount_cents"],
    )


def test_usage_moves_from_current_to_invoiced(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_tax(org, "vat", "20", applied_to_organization=True)
    sold(org, {"min_amount_cents": 500}, plan={"amount_cents": 1000})
    subscription = org.get("/subscriptions/s1")["subscription"]
    use(org, {"value": 3})
    assert lifetime(org) == {
        "lago_id": subscription["lago_id"],
        "lago_subscription_id": subscription["lago_id"],
        "external_subscription_id": "s1",
        "external_historical_usage_amount_cents": 0,
        "invoiced_usage_amount_cents": 0,
        "current_usage_amount_cents": 300,
        "from_datetime": "2026-01-01T00:00:00Z",
        "to_datetime": "2026-01-01T00:00:00Z",
        "usage_thresholds": [],
    }
    change = {"lifetime_usage": {"external_historical_usage_amount_cents": 7000}}
    assert org.put(PATH, change)["lifetime_usage"]["current_usage_amount_cents"] == 300
    org.clock("2026-02-10T00:00:00Z", catch_up=True)
    use(org, {"value": 4})
    assert amounts(org) == (7000, 500, 400), "with the minimum, without fee and taxes"
    assert lifetime(org)["to_datetime"] == "2026-02-10T00:00:00Z"


def test_drafts_count_and_voided_invoices_do_not(org: Org) -> None:
    org.post(
        "/customers",
        {"customer": {"external_id": "c1", "billing_configuration": {"invoice_grace_period": 3}}},
    )
    sold(org, {})
    use(org, {"value": 3})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == (0, 300, 0)
    (invoice,) = org.get("/invoices")["invoices"]
    org.put(f"/invoices/{invoice['lago_id']}/finalize")
    assert amounts(org) == (0, 300, 0)
    org.post(f"/invoices/{invoice['lago_id']}/void")
    assert amounts(org) == (0, 0, 0)


def test_what_is_paid_in_advance_counts_once(org: Org) -> None:
    sold(org, {"pay_in_advance": True})
    use(org, {"value": 3})
    org.drain()
    assert [fee["amount_cents"] for fee in org.get("/fees")["fees"]] == [300]
    assert amounts(org) == (0, 0, 300)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == (0, 300, 0)


def test_a_subscription_that_ended_and_began_anew(org: Org) -> None:
    start = "2026-01-01T00:00:00Z"
    sold(org, {}, at=start)
    use(org, {"value": 3})
    org.clock("2026-01-10T00:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    assert amounts(org) == (0, 300, 0)
    subscribe(org, subscription_at=start)
    use(org, {"value": 5})
    assert amounts(org) == (0, 300, 500), "the same beginning, the same life"
    org.delete("/subscriptions/s1")
    org.drain()
    subscribe(org, subscription_at="2026-01-11T00:00:00Z")
    org.clock("2026-01-11T00:05:00Z", catch_up=True)
    assert amounts(org) == (0, 0, 0), "another beginning, another life"


def test_an_upgrade_goes_on_with_it(org: Org) -> None:
    sold(org, {})
    use(org, {"value": 3})
    change = {"lifetime_usage": {"external_historical_usage_amount_cents": 7000}}
    org.put(PATH, change)
    metric = org.get("/billable_metrics/usage")["billable_metric"]["lago_id"]
    add_plan(org, "better", charges=[charge(metric, "standard", {"amount": "2"})])
    org.clock("2026-01-10T00:00:00Z")
    subscribe(org, "better")
    org.drain()
    use(org, {"value": 5})
    assert amounts(org) == (7000, 300, 1000)


@pytest.mark.parametrize(
    ("body", "status", "details"),
    [
        ({"external_historical_usage_amount_cents": -1}, 422, ["value_is_out_of_range"]),
        ({"external_historical_usage_amount_cents": "many"}, 422, ["value_is_invalid"]),
        ({"external_historical_usage_amount_cents": None}, 422, ["value_is_mandatory"]),
        ({"other": 1}, 422, ["value_is_mandatory"]),
    ],
)
def test_what_is_refused(org: Org, body: dict[str, Any], status: int, details: list[str]) -> None:
    sold(org, {})
    refused = org.put(PATH, {"lifetime_usage": body}, status)
    assert refused["error_details"] == {"external_historical_usage_amount_cents": details}
    assert amounts(org) == (0, 0, 0)


def test_nobody_has_no_lifetime(org: Org) -> None:
    body = {"lifetime_usage": {"external_historical_usage_amount_cents": 1}}
    path = "/subscriptions/none/lifetime_usage"
    assert org.get(path, status=404)["code"] == "lifetime_usage_not_found"
    assert org.put(path, body, status=404)["code"] == "lifetime_usage_not_found"


def test_thresholds_in_force_and_when_they_were_reached(org: Org) -> None:
    thresholds = [
        {"amount_cents": 1000},
        {"amount_cents": 5000},
        {"amount_cents": 2000, "recurring": True},
    ]
    sold(org, {}, plan={"usage_thresholds": thresholds})
    use(org, {"value": 12})
    assert lifetime(org)["usage_thresholds"][0]["reached_at"] is None, "nobody has looked yet"
    org.clock("2026-01-02T00:00:00Z", catch_up=True)
    org.clock("2026-01-03T00:00:00Z")
    use(org, {"value": 48})
    org.run("process_subscription_activity")
    found = lifetime(org)["usage_thresholds"]
    assert [(one["amount_cents"], one["completion_ratio"]) for one in found] == [
        (1000, 1),
        (5000, 1),
        (7000, Decimal("0.5")),
    ]
    assert [one["reached_at"] for one in found] == [
        "2026-01-01T00:00:00Z",
        "2026-01-03T00:00:00Z",
        None,
    ]


def test_14_23_fees_are_counted_by_subscription_and_once(org: Org) -> None:
    """An upgrade's invoice bears both rows, a consolidated one several subscriptions."""
    sold(org, {}, plan={"pay_in_advance": True})
    add_plan(org, "dear", amount_cents=5000, pay_in_advance=True)
    subscribe(org, external_id="other")
    use(org, {"value": 3})
    org.post("/events", {"event": usage_event("o1", subscription="other")})
    org.clock("2026-01-10T00:00:00Z", catch_up=True)
    subscribe(org, "dear")
    org.drain()
    assert amounts(org) == (0, 300, 0)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert amounts(org) == (0, 300, 0)
    assert amounts(org, "/subscriptions/other/lifetime_usage") == (0, 100, 0)
