"""Fees by the day, on both ends: docs/rules/subscriptions.md 13.2, and ends of split plans."""

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


def paying(org: Org, start: str, amount_cents: int, tax: str | None = None, **fields: Any) -> None:
    """Subscribe s1 to a plan in advance with usage of 1.00 a unit, and wait for its bill.

    `tz` is the customer's zone, `billing_time` the subscription's; the rest is the plan's.
    """
    org.clock(start)
    if tax:
        add_tax(org, "vat", tax, applied_to_organization=True)
    add_customer(org, timezone=fields.pop("tz", "UTC"))
    billing_time = fields.pop("billing_time", "calendar")
    usage = charge(add_metric(org, "usage"), "standard", {"amount": "1"})
    plan = {"pay_in_advance": True, "charges": [usage], **fields}
    add_plan(org, amount_cents=amount_cents, **plan)
    subscribe(org, billing_time=billing_time)
    org.drain()


def end(org: Org, at: str, query: str = "") -> None:
    """End s1 at an instant, and wait for what is billed."""
    org.clock(at)
    org.delete(f"/subscriptions/s1?{query}")
    org.drain()


def only_note(org: Org) -> dict[str, Any]:
    """Return the one credit note there is."""
    (found,) = org.get("/credit_notes")["credit_notes"]
    return dict(found)


@pytest.mark.parametrize(
    ("billing_time", "tz", "fee", "total", "credited"),
    [
        pytest.param("calendar", "UTC", 3750, 4500, 4285, id="A1"),
        pytest.param("calendar", "America/Los_Angeles", 3929, 4715, 4500, id="A2"),
        pytest.param("anniversary", "UTC", 5000, 6000, 5785, id="A3"),
        pytest.param("anniversary", "America/Los_Angeles", 5000, 6000, 5785, id="A3-west"),
    ],
)
def test_a1_to_a3_ended_on_the_first_day(  # noqa: PLR0913 - one column each
    org: Org, *, billing_time: str, tz: str, fee: int, total: int, credited: int
) -> None:
    paying(org, "2023-02-08T05:00:00Z", 5000, "20", billing_time=billing_time, tz=tz)
    first = only_invoice(org)
    assert (first["fees_amount_cents"], first["total_amount_cents"]) == (fee, total)
    end(org, "2023-02-08T06:00:00Z")
    assert only_note(org)["total_amount_cents"] == credited
    assert invoices(org)[-1]["fees_amount_cents"] == 0


def test_a4_a_week_of_local_days(org: Org) -> None:
    add_plan(org, interval="weekly", amount_cents=700, pay_in_advance=True)
    for instant, zone in (
        ("2023-06-16T05:00:00Z", "America/Denver"),
        ("2023-06-16T05:00:00Z", "America/Halifax"),
        ("2023-06-16T20:00:00Z", "Europe/Paris"),
        ("2023-06-16T20:00:00Z", "Asia/Karachi"),
    ):
        org.clock(instant)
        add_customer(org, zone, timezone=zone)
        subscribe(org, external_id=zone, customer=zone)
    org.drain()
    assert [one["fees_amount_cents"] for one in invoices(org)] == [400, 300, 300, 200]


def test_a11_the_note_pays_the_last_usage(org: Org) -> None:
    org.clock("2024-02-01T00:00:00Z")
    seats = charge(
        add_metric(org, "seats", "unique_count_agg", recurring=True),
        "standard",
        {"amount": "5"},
        prorated=True,
    )
    add_plan(org, amount_cents=2900, pay_in_advance=True, charges=[seats])
    subscribe(org)
    send(org, "seat", "a", code="seats")
    org.drain()
    end(org, "2024-02-12T06:00:00Z")
    last = invoices(org)[-1]
    assert only_note(org)["total_amount_cents"] == 1700
    assert (last["fees_amount_cents"], last["credit_notes_amount_cents"]) == (207, 207)
    assert last["total_amount_cents"] == 0


def test_a12_one_day_is_kept(org: Org) -> None:
    paying(org, "2024-02-01T03:00:00Z", 2900)
    end(org, "2024-02-01T18:00:00Z")
    assert only_note(org)["total_amount_cents"] == 2800


def test_a13_a_day_that_began_with_the_end_counts(org: Org) -> None:
    paying(org, "2025-02-08T00:00:00Z", 10000, "20", pay_in_advance=False)
    send(org, "t1", "50")
    end(org, "2025-02-21T00:00:00Z")
    last = only_invoice(org)
    assert sorted(fee["amount_cents"] for fee in last["fees"]) == [5000, 5000]
    assert last["total_amount_cents"] == 12000


def test_a14_the_note_is_used_at_once(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    paying(org, "2025-02-08T00:00:00Z", 10000, "20")
    send(org, "t1", "50")
    assert only_invoice(org)["total_amount_cents"] == 9000
    end(org, "2025-02-21T00:00:00Z")
    note, last = only_note(org), invoices(org)[-1]
    assert (note["sub_total_excluding_taxes_amount_cents"], note["taxes_amount_cents"]) == (
        2500,
        500,
    )
    assert (last["credit_notes_amount_cents"], last["total_amount_cents"]) == (3000, 3000)


def test_a16_rounding_may_raise_a_note(org: Org) -> None:
    paying(org, "2025-02-08T00:00:00Z", 10000, "20")
    send(org, "t1", "50")
    end(org, "2025-02-08T12:00:00Z")
    note = only_note(org)
    assert (note["sub_total_excluding_taxes_amount_cents"], note["taxes_amount_cents"]) == (
        7143,
        1429,
    )
    assert (note["total_amount_cents"], note["balance_amount_cents"]) == (8572, 2572)
    assert invoices(org)[-1]["total_amount_cents"] == 0


def test_a18_a_note_follows_the_price_that_was_paid(org: Org) -> None:
    paying(org, "2022-10-01T00:00:00Z", 6200, "20")
    org.put("/plans/basic", {"plan": {"amount_cents": 3100}})
    end(org, "2022-10-15T10:00:00Z")
    assert only_note(org)["total_amount_cents"] == 3840


@pytest.mark.parametrize("billing_time", ["anniversary", "calendar"])
def test_a23_a_plan_that_took_over_within_a_quarter(org: Org, billing_time: str) -> None:
    org.clock("2024-01-15T00:00:00Z")
    for code, amount_cents in (("small", 1000), ("large", 91000)):
        add_plan(org, code, interval="quarterly", amount_cents=amount_cents)
    subscribe(org, "small", billing_time=billing_time)
    org.clock("2024-05-20T10:00:00Z")
    subscribe(org, "large")
    org.drain()
    end(org, "2024-06-20T10:00:00Z")
    assert invoices(org)[-1]["fees_amount_cents"] == 32000


def test_a24_a_draft_stays_what_it_was(org: Org) -> None:
    paying(org, "2022-12-15T00:00:00Z", 1000, "20", pay_in_advance=False)
    add_customer(org, billing_configuration={"invoice_grace_period": 3})
    end(org, "2022-12-20T06:00:00Z")
    draft = only_invoice(org)
    refreshed = org.put(f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    for one in (draft, refreshed):
        assert (one["fees_amount_cents"], one["taxes_amount_cents"]) == (194, 39)
        assert one["total_amount_cents"] == 233


def split(org: Org, start: str, **monthly: Any) -> None:
    """Subscribe s1 to a plan of 366.00 a year with usage and a fixed charge of 12.00."""
    org.clock(start)
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
    org.post("/add_ons", {"add_on": add_on})
    seat = {
        "add_on_code": "seat",
        "charge_model": "standard",
        "units": 1,
        "properties": {"amount": "12"},
    }
    usage = charge(add_metric(org, "usage"), "standard", {"amount": "1"})
    plan = {"interval": "yearly", "amount_cents": 36600, **monthly}
    add_plan(org, charges=[usage], fixed_charges=[seat], **plan)
    subscribe(org)


def amounts(invoice: dict[str, Any]) -> dict[str, int]:
    """Return an invoice's amounts by what they are for."""
    return {fee["item"]["type"]: fee["amount_cents"] for fee in invoice["fees"]}


def test_14_7_the_end_of_a_split_plan_bills_the_running_month(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    split(org, "2024-01-01T00:00:00Z", bill_charges_monthly=True, bill_fixed_charges_monthly=True)
    send(org, "january", "3")
    org.clock("2024-02-01T01:00:00Z", catch_up=True)
    send(org, "february", "5")
    end(org, "2024-02-20T10:00:00Z")
    assert [amounts(one) for one in invoices(org)] == [
        {"charge": 300, "fixed_charge": 1200},
        {"charge": 500, "fixed_charge": 1200, "subscription": 5100},
    ]


def test_14_8_the_end_of_a_split_plan_bills_what_waits_for_the_year(org: Org) -> None:
    split(org, "2024-01-01T00:00:00Z", bill_fixed_charges_monthly=True)
    send(org, "january", "3")
    org.clock("2024-02-01T01:00:00Z", catch_up=True)
    send(org, "february", "5")
    end(org, "2024-02-20T10:00:00Z")
    assert [amounts(one) for one in invoices(org)] == [
        {"fixed_charge": 1200},
        {"charge": 800, "fixed_charge": 1200, "subscription": 5100},
    ]


def test_a_split_plan_that_ends_on_the_first_of_an_unbilled_month(org: Org) -> None:
    split(org, "2024-01-01T00:00:00Z", bill_charges_monthly=True)
    send(org, "january", "3")
    end(org, "2024-02-01T00:05:00Z")
    assert [amounts(one) for one in invoices(org)] == [
        {"charge": 300},
        {"fixed_charge": 1200, "subscription": 3200},
    ]


def test_14_9_a_split_plan_is_left_at_the_end_of_its_period(org: Org) -> None:
    split(org, "2024-11-01T00:00:00Z", bill_charges_monthly=True)
    add_plan(org, "month", amount_cents=100)
    assert subscribe(org, "month")["downgrade_plan_date"] == "2025-01-01"
    org.clock("2024-12-02T00:00:00Z", catch_up=True)
    assert org.get("/subscriptions/s1")["subscription"]["plan_code"] == "basic"
    org.clock("2025-01-02T00:00:00Z", catch_up=True)
    assert org.get("/subscriptions/s1")["subscription"]["plan_code"] == "month"
    assert amounts(invoices(org)[-1]) == {"fixed_charge": 1200, "subscription": 6100}


def test_b14_the_next_window_begins_where_the_last_ended(any_gateway: Gateway) -> None:
    """Moving east no hour is billed twice, moving west none is left out."""
    org = any_gateway.organization()
    org.clock("2022-01-10T00:00:00Z")
    add_plan(org, charges=[charge(add_metric(org, "usage"), "standard", {"amount": "1"})])
    moves = {"east": "Asia/Tokyo", "west": "America/New_York"}
    for name in moves:
        add_customer(org, name, timezone="UTC")
        subscribe(org, external_id=name, customer=name)
    org.clock("2022-02-01T01:00:00Z", catch_up=True)
    for name, zone in moves.items():
        add_customer(org, name, timezone=zone)
        for number, timestamp in enumerate(("1643669999", "1643673600")):  # 23:00 and 00:00 UTC
            event = {"subscription": name, "timestamp": timestamp}
            send(org, f"{name}-{number}", "1", **event)
        running = org.get(f"/subscriptions/{name}")["subscription"]
        assert running["current_billing_period_started_at"] == "2022-02-01T00:00:00Z"
    org.clock("2022-03-02T00:00:00Z", catch_up=True)
    for name, last in (("east", "2022-02-28T14:59:59Z"), ("west", "2022-03-01T04:59:59Z")):
        march = invoices(org, f"external_customer_id={name}")[-1]
        (line,) = march["billing_periods"]
        assert line["charges_from_datetime"] == "2022-02-01T00:00:00Z"
        assert line["charges_to_datetime"] == last
        assert amounts(march) == {"charge": 100, "subscription": 1000}


def test_b15_a_row_that_follows_an_ended_one_bills_the_rest(org: Org) -> None:
    org.clock("2025-03-15T10:00:00Z")
    usage = charge(add_metric(org, "usage"), "standard", {"amount": "1"})
    add_plan(org, interval="yearly", amount_cents=36500, charges=[usage])
    anchor = {"subscription_at": "2025-03-15T10:00:00Z", "billing_time": "anniversary"}
    subscribe(org, **anchor)
    send(org, "t1", "50")
    end(org, "2026-03-13T10:00:00Z")
    again = subscribe(org, **anchor)
    assert again["started_at"] == "2026-03-13T10:00:00.000Z"
    org.clock("2026-03-15T01:00:00Z", catch_up=True)
    first, last = invoices(org)
    assert amounts(first) == {"charge": 5000, "subscription": 36400}
    (line,) = last["billing_periods"]
    assert line["subscription_from_datetime"] == "2026-03-13T00:00:00Z"
    assert line["charges_from_datetime"] == "2026-03-13T10:00:00Z"
    assert amounts(last) == {"subscription": 200}
