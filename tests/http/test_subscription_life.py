"""How subscriptions of one external id follow each other, and how arranged ends are kept."""

from datetime import date
from typing import Any

import pytest

from tests.support.billing import (
    add_metric,
    add_plan,
    charge,
    current_usage,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Org
from tests.support.receiver import receiving


def put(org: Org, path: str = "s1", **fields: Any) -> dict[str, Any]:
    """Change a subscription."""
    answer: dict[str, Any] = org.put(f"/subscriptions/{path}", {"subscription": fields})
    changed: dict[str, Any] = answer["subscription"]
    org.drain()
    return changed


def test_b15_what_is_recreated_is_not_billed_twice(org: Org) -> None:
    """B15: terminate and recreate with the same external id and anchor."""
    org.clock("2025-03-15T00:00:00Z")
    metric_id = add_metric(org, "usage")
    usage = charge(metric_id, "standard", {"amount": "1"})
    add_plan(org, interval="yearly", amount_cents=0, charges=[usage])
    anchor = {"subscription_at": "2025-03-15T00:00:00Z", "billing_time": "anniversary"}
    subscribe(org, **anchor)
    send(org, "t1", "50", timestamp=1_767_225_600)
    org.clock("2026-03-13T10:00:00Z", catch_up=True)
    ended = org.delete("/subscriptions/s1")["subscription"]
    org.drain()
    again = subscribe(org, **anchor)
    assert again["lago_id"] != ended["lago_id"]
    assert again["started_at"][:19] == ended["terminated_at"][:19] == "2026-03-13T10:00:00"
    org.clock("2026-03-15T01:00:00Z", catch_up=True)
    first, second = invoices(org)
    (period,) = second["billing_periods"]
    assert period["subscription_from_datetime"] == "2026-03-13T00:00:00Z"
    assert period["charges_from_datetime"] == "2026-03-13T10:00:00Z"
    assert [first["total_amount_cents"], second["total_amount_cents"]] == [5000, 0]


def test_14_1_an_end_that_was_missed_is_made_up_for(org: Org) -> None:
    org.clock("2026-02-01T00:00:00Z")
    add_plan(org, amount_cents=2800)
    subscribe(org, ending_at="2026-02-20T00:00:00Z")
    org.clock("2026-02-23T12:00:00Z")
    org.run("terminate_ended_subscriptions")
    ended = org.get("/subscriptions/s1?status=terminated")["subscription"]
    assert ended["terminated_at"] == "2026-02-23T12:00:00Z"
    assert only_invoice(org)["total_amount_cents"] == 2300, "until it really ended"


def test_14_3_a_future_start_begins_with_its_local_day(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org)
    subscribe(org, subscription_at="2026-01-20T15:00:00Z")
    org.clock("2026-01-20T12:00:00Z", catch_up=True)
    started = org.get("/subscriptions/s1")["subscription"]
    assert started["started_at"] == "2026-01-20T00:00:00.000Z"
    assert started["subscription_at"] == "2026-01-20T15:00:00Z"


@pytest.mark.parametrize(
    ("moved_to", "status", "billed"),
    [
        ("2026-01-10T22:00:00Z", "active", [1000]),
        ("2026-01-03T10:00:00Z", "active", []),
        ("2026-01-15T00:00:00Z", "pending", []),
    ],
)
def test_a_future_start_that_is_moved(
    org: Org, moved_to: str, status: str, billed: list[int]
) -> None:
    org.clock("2026-01-10T12:00:00Z")
    add_plan(org, pay_in_advance=True)
    subscribe(org, subscription_at="2026-01-20T00:00:00Z", billing_time="anniversary")
    moved = put(org, "s1?status=pending", subscription_at=moved_to)
    assert (moved["status"], moved["subscription_at"]) == (status, moved_to)
    if status == "active":
        assert moved["started_at"] == moved_to.replace("Z", ".000Z")
    assert [one["total_amount_cents"] for one in invoices(org)] == billed
    started = put(org, subscription_at="2026-05-01T00:00:00Z") if status == "active" else moved
    assert started["subscription_at"] == moved_to, "what has started keeps its anchor"


def test_one_external_id_in_every_status(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "large", amount_cents=9000)
    add_plan(org, "small", amount_cents=1000)
    for _ in range(2):
        subscribe(org, "large")
        org.delete("/subscriptions/s1")
    subscribe(org, "large", subscription_at="2026-06-01T00:00:00Z")
    org.delete("/subscriptions/s1?status=pending")
    now = subscribe(org, "large")
    subscribe(org, "small")

    def statuses(query: str) -> list[str]:
        found = org.get(f"/subscriptions?external_id=s1&{query}")["subscriptions"]
        return [one["status"] for one in found]

    assert statuses("") == ["active"]
    wanted = "&".join(
        f"status[]={one}" for one in ("active", "pending", "terminated", "canceled", "incomplete")
    )
    assert sorted(statuses(wanted)) == [
        "active",
        "canceled",
        "pending",
        "terminated",
        "terminated",
    ]
    assert org.get("/subscriptions/s1")["subscription"]["lago_id"] == now["lago_id"]
    org.get("/subscriptions/s1?status=incomplete", 404)
    assert put(org, "s1?status=pending", name="Waits")["plan_code"] == "small"
    assert put(org, name="Runs")["plan_code"] == "large"
    assert org.delete("/subscriptions/s1?status=pending")["subscription"]["name"] == "Waits"
    assert org.delete("/subscriptions/s1?status=pending", 404)["code"] == "subscription_not_found"


def test_the_end_rules_of_a_subscription(org: Org) -> None:
    add_plan(org, "early", pay_in_advance=True)
    add_plan(org, "late")
    assert subscribe(org, "early", "s1")["on_termination_credit_note"] == "credit"
    assert subscribe(org, "late", "s2")["on_termination_credit_note"] is None
    assert put(org, "s1", on_termination_credit_note="offset")["on_termination_credit_note"] == (
        "offset"
    )
    assert put(org, "s2", on_termination_invoice="skip")["on_termination_invoice"] == "skip"
    for path in ("s1?on_termination_credit_note=gift", "s2?on_termination_credit_note=credit"):
        answer = org.delete(f"/subscriptions/{path}", 422)
        assert answer["error_details"] == {"on_termination_credit_note": ["invalid_value"]}
    refused = {"subscription": {"on_termination_credit_note": "credit"}}
    answer = org.put("/subscriptions/s2", refused, 422)
    assert answer["error_details"] == {"on_termination_credit_note": ["invalid_value"]}
    assert org.delete("/subscriptions/s1?on_termination_credit_note=skip")["subscription"][
        "on_termination_credit_note"
    ] == ("skip")


def test_ends_are_announced(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org)
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})

        def alerted_until(day: date, count: int) -> None:
            org.clock(f"{day}T12:00:00Z", catch_up=True)
            org.run("termination_alerts")
            receiver.wait_for("subscription.termination_alert", count)

        subscribe(org, ending_at="2026-03-01T10:00:00Z")
        alerted_until(date(2026, 1, 15), 1)
        alerted_until(date(2026, 2, 14), 2)
        put(org, ending_at="2026-04-20T00:00:00Z")
        alerted_until(date(2026, 3, 6), 3)
        put(org, ending_at=None)
        alerted_until(date(2026, 4, 6), 3)
        subscribe(org, external_id="last", ending_at="2026-04-21T00:00:00Z")
        alerted_until(date(2026, 4, 6), 4)
        told = [
            one.payload["subscription"]
            for one in receiver.of_type("subscription.termination_alert")
        ]
    assert [one["ending_at"][:10] for one in told] == [
        "2026-03-01",
        "2026-03-01",
        "2026-04-20",
        "2026-04-21",
    ]
    assert {"plan", "customer"} <= told[0].keys()


def test_a_customer_may_pay_in_several_currencies(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "euros", amount_cents=3100, pay_in_advance=True)
    add_plan(org, "dollars", amount_cents=6200, amount_currency="USD", pay_in_advance=True)
    subscribe(org, "euros")
    org.drain()
    org.clock("2026-01-11T00:00:00Z")
    assert subscribe(org, "dollars")["plan_amount_currency"] == "USD"
    org.drain()
    found = {(one["currency"], one["total_amount_cents"]) for one in invoices(org)}
    assert found == {("EUR", 3100), ("EUR", 0), ("USD", 4200)}
    assert current_usage(org)["currency"] == "USD"
