"""Which tax a fee carries, and how taxes are rounded."""

from decimal import Decimal

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    add_tax,
    charge,
    current_usage,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Gateway, Org


@pytest.mark.parametrize(
    ("levels", "plan_tax", "charge_tax"),
    [
        ({"organization", "customer", "plan", "charge"}, 30, 40),
        ({"organization", "customer", "plan"}, 30, 30),
        ({"organization", "customer", "charge"}, 20, 40),
        ({"organization", "customer"}, 20, 20),
        ({"organization"}, 10, 10),
        (set(), 0, 0),
    ],
)
def test_the_nearest_level_wins(org: Org, levels: set[str], plan_tax: int, charge_tax: int) -> None:
    org.clock("2026-01-01T00:00:00Z")
    rates = {"organization": "10", "customer": "20", "plan": "30", "charge": "40"}
    for level, rate in rates.items():
        everywhere = level == "organization" and level in levels
        add_tax(org, level, rate, applied_to_organization=everywhere)
    codes = {level: [level] if level in levels else [] for level in rates}
    metric_id = add_metric(org, "usage")
    usage = charge(metric_id, "standard", {"amount": "1"}, tax_codes=codes["charge"])
    add_plan(org, charges=[usage], tax_codes=codes["plan"])
    add_customer(org, tax_codes=codes["customer"])
    subscribe(org)
    send(org, "t1", "5")
    assert current_usage(org)["taxes_amount_cents"] == 5 * charge_tax
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    taxes = {fee["item"]["type"]: fee["taxes_amount_cents"] for fee in invoice["fees"]}
    assert taxes == {"subscription": 10 * plan_tax, "charge": 5 * charge_tax}
    assert invoice["taxes_amount_cents"] == 10 * plan_tax + 5 * charge_tax
    assert invoice["total_amount_cents"] == 1500 + 10 * plan_tax + 5 * charge_tax
    applied = {one["tax_code"]: one["amount_cents"] for one in invoice["applied_taxes"]}
    assert sum(applied.values()) == invoice["taxes_amount_cents"]


def test_taxes_are_rounded_once_per_invoice(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "five", "5", applied_to_organization=True)
    metric_id = add_metric(org, "usage")
    charges = [charge(metric_id, "standard", {"amount": "0.33"}, code=f"c{n}") for n in range(3)]
    add_plan(org, amount_cents=0, charges=charges)
    subscribe(org)
    send(org, "t1", "1")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    fees = [fee for fee in invoice["fees"] if fee["item"]["type"] == "charge"]
    # 33 cents at 5 % are 1.65 on each fee, 4.95 on all three
    assert [fee["taxes_amount_cents"] for fee in fees] == [2, 2, 2]
    assert {Decimal(fee["taxes_precise_amount"]) for fee in fees} == {Decimal("0.0165")}
    assert invoice["taxes_amount_cents"] == 5
    assert invoice["total_amount_cents"] == 104


def test_several_taxes_add_up(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "state", "8.875", applied_to_organization=True)
    add_tax(org, "city", "1.5", applied_to_organization=True)
    add_plan(org, amount_cents=1999)
    subscribe(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    # 177.41125 and 29.985 cents
    amounts = {one["tax_code"]: one["amount_cents"] for one in invoice["applied_taxes"]}
    assert amounts == {"state": 177, "city": 30}
    assert invoice["taxes_amount_cents"] == 207
    assert invoice["fees"][0]["taxes_rate"] == Decimal("10.375")
    assert invoice["total_amount_cents"] == 2206


def test_a_final_invoice_keeps_its_tax(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "10", applied_to_organization=True)
    add_plan(org)
    subscribe(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    org.put("/taxes/vat", {"tax": {"rate": "50", "code": "more"}})
    org.delete("/taxes/more")
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    first, second = (
        org.get(f"/invoices/{one['lago_id']}")["invoice"]
        for one in reversed(org.get("/invoices")["invoices"])
    )
    assert (first["taxes_amount_cents"], first["applied_taxes"][0]["tax_code"]) == (100, "vat")
    assert (second["taxes_amount_cents"], second["applied_taxes"]) == (0, [])


def test_drafts_follow_a_changed_tax(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_tax(org, "vat", "10", applied_to_organization=True)
    add_plan(org)
    add_customer(org, billing_configuration={"invoice_grace_period": 5})
    subscribe(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert only_invoice(org)["taxes_amount_cents"] == 100
    org.put("/taxes/vat", {"tax": {"rate": "25"}})
    org.run("refresh_draft_invoices")
    assert only_invoice(org)["taxes_amount_cents"] == 250
