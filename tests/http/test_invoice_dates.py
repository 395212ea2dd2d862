"""Drafts and dates: examples C19 to C21 of subscriptions.md 13.3, and ends on billing days."""

from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org
from tests.support.receiver import receiving

DECEMBER_18 = 1671321600
GRACE: dict[str, Any] = {"billing_configuration": {"invoice_grace_period": 3}}


def with_grace(org: Org, **plan: Any) -> None:
    """Start on 2022-12-15 with 10.00 a month, 1.00 per unit, 20 % tax and a grace of three days."""
    org.clock("2022-12-15T08:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    usage = charge(add_metric(org, "usage"), "standard", {"amount": "1"})
    add_plan(org, charges=[usage], **plan)
    add_customer(org, **GRACE)
    subscribe(org)
    org.drain()


def drafts_note(org: Org) -> dict[str, Any] | None:
    """Return the customer's note once it is final; while it is a draft nobody sees it."""
    found = org.get("/credit_notes")["credit_notes"]
    return found[0] if found else None


def test_c19_the_note_of_a_draft_waits_for_it(org: Org) -> None:
    with_grace(org, pay_in_advance=True)
    send(org, "t1", "6", timestamp=DECEMBER_18)
    assert only_invoice(org)["total_amount_cents"] == 658  # 17 of 31 days
    org.clock("2022-12-20T06:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    first, last = invoices(org)
    assert (first["status"], last["status"]) == ("draft", "draft")
    assert (first["total_amount_cents"], last["total_amount_cents"]) == (658, 720)
    assert drafts_note(org) is None
    for draft in (first, last):
        org.put(f"/invoices/{draft['lago_id']}/finalize")
    note = drafts_note(org)
    assert note is not None
    assert note["total_amount_cents"] == 426
    assert [one["total_amount_cents"] for one in invoices(org)] == [658, 294]


def test_c20_a_late_event_comes_on_a_draft_with_its_refresh(org: Org) -> None:
    with_grace(org, amount_cents=0)
    send(org, "t1", "12", timestamp=DECEMBER_18)
    org.clock("2023-01-01T01:00:00Z", catch_up=True)
    draft = only_invoice(org)
    assert (draft["status"], draft["total_amount_cents"]) == ("draft", 1440)
    send(org, "t2", "1", timestamp=DECEMBER_18)
    assert only_invoice(org)["total_amount_cents"] == 1440
    path = f"/invoices/{draft['lago_id']}/refresh"
    assert org.put(path)["invoice"]["total_amount_cents"] == 1560


def test_c21_the_local_day_of_billing_dates_a_draft(org: Org) -> None:
    org.clock("2022-11-25T07:30:00Z")  # the 24th in Los Angeles
    add_plan(org, pay_in_advance=True)
    add_customer(org, timezone="America/Los_Angeles", **GRACE)
    subscribe(org)
    org.drain()
    assert only_invoice(org)["issuing_date"] == "2022-11-27"
    org.clock("2022-11-26T23:00:00Z", catch_up=True)
    assert only_invoice(org)["status"] == "draft"
    org.clock("2022-11-27T01:00:00Z", catch_up=True)
    final = only_invoice(org)
    # the job compares with the UTC day, the date is the local one (14.19)
    assert (final["status"], final["issuing_date"]) == ("finalized", "2022-11-26")


def test_a_draft_that_is_deleted_is_gone_and_told(any_gateway: Gateway) -> None:
    with receiving() as receiver:
        org = any_gateway.organization()
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        with_grace(org, pay_in_advance=True)
        (draft,) = invoices(org)
        path = f"/invoices/{draft['lago_id']}"
        assert org.delete(path)["invoice"]["status"] == "deleted"
        org.get(path, 404)
        org.delete(path, 404)
        assert invoices(org) == []
        org.drain()
        (message,) = receiver.wait_for("invoice.deleted")
        assert message.payload["invoice"]["lago_id"] == draft["lago_id"]


@pytest.mark.parametrize(
    ("zone", "issued"),
    [
        pytest.param("Europe/Paris", "2023-09-06", id="A19-Paris"),
        pytest.param("America/Bogota", "2023-09-05", id="A19-Bogota"),
    ],
)
def test_a19_an_end_by_date_bills_the_days_until_then(org: Org, zone: str, issued: str) -> None:
    org.clock("2023-09-05T00:00:00Z")
    add_plan(org)
    add_customer(org, timezone=zone)
    subscribe(org, billing_time="anniversary", ending_at="2023-09-06T00:00:00Z")
    org.clock("2023-09-06T00:15:00Z")
    org.run("terminate_ended_subscriptions")
    org.drain()
    last = only_invoice(org)
    assert (last["fees_amount_cents"], last["issuing_date"]) == (67, issued)


@pytest.mark.parametrize(
    ("zone", "instant", "issued"),
    [
        pytest.param("UTC", "2023-10-05T00:05:00Z", "2023-10-05", id="A20"),
        pytest.param("America/Bogota", "2023-10-04T19:05:00Z", "2023-10-04", id="A20-Bogota"),
    ],
)
def test_a20_an_end_on_an_unbilled_billing_day_bills_the_whole_period(
    org: Org, zone: str, instant: str, issued: str
) -> None:
    org.clock("2023-09-05T12:00:00Z" if zone == "UTC" else "2023-09-04T12:00:00Z")
    add_plan(org)
    add_customer(org, timezone=zone)
    subscribe(org, billing_time="anniversary", ending_at="2023-10-05T00:00:00Z")
    org.clock(instant)
    org.run("bill_customers")
    org.run("terminate_ended_subscriptions")
    org.drain()
    last = only_invoice(org)
    assert (last["fees_amount_cents"], last["issuing_date"]) == (1000, issued)


def test_a21_an_end_on_a_billed_billing_day_bills_that_day(org: Org) -> None:
    org.clock("2023-09-01T00:00:00Z")
    add_plan(org)
    subscribe(org)
    org.clock("2023-10-01T01:00:00Z", catch_up=True)
    org.delete("/subscriptions/s1")
    org.drain()
    assert [one["fees_amount_cents"] for one in invoices(org)] == [1000, 32]


def test_a22_an_end_on_a_billing_day_credits_nothing_in_advance(org: Org) -> None:
    org.clock("2023-09-05T12:00:00Z")
    add_plan(org, pay_in_advance=True)
    subscribe(org, billing_time="anniversary", ending_at="2023-10-05T00:00:00Z")
    org.drain()
    org.clock("2023-10-05T00:15:00Z", catch_up=True)
    org.drain()
    first, last = invoices(org)
    assert (first["fees_amount_cents"], last["fees_amount_cents"]) == (1000, 0)
    assert org.get("/credit_notes")["credit_notes"] == []
    (ended,) = org.get("/subscriptions?status[]=terminated")["subscriptions"]
    assert ended["terminated_at"] == "2023-10-05T00:05:00Z"
