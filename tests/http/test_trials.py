"""Trials: docs/rules/subscriptions.md 5, and the examples C1 to C6 of 13.3."""

from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    invoices,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org
from tests.support.receiver import receiving

AMOUNT = 5_000_000


def add_trial(org: Org, days: float | str, code: str = "basic", **fields: Any) -> None:
    """Create a plan of 50 000.00 a month in advance with a trial, and usage of 1.00 a unit."""
    usage = charge(add_metric(org, f"usage-{code}"), "standard", {"amount": "1"})
    plan = {"amount_cents": AMOUNT, "pay_in_advance": True, "charges": [usage], **fields}
    add_plan(org, code, trial_period=days, **plan)


def use(org: Org, transaction_id: str, value: str = "10", plan: str = "basic") -> None:
    """Send usage of a plan."""
    send(org, transaction_id, value, code=f"usage-{plan}")


def run(org: Org, instant: str, *jobs: str) -> None:
    """Let some jobs run at an instant, and nothing else."""
    org.clock(instant)
    for job in jobs:
        org.run(job)


def fees(invoice: dict[str, Any]) -> dict[str, int]:
    """Return an invoice's amounts by what they are for."""
    return {fee["item"]["type"]: fee["amount_cents"] for fee in invoice["fees"]}


def billed(org: Org) -> list[tuple[str, dict[str, int]]]:
    """Return what each invoice bills, with its day, the oldest first."""
    return [(one["issuing_date"], fees(one)) for one in invoices(org)]


def row(org: Org, status: str = "active") -> dict[str, Any]:
    """Return s1 in a status."""
    found: dict[str, Any] = org.get(f"/subscriptions/s1?status={status}")["subscription"]
    return found


TRIALS = "bill_ended_trial_subscriptions"
BILLING = "bill_customers"


def test_c1_the_fee_begins_when_the_trial_ends(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2024-03-05T12:12:00Z")
    add_trial(org, 10)
    subscribe(org)
    org.drain()
    run(org, "2024-03-15T12:02:00Z", TRIALS)
    assert (invoices(org), row(org)["trial_ended_at"]) == ([], None)
    run(org, "2024-03-15T13:02:00Z", TRIALS, TRIALS)
    invoice = only_invoice(org)
    assert fees(invoice) == {"subscription": 2_741_935}, "17 of 31 days"
    assert [line["invoicing_reason"] for line in invoice["billing_periods"]] == [
        "subscription_starting"
    ]
    assert row(org)["trial_ended_at"] == "2024-03-15T12:12:00Z"
    org.clock("2024-04-02T00:00:00Z", catch_up=True)
    assert billed(org)[1:] == [("2024-04-01", {"subscription": AMOUNT})]


def test_c2_an_upgrade_within_the_trial(org: Org) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_trial(org, 10)
    add_trial(org, 13, "larger", amount_cents=2 * AMOUNT)
    subscribe(org)
    use(org, "t1")
    org.clock("2024-03-10T12:00:00Z")
    subscribe(org, "larger")
    org.drain()
    assert billed(org) == [("2024-03-10", {"charge": 1000})]
    org.clock("2024-04-02T00:00:00Z", catch_up=True)
    assert billed(org)[1:] == [
        ("2024-03-18", {"subscription": 4_516_129}),  # 14 of 31 days, from the first start on
        ("2024-04-01", {"subscription": 2 * AMOUNT}),
    ]
    assert org.get("/credit_notes")["credit_notes"] == [], "nothing was paid for the old plan"
    assert row(org, "terminated")["trial_ended_at"] is None


def test_c3_a_trial_longer_than_a_period(org: Org) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_trial(org, 45)
    subscribe(org)
    use(org, "t1")
    org.clock("2024-05-02T00:00:00Z", catch_up=True)
    assert billed(org) == [
        ("2024-04-01", {"charge": 1000}),
        ("2024-04-19", {"subscription": 2_000_000}),  # 12 of 30 days
        ("2024-05-01", {"subscription": AMOUNT}),
    ]


def test_c4_days_are_those_of_the_customer(org: Org) -> None:
    org.clock("2024-03-22T18:12:00Z")
    add_customer(org, timezone="Asia/Tokyo")
    add_trial(org, 10)
    subscribe(org)
    use(org, "t1")
    run(org, "2024-03-31T15:10:00Z", BILLING, TRIALS)
    assert fees(only_invoice(org)) == {"charge": 1000}
    run(org, "2024-04-01T19:11:00Z", BILLING, TRIALS)
    assert [fees(one) for one in invoices(org)[1:]] == [{"subscription": 4_833_333}], "29 of 30"


@pytest.mark.parametrize("first", [BILLING, TRIALS])
def test_c5_a_trial_that_ends_on_a_billing_day(org: Org, first: str) -> None:
    org.clock("2024-03-22T18:12:00Z")
    add_trial(org, 10)
    subscribe(org)
    use(org, "t1")
    if first == BILLING:
        run(org, "2024-04-01T00:10:00Z", BILLING)
    run(org, "2024-04-01T18:35:00Z", TRIALS, BILLING)
    together = [{"charge": 1000, "subscription": AMOUNT}]
    apart = [{"subscription": AMOUNT}, {"charge": 1000}]
    assert [fees(one) for one in invoices(org)] == (together if first == BILLING else apart)
    assert row(org)["trial_ended_at"] == "2024-04-01T18:12:00Z"


def test_c6_nobody_has_two_trials(org: Org) -> None:
    org.clock("2024-03-04T21:00:00Z")
    add_trial(org, 7, amount_cents=3500)
    subscribe(org)
    run(org, "2024-03-11T22:35:00Z", TRIALS)
    org.clock("2024-03-11T23:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    (note,) = org.get("/credit_notes")["credit_notes"]
    assert note["total_amount_cents"] == 2371, "no day was used after the trial"
    org.clock("2024-03-11T23:05:00Z")
    subscribe(org)
    org.drain()
    run(org, "2024-03-12T00:35:00Z", TRIALS)
    assert [one["fees_amount_cents"] for one in invoices(org)] == [2371, 0, 2371]
    assert row(org)["trial_ended_at"] == "2024-03-11T21:00:00Z"


def test_14_22_another_customer_has_a_trial_of_its_own(gateway: Gateway) -> None:
    """A subscription of the same name elsewhere does not count, nor one of another customer."""
    stranger, org = gateway.organization(), gateway.organization()
    for one, instant in ((stranger, "2024-01-01T00:00:00Z"), (org, "2024-03-01T00:00:00Z")):
        one.clock(instant)
        add_trial(one, 10)
        subscribe(one, customer="c0")
        one.drain()
    org.delete("/subscriptions/s1")
    org.clock("2024-03-05T00:00:00Z")
    subscribe(org, customer="c1")
    org.drain()
    org.clock("2024-03-16T00:00:00Z", catch_up=True)
    assert billed(org)[1:] == [("2024-03-15", {"subscription": 2_741_935})]


def test_in_arrears_the_first_fee_begins_with_the_end_of_the_trial(org: Org) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_trial(org, 10, pay_in_advance=False)
    add_trial(org, 45, "long", pay_in_advance=False)
    subscribe(org)
    subscribe(org, "long", "s2")
    org.clock("2024-04-02T00:00:00Z", catch_up=True)
    assert [fees(one) for one in invoices(org)] == [{"subscription": 2_741_935}]
    assert row(org)["trial_ended_at"] == "2024-03-15T12:12:00Z"
    org.clock("2024-05-02T00:00:00Z", catch_up=True)
    amounts = [fee["amount_cents"] for fee in invoices(org)[-1]["fees"]]
    assert sorted(amounts) == [2_000_000, AMOUNT]


def test_days_of_a_trial_may_be_fractional(org: Org) -> None:
    org.clock("2024-03-05T12:00:00Z")
    add_trial(org, "10.25")
    subscribe(org)
    org.clock("2024-03-16T00:00:00Z", catch_up=True)
    assert row(org)["trial_ended_at"] == "2024-03-15T18:00:00Z"
    assert org.get("/plans/basic")["plan"]["trial_period"] == 10.25


def test_a_trial_of_nothing_is_none(org: Org) -> None:
    org.clock("2024-03-05T12:00:00Z")
    add_trial(org, 0)
    subscribe(org)
    org.drain()
    assert fees(only_invoice(org)) == {"subscription": 4_354_839}
    org.clock("2024-03-06T12:00:00Z", catch_up=True)
    assert row(org)["trial_ended_at"] is None


def test_ended_within_its_trial_a_subscription_pays_nothing_but_usage(org: Org) -> None:
    org.clock("2024-03-05T12:00:00Z")
    for code, pay_in_advance in (("basic", True), ("arrears", False)):
        add_trial(org, 10, code, pay_in_advance=pay_in_advance)
    subscribe(org)
    subscribe(org, "arrears", "s2")
    use(org, "t1")
    org.clock("2024-03-10T12:00:00Z")
    for name in ("s1", "s2"):
        org.delete(f"/subscriptions/{name}")
    org.drain()
    org.clock("2024-04-02T00:00:00Z", catch_up=True)
    assert sorted(one["fees_amount_cents"] for one in invoices(org)) == [0, 1000]
    assert org.get("/credit_notes")["credit_notes"] == []


def test_what_is_fixed_is_paid_within_the_trial(org: Org) -> None:
    org.clock("2024-03-05T12:00:00Z")
    org.post(
        "/add_ons",
        {"add_on": {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}},
    )
    seats = {
        "add_on_code": "seat",
        "charge_model": "standard",
        "units": 2,
        "pay_in_advance": True,
        "properties": {"amount": "5"},
    }
    add_trial(org, 10, fixed_charges=[seats])
    subscribe(org)
    org.drain()
    org.clock("2024-03-16T00:00:00Z", catch_up=True)
    assert billed(org) == [
        ("2024-03-05", {"fixed_charge": 1000}),
        ("2024-03-15", {"subscription": 2_741_935}),
    ]


def test_noticed_late_a_trial_is_billed_for_its_own_period(org: Org) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_trial(org, 10)
    subscribe(org)
    org.drain()
    run(org, "2024-04-02T08:00:00Z", TRIALS)
    invoice = only_invoice(org)
    assert fees(invoice) == {"subscription": 2_741_935}
    assert (invoice["issuing_date"], invoice["fees"][0]["to_date"]) == (
        "2024-04-02",
        "2024-03-31T23:59:59Z",
    )


def test_the_end_of_a_trial_is_told_once(org: Org) -> None:
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        org.clock("2024-03-05T12:12:00Z")
        add_trial(org, 10)
        subscribe(org)
        org.clock("2024-04-02T00:00:00Z", catch_up=True)
        (told,) = receiver.wait_for("subscription.trial_ended")
        payload = told.payload["subscription"]
        assert (payload["external_id"], payload["trial_ended_at"]) == (
            "s1",
            "2024-03-15T12:12:00Z",
        )
        assert payload["plan"]["trial_period"] == 10
        assert payload["customer"]["external_id"] == "c1"
        receiver.wait_for("invoice.created", 2)
        assert len(receiver.wait_for("subscription.trial_ended")) == 1


def test_a_trial_cannot_change_once_there_are_subscriptions(org: Org) -> None:
    org.clock("2024-03-05T12:12:00Z")
    add_trial(org, 10)
    subscribe(org)
    changed = org.put("/plans/basic", {"plan": {"trial_period": 3}})["plan"]
    assert changed["trial_period"] == 10
