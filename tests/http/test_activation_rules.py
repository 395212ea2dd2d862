"""Starts that wait for their payment: open invoices, what pays them, and what becomes of both."""

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
from tests.support.gateway import Org
from tests.support.receiver import receiving

LINKED: dict[str, Any] = {"payment_provider": "stripe", "provider_customer_id": "cus_1"}
START = "2026-01-11T12:00:00Z"
GATED: dict[str, Any] = {"activation_rules": [{"type": "payment", "timeout_hours": 48}]}
FOREVER: dict[str, Any] = {"activation_rules": [{"type": "payment", "timeout_hours": 0}]}


def shop(org: Org, at: str = START, **plan: Any) -> None:
    """Create a customer with a payment provider, and a plan of 31.00 a month in advance."""
    org.clock(at)
    add_customer(org, billing_configuration=LINKED)
    add_plan(org, **{"amount_cents": 3100, "pay_in_advance": True, **plan})


def gated(org: Org, plan: str = "basic", **fields: Any) -> dict[str, Any]:
    """Subscribe s1 on condition of its payment."""
    answer = subscribe(org, plan, **{**GATED, **fields})
    org.drain()
    return answer


def row(org: Org, status: str) -> dict[str, Any]:
    """Return s1 in a status."""
    found: dict[str, Any] = org.get(f"/subscriptions/s1?status={status}")["subscription"]
    return found


def settle(org: Org, payment_status: str = "succeeded") -> dict[str, Any]:
    """Say what became of the payment of the open invoice, which only its fees give away."""
    shown = {one["lago_id"] for one in org.get("/invoices")["invoices"]}
    fees = org.get("/fees?per_page=100")["fees"]
    closed = set(org.fields.setdefault("settled", []))
    (waiting,) = {fee["lago_invoice_id"] for fee in fees} - shown - closed
    org.fields["settled"].append(waiting)
    change = {"invoice": {"payment_status": payment_status}}
    answer: dict[str, Any] = org.put(f"/invoices/{waiting}", change)["invoice"]
    org.drain()
    return answer


def fees(invoice: dict[str, Any]) -> dict[str, int]:
    """Return an invoice's fees by what they are for."""
    return {fee["item"]["code"]: fee["amount_cents"] for fee in invoice["fees"]}


def test_a_start_waits_for_its_payment(org: Org) -> None:
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        shop(org)
        made = gated(org)
        assert (made["status"], made["activated_at"]) == ("incomplete", None)
        assert made["started_at"] == "2026-01-11T12:00:00.000Z"
        (rule,) = made["activation_rules"]
        told = {name: rule[name] for name in ("type", "timeout_hours", "status", "expires_at")}
        assert told == {
            "type": "payment",
            "timeout_hours": 48,
            "status": "pending",
            "expires_at": "2026-01-13T12:00:00Z",
        }
        receiver.wait_for("subscription.incomplete")
        assert invoices(org) == [], "an open invoice is nobody's business"
        org.get("/subscriptions/s1", 404)
        org.clock("2026-01-12T09:00:00Z")
        paid = settle(org)
        assert (paid["status"], paid["payment_status"]) == ("finalized", "succeeded")
        assert (paid["total_amount_cents"], paid["sequential_id"]) == (2100, 1)
        assert paid["billing_periods"][0]["invoicing_reason"] == "subscription_starting"
        now = row(org, "active")
        assert now["started_at"] == "2026-01-11T12:00:00.000Z"
        assert now["activated_at"] == "2026-01-12T09:00:00Z"
        assert now["activation_rules"][0]["status"] == "satisfied"
        receiver.wait_for("subscription.started")
        receiver.wait_for("invoice.created")
        assert settle_again(org, paid)["payment_status"] == "succeeded"
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert [one["total_amount_cents"] for one in invoices(org)] == [2100, 3100]


def settle_again(org: Org, invoice: dict[str, Any]) -> dict[str, Any]:
    """Report the payment of an invoice that is final already."""
    change = {"invoice": {"payment_status": "succeeded"}}
    answer: dict[str, Any] = org.put(f"/invoices/{invoice['lago_id']}", change)["invoice"]
    return answer


def test_a_failed_payment_cancels_and_gives_back(org: Org) -> None:
    shop(org)
    subscribe(org, external_id="other")
    org.drain()
    org.delete("/subscriptions/other")
    org.drain()
    before = org.get("/credit_notes")["credit_notes"][0]["balance_amount_cents"]
    assert before == 2000
    with receiving() as receiver:
        org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})
        gated(org)
        assert org.get("/credit_notes")["credit_notes"][0]["balance_amount_cents"] == 0
        failed = settle(org, "failed")
        assert (failed["status"], failed["payment_status"]) == ("closed", "failed")
        told = receiver.wait_for("subscription.canceled")[0].payload["subscription"]
    assert (told["status"], told["cancellation_reason"]) == ("canceled", "payment_failed")
    assert row(org, "canceled")["activation_rules"][0]["status"] == "failed"
    assert org.get("/credit_notes")["credit_notes"][0]["balance_amount_cents"] == before
    org.get(f"/invoices/{failed['lago_id']}", 404)
    assert gated(org)["status"] == "incomplete", "the way is free for another try"


def test_a_rule_expires(org: Org) -> None:
    shop(org)
    gated(org)
    subscribe(org, external_id="patient", **FOREVER)
    org.clock("2026-01-13T12:00:00Z", catch_up=True)
    assert row(org, "incomplete")["cancellation_reason"] is None
    org.clock("2026-01-13T12:30:00Z", catch_up=True)
    late = row(org, "canceled")
    assert (late["cancellation_reason"], late["canceled_at"]) == ("timeout", "2026-01-13T12:20:00Z")
    assert late["activation_rules"][0]["status"] == "expired"
    org.clock("2026-03-13T12:30:00Z", catch_up=True)
    (waits,) = org.get("/subscriptions?status[]=incomplete")["subscriptions"]
    assert (waits["external_id"], waits["activation_rules"][0]["expires_at"]) == ("patient", None)
    assert invoices(org) == []


def test_what_waits_can_neither_change_nor_end(org: Org) -> None:
    shop(org)
    gated(org)
    change = {"subscription": {"name": "New"}}
    assert org.put("/subscriptions/s1", change, 405)["code"] == "subscription_incomplete"
    refused = org.delete("/subscriptions/s1", 422)["error_details"]
    assert refused == {"subscription": ["subscription_incomplete"]}
    again = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic"}
    refused = org.post("/subscriptions", {"subscription": again}, 422)["error_details"]
    assert refused == {"subscription": ["subscription_incomplete"]}
    org.delete("/customers/c1")
    assert row(org, "canceled")["cancellation_reason"] is None


@pytest.mark.parametrize(
    ("rules", "field", "code"),
    [
        ([{"type": "payment", "timeout_hours": -1}], "timeout_hours", "value_must_be_positive"),
        ([{"type": "luck"}], "type", "value_is_invalid"),
        ([{"type": "payment"}, {"type": "payment"}], "activation_rules", "value_already_exist"),
    ],
)
def test_rules_that_are_refused(org: Org, rules: list[Any], field: str, code: str) -> None:
    shop(org)
    body = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic"}
    answer = org.post("/subscriptions", {"subscription": {**body, "activation_rules": rules}}, 422)
    ((name, (told,)),) = answer["error_details"].items()
    assert name.endswith(field)
    assert told.startswith(code)


@pytest.mark.parametrize(
    ("customer", "fields", "code"),
    [
        ({}, {}, "no_linked_payment_provider"),
        (
            {"billing_configuration": LINKED},
            {"payment_method": {"payment_method_type": "manual"}},
            "manual_payment_method_invalid_for_payment_activation_rules",
        ),
    ],
)
def test_somebody_must_be_able_to_pay(
    org: Org, customer: dict[str, Any], fields: dict[str, Any], code: str
) -> None:
    add_customer(org, **customer)
    add_plan(org, pay_in_advance=True)
    body = {"external_customer_id": "c1", "external_id": "s1", "plan_code": "basic"}
    answer = org.post("/subscriptions", {"subscription": {**body, **GATED, **fields}}, 422)
    assert answer["error_details"] == {"customer": [code]}
    assert org.get("/subscriptions?status[]=pending")["subscriptions"] == []


def test_nothing_to_pay_starts_at_once(org: Org) -> None:
    shop(org, amount_cents=0)
    gated(org)
    assert row(org, "active")["activation_rules"][0]["status"] == "satisfied"
    assert only_invoice(org)["total_amount_cents"] == 0
    add_plan(org, "later", amount_cents=3100)
    made = subscribe(org, "later", "s2", **GATED)
    assert made["status"] == "active"
    assert made["activation_rules"][0]["status"] == "not_applicable"


def test_a_future_start_waits_when_it_comes(org: Org) -> None:
    shop(org)
    made = gated(org, subscription_at="2026-01-20T08:00:00Z", activation_rules=[])
    assert made["activation_rules"] == []
    path = "/subscriptions/s1?status=pending"
    changed = org.put(path, {"subscription": GATED})["subscription"]
    assert changed["activation_rules"][0]["status"] == "inactive"
    to_today = {"subscription": {"subscription_at": START}}
    assert org.put(path, to_today)["subscription"]["status"] == "pending", "the clock decides"
    org.clock("2026-01-11T12:10:00Z", catch_up=True)
    assert row(org, "incomplete")["started_at"] == "2026-01-11T12:00:00.000Z"
    assert settle(org)["total_amount_cents"] == 2100
    refused = org.put("/subscriptions/s1", {"subscription": GATED}, 422)["error_details"]
    assert refused == {"subscription": ["subscription_not_pending"]}


def test_a_start_in_the_past_waits_for_nothing(org: Org) -> None:
    shop(org)
    made = gated(org, subscription_at="2026-01-02T00:00:00Z")
    assert (made["status"], made["activation_rules"]) == ("active", [])
    future: dict[str, Any] = {"subscription_at": "2026-02-02T00:00:00Z", **GATED}
    subscribe(org, external_id="s2", **future)
    moved = {"subscription": {"subscription_at": "2026-01-02T00:00:00Z"}}
    moved = org.put("/subscriptions/s2?status=pending", moved)["subscription"]
    assert (moved["status"], moved["activation_rules"]) == ("active", [])
    org.drain()
    assert invoices(org) == []


def upgrading(org: Org, at: str, **rules: Any) -> None:
    """Live on 31.00 a month in advance since January, and ask for 62.00 on condition."""
    shop(org, "2026-01-01T00:00:00Z")
    subscribe(org)
    org.drain()
    add_plan(org, "large", amount_cents=6200, pay_in_advance=True)
    org.clock(at, catch_up=True)
    made = gated(org, "large", **rules)
    assert (made["status"], made["previous_plan_code"]) == ("incomplete", "basic")


def test_an_upgrade_waits_for_its_payment(org: Org) -> None:
    upgrading(org, START)
    assert row(org, "active")["next_plan_code"] == "large"
    refused = org.delete("/subscriptions/s1", 422)["error_details"]
    assert refused == {"subscription": ["next_subscription_incomplete"]}
    assert org.get("/credit_notes")["credit_notes"] == []
    org.clock("2026-01-12T09:00:00Z")
    assert fees(settle(org)) == {"large": 4200}
    former = row(org, "terminated")
    assert (former["plan_code"], former["terminated_at"]) == ("basic", START)
    assert row(org, "active")["plan_code"] == "large"
    (note,) = org.get("/credit_notes")["credit_notes"]
    assert note["total_amount_cents"] == 2100
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert [fees(one) for one in invoices(org)] == [
        {"basic": 3100},
        {"large": 4200},
        {},
        {"large": 6200},
    ]
    assert invoices(org)[-1]["total_amount_cents"] == 6200 - 2100


def test_an_upgrade_that_is_not_paid_changes_nothing(org: Org) -> None:
    upgrading(org, "2026-01-30T12:00:00Z", **FOREVER)
    org.clock("2026-02-03T09:00:00Z", catch_up=True)
    assert len(invoices(org)) == 1, "neither plan is billed while it is open which one it is"
    settle(org, "failed")
    assert row(org, "active")["next_plan_code"] is None
    org.clock("2026-02-03T10:30:00Z", catch_up=True)
    assert [fees(one) for one in invoices(org)] == [{"basic": 3100}] * 2
    assert invoices(org)[1]["fees"][0]["from_date"][:10] == "2026-02-01"
    assert org.get("/credit_notes")["credit_notes"] == []


def test_an_upgrade_that_is_paid_in_the_next_period(org: Org) -> None:
    upgrading(org, "2026-01-30T12:00:00Z", **FOREVER)
    org.clock("2026-02-03T09:00:00Z", catch_up=True)
    settle(org)
    org.clock("2026-02-03T10:30:00Z", catch_up=True)
    assert [fees(one) for one in invoices(org)] == [
        {"basic": 3100},
        {"large": 400},
        {},
        {"large": 6200},
    ]


@pytest.mark.parametrize("is_paid", [True, False])
def test_14_10_a_downgrade_that_waits_is_billed_once(org: Org, is_paid: bool) -> None:  # noqa: FBT001
    shop(org, "2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    in_use = charge(metric_id, "standard", {"amount": "1"})
    add_plan(org, "large", amount_cents=6200, charges=[in_use])
    subscribe(org, "large")
    send(org, "t1", "5")
    org.clock("2026-01-10T00:00:00Z")
    gated(org, "basic", **FOREVER)
    assert row(org, "pending")["activation_rules"][0]["status"] == "inactive"
    org.clock("2026-02-03T09:00:00Z", catch_up=True)
    assert row(org, "incomplete")["started_at"] == "2026-02-01T00:00:00.000Z"
    assert invoices(org) == []
    settle(org, "succeeded" if is_paid else "failed")
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    january = {"large": 6200, "usage": 500}
    found = [fees(one) for one in invoices(org)]
    if is_paid:
        assert found == [{"basic": 3100}, january, {"basic": 3100}]
        assert row(org, "terminated")["terminated_at"] == "2026-02-01T00:00:00Z"
    else:
        assert found == [january, {"large": 6200}]
        assert row(org, "active")["next_plan_code"] is None


def seats(org: Org) -> None:
    """Live on 10.00 a month in advance with ten seats of 10.00 since the 1st of March."""
    org.clock("2024-03-01T00:00:00Z")
    add_customer(org, billing_configuration=LINKED)
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 1, "amount_currency": "EUR"}
    org.post("/add_ons", {"add_on": add_on})
    seat = {
        "add_on_code": "seat",
        "charge_model": "standard",
        "units": 10,
        "pay_in_advance": True,
        "properties": {"amount": "10"},
    }
    add_plan(org, amount_cents=1000, pay_in_advance=True, fixed_charges=[seat])
    gated(org, **FOREVER)


@pytest.mark.parametrize("at_once", [False, True])
def test_c25_units_that_change_while_a_start_waits(org: Org, at_once: bool) -> None:  # noqa: FBT001
    seats(org)
    change = {"fixed_charge": {"units": 15, "apply_units_immediately": at_once}}
    org.put("/plans/basic/fixed_charges/seat", change)
    org.drain()
    org.clock("2024-04-03T09:00:00Z", catch_up=True)
    assert fees(settle(org)) == {"basic": 1000, "seat": 10_000}
    assert [one["total_amount_cents"] for one in invoices(org)] == [11_000, 16_000]
    assert invoices(org)[1]["fees"][0]["from_date"][:10] == "2024-04-01"


def test_c25_a_period_that_ended_while_a_start_waited_is_skipped(org: Org) -> None:
    seats(org)
    org.clock("2024-05-10T09:00:00Z", catch_up=True)
    settle(org)
    found = invoices(org)
    assert [one["total_amount_cents"] for one in found] == [11_000, 11_000]
    assert found[1]["fees"][0]["from_date"][:10] == "2024-05-01"


def test_c26_a_yearly_start_that_is_paid_in_the_next_year(org: Org) -> None:
    org.clock("2026-11-10T00:00:00Z")
    add_customer(org, billing_configuration=LINKED)
    metric_id = add_metric(org, "usage")
    add_plan(
        org,
        interval="yearly",
        amount_cents=12_000,
        pay_in_advance=True,
        bill_charges_monthly=True,
        charges=[charge(metric_id, "standard", {"amount": "5"})],
    )
    gated(org, **FOREVER)
    for instant in (1_794_700_800, 1_797_292_800):  # in November and in December
        send(org, f"t{instant}", timestamp=instant)
    org.clock("2027-01-05T09:00:00Z", catch_up=True)
    settle(org)
    assert fees(invoices(org)[1]) == {"basic": 12_000, "usage": 500}
    assert len(invoices(org)) == 2
