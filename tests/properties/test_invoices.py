"""Invoices of random plans, usage and taxes: whatever they are, they add up."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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

EXAMPLES = 12
CENT = Decimal(1)
amounts = st.decimals(min_value=0, max_value=1000, places=4).map(str)
values = st.lists(st.decimals(min_value=-50, max_value=500, places=3).map(str), max_size=6)
rates = st.lists(st.decimals(min_value=0, max_value=30, places=3).map(str), min_size=0, max_size=3)


def cents(amount: Decimal) -> int:
    """Round half away from zero to whole cents."""
    return int(amount.quantize(CENT, ROUND_HALF_UP))


def billed(
    gateway: Gateway,
    prices: Sequence[str],
    quantities: Sequence[str],
    tax_rates: Sequence[str],
    grace_days: int = 0,
) -> Org:
    """Live through January with a price per unit for each charge."""
    org = gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    for number, rate in enumerate(tax_rates):
        add_tax(org, f"t{number}", rate, applied_to_organization=True)
    metric_id = add_metric(org, "usage")
    charges = [
        charge(metric_id, "standard", {"amount": price}, code=f"c{number}")
        for number, price in enumerate(prices)
    ]
    add_plan(org, amount_cents=999, charges=charges)
    add_customer(org, billing_configuration={"invoice_grace_period": grace_days})
    subscribe(org)
    for number, value in enumerate(quantities):
        send(org, f"e{number}", value)
    return org


def check(invoice: dict[str, Any], tax_rates: Sequence[str]) -> None:
    """Derive each total again from the parts it is made of."""
    fees = invoice["fees"]
    subtotal = sum(fee["amount_cents"] for fee in fees)
    assert invoice["fees_amount_cents"] == subtotal
    assert invoice["sub_total_excluding_taxes_amount_cents"] == subtotal
    taxes = sum((Decimal(rate) for rate in tax_rates), Decimal(0)) * subtotal / 100
    assert invoice["taxes_amount_cents"] == cents(taxes)
    assert invoice["total_amount_cents"] == subtotal + cents(taxes)
    assert invoice["total_due_amount_cents"] == invoice["total_amount_cents"]
    for fee in fees:
        precise = Decimal(fee["precise_amount"]) * 100
        assert fee["amount_cents"] == cents(precise)
        assert fee["total_amount_cents"] == fee["amount_cents"] + fee["taxes_amount_cents"]
        of_tax = sum((Decimal(rate) for rate in tax_rates), Decimal(0))
        assert fee["taxes_amount_cents"] == cents(of_tax * fee["amount_cents"] / 100)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    prices=st.lists(amounts, min_size=1, max_size=3),
    quantities=values,
    tax_rates=rates,
)
def test_parts_and_totals_agree(
    gateway: Gateway, prices: list[str], quantities: list[str], tax_rates: list[str]
) -> None:
    org = billed(gateway, prices, quantities, tax_rates)
    usage = current_usage(org)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    check(invoice, tax_rates)
    units = max(sum((Decimal(value) for value in quantities), Decimal(0)), Decimal(0))
    wanted = [cents(units * Decimal(price) * 100) for price in prices]
    assert usage["amount_cents"] == sum(wanted)
    assert invoice["fees_amount_cents"] == 999 + sum(wanted)


@settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(early=values, late=values, tax_rates=rates)
def test_a_refreshed_draft_equals_an_invoice_that_saw_everything(
    gateway: Gateway, early: list[str], late: list[str], tax_rates: list[str]
) -> None:
    at_once = billed(gateway, ["0.1237"], [*early, *late], tax_rates)
    at_once.clock("2026-02-01T01:00:00Z", catch_up=True)
    drafted = billed(gateway, ["0.1237"], early, tax_rates, grace_days=5)
    drafted.clock("2026-02-01T01:00:00Z", catch_up=True)
    for number, value in enumerate(late):
        send(drafted, f"late{number}", value, timestamp=1768910400 + number)
    draft = only_invoice(drafted)
    refreshed = drafted.put(f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    final = drafted.put(f"/invoices/{draft['lago_id']}/finalize")["invoice"]
    wanted = only_invoice(at_once)
    for name in ("fees_amount_cents", "taxes_amount_cents", "total_amount_cents"):
        assert refreshed[name] == final[name] == wanted[name]
    check(final, tax_rates)
