"""Coupons on invoices: what they take off, when they are used up, and what a void gives back."""

from typing import Any

import pytest

from tests.http.test_activation_rules import gated, settle, shop
from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    invoices,
    only_invoice,
    subscribe,
)
from tests.support.coupons import add_coupon, give, held
from tests.support.gateway import Gateway, Org
from tests.support.usage import use

JANUARY = "2026-01-01T00:00:00Z"


def totals(org: Org, customer: str) -> list[int]:
    """Return what each invoice of a customer comes to, the oldest first."""
    found = invoices(org, f"external_customer_id={customer}")
    return [one["total_amount_cents"] for one in found]


def void(org: Org, customer: str, position: int) -> None:
    """Void an invoice of a customer, counted from the oldest."""
    invoice = invoices(org, f"external_customer_id={customer}")[position]
    org.post(f"/invoices/{invoice['lago_id']}/void")


def left(org: Org, customer: str) -> tuple[str, int | None, int | None]:
    """Return the status of a customer's one coupon, and what is left of its money and times."""
    rows = held(org, customer) + held(org, customer, "terminated")
    (row,) = rows
    return row["status"], row["amount_cents_remaining"], row["frequency_duration_remaining"]


def test_money_e7_coupons_are_used_up_and_a_void_gives_them_back(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock(JANUARY)
    add_plan(org)
    add_coupon(org, "money", amount_cents=1500, frequency="once")
    add_coupon(org, "twice", amount_cents=200, frequency="recurring", frequency_duration=2)
    add_coupon(org, "half", percentage_rate="50", frequency="once")
    add_coupon(org, "dollars", amount_currency="USD")
    for code in ("money", "twice", "half", "dollars"):
        add_customer(org, code)
        give(org, code, code)
        subscribe(org, external_id=code, customer=code)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert left(org, "money") == ("active", 500, None)
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert {code: totals(org, code) for code in ("money", "twice", "half", "dollars")} == {
        "money": [0, 500],
        "twice": [800, 800],
        "half": [500, 1000],
        "dollars": [1000, 1000],
    }
    assert left(org, "money") == ("terminated", 0, None)
    assert left(org, "twice") == ("terminated", None, 0)
    assert left(org, "half") == ("terminated", None, None)
    assert left(org, "dollars") == ("active", None, None)
    first = invoices(org, "external_customer_id=money")[0]
    assert (first["status"], first["payment_status"], first["number"][-3:]) == (
        "finalized",
        "succeeded",
        "001",
    )
    (credit,) = first["credits"]
    assert (credit["amount_cents"], credit["before_taxes"]) == (1000, True)
    assert (credit["item"]["type"], credit["item"]["code"]) == ("coupon", "money")
    (used,) = held(org, "money", "terminated")
    assert [one["amount_cents"] for one in used["credits"]] == [1000, 500]
    void(org, "money", 1)
    void(org, "twice", 0)
    void(org, "half", 0)
    assert left(org, "money") == ("active", 500, None)
    assert left(org, "twice") == ("active", None, 1)
    assert left(org, "half") == ("active", None, None)
    org.clock("2026-04-01T01:00:00Z", catch_up=True)
    assert [totals(org, code)[-1] for code in ("money", "twice", "half")] == [500, 800, 500]
    any_gateway.verify()


def test_what_was_taken_away_does_not_return(org: Org) -> None:
    org.clock(JANUARY)
    add_plan(org)
    subscribe(org)
    add_coupon(org, amount_cents=200, frequency="recurring", frequency_duration=3)
    given = give(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    org.delete(f"/customers/c1/applied_coupons/{given['lago_id']}")
    void(org, "c1", 0)
    assert left(org, "c1") == ("terminated", None, 3)
    gone = add_coupon(org, "gone", percentage_rate="10", frequency="once")
    give(org, gone["code"])
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    org.delete("/coupons/gone")
    void(org, "c1", 1)
    assert held(org) == []


def test_drafts_carry_no_coupons(org: Org) -> None:
    org.clock(JANUARY)
    add_tax(org, "vat", "20", applied_to_organization=True)
    add_customer(org, billing_configuration={"invoice_grace_period": 3})
    add_plan(org, pay_in_advance=True, amount_cents=3100)
    add_coupon(org, percentage_rate="50")
    give(org)
    subscribe(org)
    org.drain()
    draft = only_invoice(org)
    assert (draft["status"], draft["total_amount_cents"]) == ("draft", 3720)
    org.clock("2026-01-02T00:00:00Z")
    org.delete("/subscriptions/s1")
    org.drain()
    final = org.put(f"/invoices/{draft['lago_id']}/finalize")["invoice"]
    assert (final["coupons_amount_cents"], final["taxes_amount_cents"]) == (1550, 310)
    assert final["applied_taxes"][0]["fees_amount_cents"] == 1550
    assert final["fees"][0]["taxes_amount_cents"] == 310
    notes = org.get("/credit_notes")["credit_notes"]
    # 29 of 31 days at 1.00, half of it covered by the coupon, with taxes
    assert [
        (one["total_amount_cents"], one["coupons_adjustment_amount_cents"]) for one in notes
    ] == [(1740, 1450)]


def test_limits_of_metrics_and_of_plans_that_were_overridden(org: Org) -> None:
    org.clock(JANUARY)
    charges = [
        charge(add_metric(org, code), "standard", {"amount": "1"}) for code in ("usage", "calls")
    ]
    add_plan(org, charges=charges)
    add_plan(org, "other", amount_cents=700)
    subscribe(org, plan_overrides={"amount_cents": 2000})
    subscribe(org, "other", "s2")
    use(org, {"value": "3"}, {"value": "4"})
    add_coupon(org, "usage", percentage_rate="100", applies_to={"billable_metric_codes": ["usage"]})
    add_coupon(org, "open", amount_cents=70)
    give(org, "open")
    give(org, "usage")
    add_customer(org, "c2")
    add_coupon(org, "plan", percentage_rate="10", applies_to={"plan_codes": ["basic"]})
    give(org, "plan", "c2")
    subscribe(org, external_id="s3", customer="c2", plan_overrides={"amount_cents": 5000})
    subscribe(org, "other", "s4", "c2")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (first,) = invoices(org, "external_customer_id=c1")
    assert [one["item"]["code"] for one in first["credits"]] == ["usage", "open"]
    assert [one["amount_cents"] for one in first["credits"]] == [700, 70]
    assert first["total_amount_cents"] == 2000 + 700 - 70
    (second,) = invoices(org, "external_customer_id=c2")
    assert (second["coupons_amount_cents"], second["total_amount_cents"]) == (500, 5200)


def test_progressive_invoices_are_lowered_too(org: Org) -> None:
    org.clock(JANUARY)
    charges = [charge(add_metric(org, "usage"), "standard", {"amount": "1"})]
    add_plan(org, amount_cents=3100, charges=charges, usage_thresholds=[{"amount_cents": 20_000}])
    subscribe(org)
    add_coupon(org, percentage_rate="10")
    give(org)
    use(org, {"value": "200"})
    org.run("process_subscription_activity")
    first = only_invoice(org)
    assert (first["coupons_amount_cents"], first["total_amount_cents"]) == (2000, 18_000)
    use(org, {"value": "200"})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    final = invoices(org, "invoice_type=subscription")[0]
    assert final["fees_amount_cents"] == 43_100
    assert final["progressive_billing_credit_amount_cents"] == 18_000
    assert (final["coupons_amount_cents"], final["total_amount_cents"]) == (2510, 22_590)


def test_a_subscription_that_is_not_paid_gives_its_coupon_back(org: Org) -> None:
    shop(org)
    add_coupon(org, amount_cents=500, frequency="once")
    give(org)
    gated(org)
    org.drain()
    assert left(org, "c1") == ("terminated", 0, None)
    settle(org, "failed")
    assert left(org, "c1") == ("active", 500, None)
    gated(org)
    org.drain()
    paid = settle(org)
    assert (paid["coupons_amount_cents"], paid["total_amount_cents"]) == (500, 1600)


NEW: dict[str, Any] = {"customer": {"name": "New", "currency": "EUR"}, "plan_code": "basic"}


def test_previews_suppose_coupons(org: Org) -> None:
    org.clock(JANUARY)
    add_plan(org)
    add_customer(org)
    add_coupon(org, amount_cents=100)
    give(org)
    supposed = [
        {"code": "ten"},
        {"code": "mine", "coupon_type": "percentage", "percentage_rate": "50", "name": None},
    ]
    for customer, total in ((NEW["customer"], 450), ({"external_id": "c1"}, 400)):
        asked = {**NEW, "customer": customer, "coupons": supposed}
        invoice = org.post("/invoices/preview", asked)["invoice"]
        assert invoice["total_amount_cents"] == total
        assert invoice["credits"][-1]["item"]["code"] == "mine"
    assert len(held(org)) == 1
    org.get("/coupons/mine", 404)


@pytest.mark.parametrize(
    ("coupon", "status", "said"),
    [
        ({"code": "no"}, 404, "coupon_not_found"),
        ({"code": "no", "coupon_type": "fixed_amount", "amount_cents": 1}, 404, "coupon_not_found"),
        ({"amount_cents": 1}, 422, {"coupons.0.code": ["value_is_mandatory"]}),
    ],
)
def test_coupons_that_previews_refuse(
    org: Org, coupon: dict[str, Any], status: int, said: object
) -> None:
    add_plan(org)
    answer = org.post("/invoices/preview", {**NEW, "coupons": [coupon]}, status)
    assert (answer["code"] if status == 404 else answer["error_details"]) == said
