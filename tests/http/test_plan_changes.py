"""Changing the plan of a subscription: what is billed on both sides, and on which day."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.http.test_concurrency import at_once, statuses
from tests.support.billing import (
    add_customer,
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
from tests.support.receiver import receiving

SMALL, LARGE = 3100, 6200


def two_plans(org: Org, at: str = "2026-01-01T00:00:00Z", **fields: Any) -> None:
    """Create the plans `small` and `large` of 31.00 and 62.00 a month, and subscribe s1 to one."""
    first = fields.pop("first", "small")
    start = fields.pop("start", {})
    org.clock(at)
    add_plan(org, "small", amount_cents=SMALL, **fields)
    add_plan(org, "large", amount_cents=LARGE, **fields)
    subscribe(org, first, **start)
    org.drain()


def change(org: Org, plan: str, **fields: Any) -> dict[str, Any]:
    """Ask for another plan, and wait for what is billed for it."""
    answer = subscribe(org, plan, **fields)
    org.drain()
    return answer


def row(org: Org, status: str = "active") -> dict[str, Any]:
    """Return s1 in a status."""
    found: dict[str, Any] = org.get(f"/subscriptions/s1?status={status}")["subscription"]
    return found


def billed(invoice: dict[str, Any]) -> dict[str, int]:
    """Return an invoice's subscription fees by plan code."""
    return {
        fee["item"]["code"]: fee["amount_cents"]
        for fee in invoice["fees"]
        if fee["item"]["type"] == "subscription"
    }


def reasons(invoice: dict[str, Any]) -> list[str]:
    """Return why each line is on an invoice."""
    return [line["invoicing_reason"] for line in invoice["billing_periods"]]


def notes(org: Org) -> list[int]:
    """Return the totals of all credit notes, the oldest first."""
    found = org.get("/credit_notes")["credit_notes"]
    return [one["total_amount_cents"] for one in reversed(found)]


def recurring_plans(org: Org, **fields: Any) -> None:
    """Create the plans of the examples A9 and A10, and use one recurring unit from the start."""
    org.clock("2024-02-01T00:00:00Z")
    metric_id = add_metric(org, "seats", "unique_count_agg", recurring=True)
    seats = charge(metric_id, "standard", {"amount": "5"}, prorated=True)
    for code, amount_cents in (("first", 2900), ("second", 29000)):
        add_plan(org, code, amount_cents=amount_cents, charges=[seats], **fields)
    subscribe(org, "first")
    send(org, "seat-1", "a", code="seats")


def test_a10_an_upgrade_in_arrears(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    recurring_plans(org)
    org.clock("2024-02-12T06:00:00Z")
    change(org, "second")
    upgrade = only_invoice(org)
    # 11 of 29 days of the fee and of the seat; the day of the change is the new plan's
    assert [fee["amount_cents"] for fee in upgrade["fees"]] == [1100, 190]
    assert reasons(upgrade) == ["subscription_terminating"]
    org.clock("2024-03-01T01:00:00Z", catch_up=True)
    assert [fee["amount_cents"] for fee in invoices(org)[-1]["fees"]] == [18000, 310]


def test_a9_an_upgrade_in_advance(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    recurring_plans(org, pay_in_advance=True)
    org.clock("2024-02-12T06:00:00Z")
    change(org, "second")
    upgrade = invoices(org)[-1]
    assert reasons(upgrade) == ["subscription_terminating", "subscription_starting"]
    assert [fee["amount_cents"] for fee in upgrade["fees"]] == [190, 18000]
    assert notes(org) == [1800]
    assert upgrade["total_amount_cents"] == 16390
    org.clock("2024-03-01T01:00:00Z", catch_up=True)
    assert invoices(org)[-1]["total_amount_cents"] == 29310


@pytest.mark.parametrize(
    ("billing_time", "fees", "credited"),
    [
        ("calendar", [871, 968, 1226], [806, 1210]),
        ("anniversary", [1000, 1161, 1471], [968, 1451]),
    ],
)
def test_a5_a6_two_upgrades_on_one_day(
    org: Org, billing_time: str, fees: list[int], credited: list[int]
) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_tax(org, "vat", "25", applied_to_organization=True)
    for code, amount_cents in (("p1", 1000), ("p2", 1500), ("p3", 1900)):
        add_plan(org, code, amount_cents=amount_cents, pay_in_advance=True)
    change(org, "p1", billing_time=billing_time)
    for instant, code in (("2024-03-12T12:12:00Z", "p2"), ("2024-03-12T13:12:00Z", "p3")):
        org.clock(instant)
        change(org, code)
    assert [one["fees_amount_cents"] for one in invoices(org)] == fees
    assert notes(org) == credited
    assert (row(org)["plan_code"], row(org)["previous_plan_code"]) == ("p3", "p2")


def test_a7_an_upgrade_to_a_longer_interval(org: Org) -> None:
    org.clock("2023-06-29T00:00:00Z")
    add_plan(org, "month", amount_cents=1000, pay_in_advance=True)
    add_plan(org, "year", interval="yearly", amount_cents=12000, pay_in_advance=True)
    subscribe(org, "month", billing_time="anniversary")
    org.clock("2023-09-28T10:00:00Z", catch_up=True)
    # as dear in a year is an upgrade, too
    assert change(org, "year")["plan_code"] == "year"
    assert notes(org) == [32]
    assert billed(invoices(org)[-1]) == {"year": 9016}


def test_a25_the_end_of_a_plan_that_took_over(org: Org) -> None:
    org.clock("2024-04-10T00:00:00Z")
    add_tax(org, "vat", "20", applied_to_organization=True)
    add_plan(org, "free", amount_cents=0)
    add_plan(org, "paid", amount_cents=2000)
    subscribe(org, "free")
    org.clock("2024-04-24T11:00:00Z")
    change(org, "paid")
    assert only_invoice(org)["total_amount_cents"] == 0
    org.clock("2024-04-26T11:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    assert invoices(org)[-1]["total_amount_cents"] == 240


def test_the_row_that_takes_over(org: Org) -> None:
    two_plans(
        org,
        start={
            "name": "First",
            "billing_time": "anniversary",
            "ending_at": "2026-12-31T00:00:00Z",
            "consolidate_invoice": False,
        },
    )
    before = row(org)
    org.clock("2026-01-16T12:00:00Z")
    after = change(org, "large", billing_time="calendar")
    assert after["lago_id"] != before["lago_id"]
    kept = ("external_id", "subscription_at", "billing_time", "ending_at", "consolidate_invoice")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["status"], after["started_at"]) == ("active", "2026-01-16T12:00:00.000Z")
    assert (after["name"], after["previous_plan_code"]) == (None, "small")
    ended = row(org, "terminated")
    assert (ended["lago_id"], ended["next_plan_code"]) == (before["lago_id"], "large")
    assert (ended["terminated_at"], ended["downgrade_plan_date"]) == ("2026-01-16T12:00:00Z", None)
    assert change(org, "large")["lago_id"] == after["lago_id"], "the same plan changes nothing"
    org.clock("2026-01-17T12:00:00Z")
    add_plan(org, "larger", amount_cents=LARGE)
    other = change(org, "larger", name="Third", ending_at=None, purchase_order_number="PO 1")
    sent = (other["name"], other["ending_at"], other["purchase_order_number"])
    assert sent == ("Third", None, "PO 1")


def test_a_downgrade_waits_for_the_end_of_the_period(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    two_plans(org, first="large")
    org.clock("2026-01-16T12:00:00Z")
    answer = change(org, "small")
    assert (answer["plan_code"], answer["next_plan_code"]) == ("large", "small")
    assert answer["downgrade_plan_date"] == "2026-02-01"
    waiting = row(org, "pending")
    assert (waiting["plan_code"], waiting["previous_plan_code"]) == ("small", "large")
    assert waiting["started_at"] is None
    assert invoices(org) == []
    org.clock("2026-02-15T00:00:00Z", catch_up=True)
    rotation = only_invoice(org)
    assert (billed(rotation), rotation["issuing_date"]) == ({"large": LARGE}, "2026-02-01")
    assert reasons(rotation) == ["subscription_terminating"]
    after = row(org)
    assert after["lago_id"] == waiting["lago_id"]
    assert (after["plan_code"], after["previous_plan_code"]) == ("small", "large")
    assert after["started_at"] == "2026-02-01T00:00:00.000Z"
    org.clock("2026-03-15T00:00:00Z", catch_up=True)
    assert billed(invoices(org)[-1]) == {"small": SMALL}


def test_a8_a_downgrade_in_advance(org: Org) -> None:
    org.clock("2023-07-19T12:12:00Z")
    add_plan(org, "month", amount_cents=12900, pay_in_advance=True)
    add_plan(org, "year", interval="yearly", amount_cents=118800, pay_in_advance=True)
    subscribe(org, "month", billing_time="anniversary")
    org.clock("2023-11-09T00:00:00Z", catch_up=True)
    change(org, "year")
    before = len(invoices(org))
    org.clock("2023-11-20T00:00:00Z", catch_up=True)
    (rotation,) = invoices(org)[before:]
    assert billed(rotation) == {"year": 78875}
    assert reasons(rotation) == ["subscription_terminating", "subscription_starting"]
    assert notes(org) == []


def test_14_18_west_of_utc_the_announced_day_is_the_local_one(org: Org) -> None:
    org.clock("2026-01-01T12:00:00Z")
    add_customer(org, timezone="America/Los_Angeles")
    two_plans(org, at="2026-01-01T12:00:00Z", first="large")
    org.clock("2026-01-16T12:00:00Z")
    assert change(org, "small")["downgrade_plan_date"] == "2026-02-01"
    org.clock("2026-02-02T00:00:00Z", catch_up=True)
    assert row(org)["started_at"] == "2026-02-01T08:00:00.000Z"


def test_a_change_that_waits_can_be_changed_or_canceled(org: Org) -> None:
    two_plans(org, first="large")
    add_plan(org, "smaller", amount_cents=1)
    org.clock("2026-01-16T12:00:00Z")
    change(org, "small")
    first = row(org, "pending")["lago_id"]
    change(org, "small")
    assert row(org, "pending")["lago_id"] == first, "asking twice is asking once"
    assert change(org, "smaller")["next_plan_code"] == "smaller"
    assert row(org, "canceled")["lago_id"] == first
    renamed = org.put("/subscriptions/s1?status=pending", {"subscription": {"name": "Next"}})
    assert renamed["subscription"]["plan_code"] == "smaller"
    present = org.put("/subscriptions/s1", {"subscription": {"name": "Now"}})["subscription"]
    assert (present["plan_code"], present["name"]) == ("large", "Now")
    moved = {"subscription": {"subscription_at": "2026-01-01T00:00:00Z"}}
    org.put("/subscriptions/s1?status=pending", moved)
    assert row(org, "pending")["name"] == "Next", "a plan that waits does not start by a date"
    canceled = org.delete("/subscriptions/s1?status=pending")["subscription"]
    assert (canceled["status"], canceled["plan_code"]) == ("canceled", "smaller")
    present = row(org)
    assert (present["next_plan_code"], present["downgrade_plan_date"]) == (None, None)
    org.clock("2026-02-02T00:00:00Z", catch_up=True)
    assert row(org)["plan_code"] == "large"
    assert billed(only_invoice(org)) == {"large": LARGE}


def test_an_upgrade_and_an_end_cancel_what_waits(org: Org) -> None:
    two_plans(org, first="large")
    add_plan(org, "larger", amount_cents=LARGE + 1)
    org.clock("2026-01-16T12:00:00Z")
    change(org, "small")
    change(org, "larger")
    org.get("/subscriptions/s1?status=pending", 404)
    change(org, "small")
    org.delete("/subscriptions/s1")
    org.drain()
    org.get("/subscriptions/s1?status=pending", 404)
    org.clock("2026-03-02T00:00:00Z", catch_up=True)
    assert org.get("/subscriptions")["subscriptions"] == []


def test_deleting_the_customer_ends_both_rows(org: Org) -> None:
    two_plans(org, first="large")
    change(org, "small")
    org.delete("/customers/c1")
    org.drain()
    assert row(org, "terminated")["plan_code"] == "large"
    assert row(org, "canceled")["plan_code"] == "small"


@pytest.mark.parametrize("code", ["small", "larger"])
def test_what_has_not_begun_changes_in_place(org: Org, code: str) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "small", amount_cents=SMALL)
    add_plan(org, "large", amount_cents=LARGE)
    add_plan(org, "larger", amount_cents=LARGE + 1, pay_in_advance=True)
    made = subscribe(org, "large", subscription_at="2026-02-01T00:00:00Z", name="First")
    changed = change(org, code, name="Second")
    assert (changed["lago_id"], changed["plan_code"]) == (made["lago_id"], code)
    assert (changed["status"], changed["name"]) == ("pending", "Second")
    assert changed["on_termination_credit_note"] == ("credit" if code == "larger" else None)
    assert changed["subscription_at"] == "2026-02-01T00:00:00Z"


def test_another_currency_or_order_number_has_an_invoice_of_its_own(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "euros", amount_cents=SMALL, pay_in_advance=True)
    add_plan(org, "dollars", amount_cents=LARGE, amount_currency="USD", pay_in_advance=True)
    add_plan(org, "more", amount_cents=LARGE, amount_currency="USD", pay_in_advance=True)
    change(org, "euros")
    org.clock("2026-01-16T12:00:00Z")
    change(org, "dollars")
    _, old, new = invoices(org)
    assert (old["currency"], reasons(old)) == ("EUR", ["subscription_terminating"])
    assert (new["currency"], reasons(new)) == ("USD", ["subscription_starting"])
    assert (billed(old), billed(new)) == ({}, {"dollars": 3200})
    org.clock("2026-01-17T12:00:00Z")
    change(org, "more", purchase_order_number="PO 1")
    *_, old, new = invoices(org)
    assert (reasons(old), reasons(new)) == (["subscription_terminating"], ["subscription_starting"])


def test_14_6_a_period_that_ended_unbilled_is_billed_before_an_upgrade(org: Org) -> None:
    two_plans(org)
    org.clock("2026-02-01T00:05:00Z")
    change(org, "large")
    ended, upgrade = invoices(org)
    assert (billed(ended), reasons(ended)) == ({"small": SMALL}, ["subscription_periodic"])
    assert billed(upgrade) == {"small": 0}
    org.clock("2026-03-02T00:00:00Z", catch_up=True)
    assert billed(invoices(org)[-1]) == {"large": LARGE}


def test_an_unbilled_period_in_advance_is_billed_and_credited(org: Org) -> None:
    two_plans(org, pay_in_advance=True)
    org.clock("2026-02-01T00:05:00Z")
    change(org, "large")
    _, ended, upgrade = invoices(org)
    assert billed(ended) == {"small": SMALL}
    assert (billed(upgrade), notes(org)) == ({"large": LARGE}, [SMALL])
    assert ended["total_amount_cents"] + upgrade["total_amount_cents"] == LARGE


def test_a_downgrade_asked_for_on_an_unbilled_day_waits_for_the_next_period(org: Org) -> None:
    two_plans(org, first="large")
    org.clock("2026-02-01T00:05:00Z")
    assert change(org, "small")["downgrade_plan_date"] == "2026-03-01"
    org.clock("2026-03-15T00:00:00Z", catch_up=True)
    assert [billed(one) for one in invoices(org)] == [{"large": LARGE}, {"large": LARGE}]
    assert row(org)["started_at"] == "2026-03-01T00:00:00.000Z"


def test_months_of_a_longer_period_do_not_rotate(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    charges = [charge(metric_id, "standard", {"amount": "1"})]
    split = {"interval": "semiannual", "bill_charges_monthly": True, "charges": charges}
    add_plan(org, "large", amount_cents=LARGE, **split)
    add_plan(org, "small", amount_cents=SMALL, **split)
    subscribe(org, "large")
    org.clock("2026-02-15T00:00:00Z", catch_up=True)
    assert change(org, "small")["downgrade_plan_date"] == "2026-07-01"
    send(org, "may", "2", timestamp=int(datetime(2026, 5, 5, tzinfo=UTC).timestamp()))
    send(org, "june", "3", timestamp=int(datetime(2026, 6, 5, tzinfo=UTC).timestamp()))
    org.clock("2026-06-15T00:00:00Z", catch_up=True)
    assert row(org)["plan_code"] == "large"
    assert invoices(org)[-1]["total_amount_cents"] == 200
    org.clock("2026-07-02T00:00:00Z", catch_up=True)
    assert row(org)["plan_code"] == "small"
    assert invoices(org)[-1]["total_amount_cents"] == LARGE + 300


def metered_plans(org: Org, first: str) -> None:
    """Subscribe to one of two plans that price the same usage: 1.00 and 2.00 a unit."""
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    for code, amount_cents, price in (("small", 0, "1"), ("large", 1, "2")):
        charges = [charge(metric_id, "standard", {"amount": price})]
        add_plan(org, code, amount_cents=amount_cents, charges=charges)
    subscribe(org, first)


def usage_billed(invoice: dict[str, Any]) -> int:
    """Return what an invoice bills for usage."""
    return sum(fee["amount_cents"] for fee in invoice["fees"] if fee["item"]["type"] == "charge")


def test_usage_is_billed_once_on_both_sides_of_an_upgrade(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    metered_plans(org, "small")
    org.clock("2026-01-16T12:00:00Z")
    upgraded_at = int(datetime(2026, 1, 16, 12, tzinfo=UTC).timestamp())
    send(org, "before", "1", timestamp=upgraded_at - 1)
    send(org, "at", "10", timestamp=upgraded_at)
    send(org, "after", "100", timestamp=upgraded_at + 1)
    change(org, "large")
    assert usage_billed(only_invoice(org)) == 100
    assert current_usage(org)["amount_cents"] == 22000
    org.clock("2026-02-02T00:00:00Z", catch_up=True)
    assert usage_billed(invoices(org)[-1]) == 22000


def test_usage_between_midnight_and_the_run_is_the_next_plans(org: Org) -> None:
    metered_plans(org, "large")
    change(org, "small")
    send(org, "last", "1", timestamp=int(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC).timestamp()))
    send(org, "first", "10", timestamp=int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()))
    org.clock("2026-02-01T05:00:00Z")
    org.run("bill_customers")
    assert usage_billed(only_invoice(org)) == 200
    org.clock("2026-03-02T00:00:00Z", catch_up=True)
    assert [usage_billed(one) for one in invoices(org)] == [200, 1000]


def test_seats_in_advance_are_renewed_by_the_plan_that_takes_over(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "seats", "unique_count_agg", recurring=True)
    for code, amount_cents, price in (("small", 0, "1"), ("large", 1, "2")):
        seats = charge(metric_id, "standard", {"amount": price}, pay_in_advance=True)
        add_plan(org, code, amount_cents=amount_cents, charges=[seats])
    subscribe(org, "large")
    change(org, "small")
    org.clock("2026-01-16T12:00:00Z")
    for seat in ("a", "b"):
        send(org, seat, seat, code="seats")
    org.drain()
    before = len(invoices(org))
    assert [usage_billed(one) for one in invoices(org)] == [200, 200]
    org.clock("2026-02-02T00:00:00Z", catch_up=True)
    (rotation,) = invoices(org)[before:]
    assert usage_billed(rotation) == 200, "two seats, at the price of the plan that begins"


def test_prices_that_change_change_what_waits(org: Org) -> None:
    two_plans(org, first="large")
    change(org, "small")
    org.put("/plans/small", {"plan": {"amount_cents": LARGE - 1}})
    assert row(org)["next_plan_code"] == "small"
    org.clock("2026-01-16T12:00:00Z")
    org.put("/plans/large", {"plan": {"amount_cents": LARGE - 2}})
    assert row(org)["next_plan_code"] is None, "it would not be a downgrade any more"
    org.put("/plans/large", {"plan": {"amount_cents": LARGE}})
    change(org, "small")
    org.put("/plans/small", {"plan": {"amount_cents": LARGE}})
    org.drain()
    after = row(org)
    assert (after["plan_code"], after["started_at"]) == ("small", "2026-01-16T12:00:00.000Z")
    assert billed(only_invoice(org)) == {"large": 3000}


def test_what_is_told(org: Org) -> None:
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        two_plans(org, first="large")
        change(org, "small")
        told = receiver.wait_for("subscription.updated")[0].payload["subscription"]
        assert (told["plan_code"], told["next_plan_code"]) == ("large", "small")
        org.delete("/subscriptions/s1?status=pending")
        told = receiver.wait_for("subscription.updated", 2)[1].payload["subscription"]
        assert (told["plan_code"], told["next_plan_code"]) == ("large", None)
        told = receiver.wait_for("subscription.terminated")[0].payload["subscription"]
        assert (told["plan_code"], told["status"]) == ("small", "canceled")
        add_plan(org, "larger", amount_cents=LARGE)
        change(org, "larger")
        told = receiver.wait_for("subscription.terminated", 2)[1].payload["subscription"]
        assert (told["plan_code"], told["status"]) == ("large", "terminated")
        told = receiver.wait_for("subscription.started", 2)[1].payload["subscription"]
        assert (told["plan_code"], told["previous_plan_code"]) == ("larger", "large")


def test_a_downgrade_that_nobody_noticed_comes_before_the_next_change(org: Org) -> None:
    two_plans(org, first="large")
    change(org, "small")
    add_plan(org, "larger", amount_cents=9000)
    org.clock("2026-02-01T00:05:00Z", catch_up=True)  # five minutes before the biller
    change(org, "larger")
    path = "/subscriptions?external_id=s1&status[]=terminated"
    ended = {one["plan_code"]: one for one in org.get(path)["subscriptions"]}
    assert ended["large"]["terminated_at"] == "2026-02-01T00:00:00Z"
    assert ended["small"]["started_at"] == "2026-02-01T00:00:00.000Z"
    assert [billed(one) for one in invoices(org)] == [{"large": LARGE}, {"small": 0}]


def test_a_draft_stays_what_it_was_when_it_is_recomputed(org: Org) -> None:
    org.clock("2026-01-14T09:00:00Z")
    add_customer(org, billing_configuration={"invoice_grace_period": 30})
    add_plan(org, "small", interval="weekly", amount_cents=700)
    add_plan(org, "large", interval="weekly", amount_cents=1400)
    subscribe(org, "small")
    org.clock("2026-01-22T09:00:00Z", catch_up=True)
    change(org, "large")
    org.clock("2026-02-03T09:00:00Z", catch_up=True)
    wanted = [{"small": 500}, {"small": 300}, {"large": 800}, {"large": 1400}]
    assert [billed(one) for one in invoices(org)] == wanted
    for one in invoices(org):
        org.put(f"/invoices/{one['lago_id']}/refresh")
    assert [billed(one) for one in invoices(org)] == wanted


def test_an_upgrade_that_many_ask_for_at_once(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    two_plans(org, pay_in_advance=True)
    org.clock("2026-01-16T12:00:00Z")
    body = {
        "subscription": {
            "external_customer_id": "c1",
            "external_id": "s1",
            "plan_code": "large",
        }
    }
    answers = at_once(lambda _: org.http.post("/subscriptions", json=body))
    assert statuses(answers) == {200: len(answers)}
    assert len({answer.json()["subscription"]["lago_id"] for answer in answers}) == 1
    org.drain()
    assert [billed(one) for one in invoices(org)] == [{"small": SMALL}, {"large": 3200}]
    assert notes(org) == [1600]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("plan_code", "no", 404),
        ("ending_at", "2026-01-10T00:00:00Z", 422),
        ("ending_at", "never", 422),
        ("plan_overrides", {"amount_cents": -1}, 422),
    ],
)
def test_changes_that_are_refused(org: Org, field: str, value: object, status: int) -> None:
    two_plans(org)
    org.clock("2026-01-16T12:00:00Z")
    body = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "large", field: value}
    answer = org.post("/subscriptions", {"subscription": body}, status)
    assert (field if status == 422 else "plan_not_found") in str(answer)
    assert row(org)["plan_code"] == "small"
    org.post(
        "/subscriptions",
        {"subscription": {**body, field: None, "external_customer_id": "c2", "plan_code": "large"}},
        422,
    )
