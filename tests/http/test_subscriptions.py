"""Subscriptions: starting, changing, ending, and what each of that costs."""

import pytest

from tests.support.billing import add_plan, invoices, only_invoice, subscribe
from tests.support.gateway import Org


def status_of(org: Org, status: str, external_id: str = "s1") -> str:
    """Return a subscription's status, found by it."""
    path = f"/subscriptions/{external_id}?status={status}"
    return str(org.get(path)["subscription"]["status"])


def test_repeating_a_creation_returns_what_is_there(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org, pay_in_advance=True)
    first, second = subscribe(org), subscribe(org)
    assert first["lago_id"] == second["lago_id"]
    org.drain()
    assert len(invoices(org)) == 1
    body = {
        "subscription": {
            "external_customer_id": "another",
            "external_id": "s1",
            "plan_code": "basic",
        }
    }
    answer = org.post("/subscriptions", body, 422)
    assert answer["error_details"] == {"external_id": ["value_already_exist"]}
    org.get("/customers/another", 404)


def test_the_first_plan_gives_a_customer_its_currency(org: Org) -> None:
    add_plan(org, "dollars", amount_currency="USD")
    add_plan(org, "euros", amount_currency="EUR")
    subscribe(org, "dollars", "s1")
    assert org.get("/customers/c1")["customer"]["currency"] == "USD"
    subscribe(org, "euros", "s2")
    assert org.get("/customers/c1")["customer"]["currency"] == "USD"


@pytest.mark.parametrize(
    ("field", "value", "status", "told"),
    [
        ("plan_code", "no", 404, "plan_not_found"),
        ("external_customer_id", None, 422, "external_customer_id"),
        ("subscription_at", "soon", 422, "invalid_date"),
        ("ending_at", "never", 422, "invalid_date"),
        ("ending_at", "2026-01-09T00:00:00Z", 422, "invalid_date"),
        ("billing_time", "lunar", 422, "billing_time"),
    ],
)
def test_creations_that_are_refused(
    org: Org, field: str, value: object, status: int, told: str
) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org)
    good = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic"}
    answer = org.post("/subscriptions", {"subscription": {**good, field: value}}, status)
    assert told in str(answer)
    assert org.get("/subscriptions")["subscriptions"] == []
    org.get("/customers/c1", 404)


@pytest.mark.parametrize(
    ("interval", "billing_time", "first_days", "second_on"),
    [
        # started on Wednesday the 14th of January 2026
        ("weekly", "calendar", 5, "2026-01-26"),
        ("weekly", "anniversary", 7, "2026-01-28"),
        ("monthly", "calendar", 18, "2026-03-01"),
        ("monthly", "anniversary", 31, "2026-03-14"),
        ("quarterly", "calendar", 77, "2026-07-01"),
        ("quarterly", "anniversary", 90, "2026-07-14"),
        ("semiannual", "calendar", 168, "2027-01-01"),
        ("yearly", "calendar", 352, "2028-01-01"),
        ("yearly", "anniversary", 365, "2028-01-14"),
    ],
)
def test_the_first_two_periods(
    org: Org, interval: str, billing_time: str, first_days: int, second_on: str
) -> None:
    org.clock("2026-01-14T09:00:00Z")
    # one unit of money for each day of the first period
    days = {"weekly": 7, "monthly": 31, "quarterly": 90, "semiannual": 181, "yearly": 365}
    amount_cents = 100 * days[interval]
    add_plan(org, interval=interval, amount_cents=amount_cents)
    subscribe(org, billing_time=billing_time)
    org.clock(f"{second_on}T01:00:00Z", catch_up=True)
    first, second = invoices(org)
    assert first["total_amount_cents"] == 100 * first_days
    assert (second["total_amount_cents"], second["issuing_date"]) == (amount_cents, second_on)


def test_in_advance_pays_the_rest_of_the_period_at_once(org: Org) -> None:
    org.clock("2026-01-16T00:00:00Z")
    add_plan(org, amount_cents=3100, pay_in_advance=True)
    subscribe(org)
    org.drain()
    invoice = only_invoice(org)
    assert invoice["total_amount_cents"] == 1600
    assert invoice["billing_periods"][0]["invoicing_reason"] == "subscription_starting"
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert [one["total_amount_cents"] for one in invoices(org)] == [1600, 3100]


def test_a_start_in_the_future(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org, pay_in_advance=True)
    made = subscribe(org, subscription_at="2026-01-20T15:00:00Z", billing_time="anniversary")
    assert (made["status"], made["started_at"]) == ("pending", None)
    assert org.get("/subscriptions")["subscriptions"] == []
    assert status_of(org, "pending") == "pending"
    org.clock("2026-01-19T23:59:00Z", catch_up=True)
    assert invoices(org) == []
    org.clock("2026-01-20T00:30:00Z", catch_up=True)
    assert status_of(org, "active") == "active"
    invoice = only_invoice(org)
    assert (invoice["total_amount_cents"], invoice["issuing_date"]) == (1000, "2026-01-20")


def test_a_future_start_can_be_moved_or_canceled(org: Org) -> None:
    org.clock("2026-01-10T00:00:00Z")
    add_plan(org)
    for name in ("s1", "s2"):
        subscribe(org, external_id=name, subscription_at="2026-01-20T00:00:00Z")
    change = {"subscription": {"subscription_at": "2026-01-12T00:00:00Z"}}
    org.put("/subscriptions/s1?status=pending", change)
    org.clock("2026-01-12T00:30:00Z", catch_up=True)
    assert status_of(org, "active") == "active"
    canceled = org.delete("/subscriptions/s2?status=pending")["subscription"]
    assert canceled["status"] == "canceled"
    org.clock("2026-01-21T00:30:00Z", catch_up=True)
    org.get("/subscriptions/s2", 404)
    assert status_of(org, "canceled", "s2") == "canceled"


def test_a_start_in_the_past_is_not_billed_for_it(org: Org) -> None:
    org.clock("2026-03-10T00:00:00Z")
    add_plan(org, pay_in_advance=True)
    made = subscribe(org, subscription_at="2026-01-10T00:00:00Z", billing_time="anniversary")
    assert (made["status"], made["started_at"]) == ("active", "2026-01-10T00:00:00.000Z")
    org.drain()
    assert invoices(org) == []
    org.clock("2026-04-10T01:00:00Z", catch_up=True)
    assert invoices(org)[-1]["total_amount_cents"] == 1000


def test_an_end_bills_what_was_used(org: Org) -> None:
    org.clock("2026-02-01T00:00:00Z")
    add_plan(org, amount_cents=2800)
    subscribe(org, subscription_at="2026-02-01T00:00:00Z")
    org.clock("2026-02-10T12:00:00Z")
    ended = org.delete("/subscriptions/s1")["subscription"]
    assert (ended["status"], ended["terminated_at"]) == ("terminated", "2026-02-10T12:00:00Z")
    org.drain()
    invoice = only_invoice(org)
    assert invoice["total_amount_cents"] == 1000
    assert invoice["billing_periods"][0]["invoicing_reason"] == "subscription_terminating"
    assert org.delete("/subscriptions/s1", 404)["code"] == "subscription_not_found"
    assert status_of(org, "terminated") == "terminated"
    org.clock("2026-04-01T12:00:00Z", catch_up=True)
    assert len(invoices(org)) == 1, "an ended subscription is never billed again"
    assert subscribe(org)["lago_id"] != ended["lago_id"]


def test_an_end_without_an_invoice(org: Org) -> None:
    org.clock("2026-02-01T00:00:00Z")
    add_plan(org)
    subscribe(org)
    org.clock("2026-02-10T12:00:00Z")
    org.delete("/subscriptions/s1?on_termination_invoice=maybe", 422)
    assert status_of(org, "active") == "active"
    org.delete("/subscriptions/s1?on_termination_invoice=skip")
    org.drain()
    assert invoices(org) == []


def test_an_end_that_was_arranged(org: Org) -> None:
    org.clock("2026-02-01T00:00:00Z")
    add_plan(org, amount_cents=2800)
    made = subscribe(org, ending_at="2026-02-14T00:00:00Z")
    assert made["ending_at"] == "2026-02-14T00:00:00Z"
    change = {"subscription": {"ending_at": "2026-02-20T00:00:00Z", "name": "Longer"}}
    changed = org.put("/subscriptions/s1", change)["subscription"]
    assert (changed["ending_at"], changed["name"]) == ("2026-02-20T00:00:00Z", "Longer")
    org.clock("2026-02-19T23:00:00Z", catch_up=True)
    assert status_of(org, "active") == "active"
    org.clock("2026-02-20T01:00:00Z", catch_up=True)
    assert status_of(org, "terminated") == "terminated"
    assert only_invoice(org)["total_amount_cents"] == 2000


def test_subscriptions_of_a_customer_share_an_invoice(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "small", amount_cents=100)
    add_plan(org, "large", amount_cents=900)
    add_plan(org, "dollars", amount_cents=500, amount_currency="USD")
    for plan in ("small", "large", "dollars"):
        subscribe(org, plan, f"s-{plan}")
    subscribe(org, "small", "s-alone", consolidate_invoice=False)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    found = {
        tuple(sorted(line["external_subscription_id"] for line in one["billing_periods"])): (
            one["total_amount_cents"],
            one["currency"],
        )
        for one in invoices(org)
    }
    assert found == {
        ("s-large", "s-small"): (1000, "EUR"),
        ("s-dollars",): (500, "USD"),
        ("s-alone",): (100, "EUR"),
    }


def test_lists(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, "one")
    add_plan(org, "two", amount_currency="USD")
    subscribe(org, "one", "a", "c1")
    subscribe(org, "two", "b", "c2")
    subscribe(org, "one", "c", "c1", subscription_at="2026-06-01T00:00:00Z")
    subscribe(org, "one", "d", "c2")
    org.delete("/subscriptions/d")

    def ids(query: str) -> list[str]:
        found = org.get(f"/subscriptions?{query}")["subscriptions"]
        return [one["external_id"] for one in found]

    assert ids("") == ["b", "a"]
    assert ids("status[]=pending&status[]=terminated") == ["d", "c"]
    assert ids("plan_code=one") == ["a"]
    assert ids("external_customer_id=c2") == ["b"]
    assert ids("currency=USD") == ["b"]
    of_customer = org.get("/customers/c1/subscriptions")["subscriptions"]
    assert [one["external_id"] for one in of_customer] == ["a"]
    assert org.get("/customers/no/subscriptions", 404)["code"] == "customer_not_found"


def test_ids_may_hold_anything(org: Org) -> None:
    add_plan(org, "p l/a.n")
    subscribe(org, "p l/a.n", "s/1: ü?#", "c 1/x")
    found = org.get("/subscriptions/s%2F1%3A%20%C3%BC%3F%23")["subscription"]
    assert found["external_id"] == "s/1: ü?#"
    assert org.get("/plans/p%20l%2Fa.n")["plan"]["code"] == "p l/a.n"
    usage = "/customers/c%201%2Fx/current_usage?external_subscription_id=s%2F1%3A%20%C3%BC%3F%23"
    assert org.get(usage)["customer_usage"]["amount_cents"] == 0
