"""Recurring usage at the end of a subscription, and at an upgrade: billed once."""

from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    only_invoice,
    send,
    subscribe,
)
from tests.support.gateway import Org

ENDED = {"seats": 3100, "seats by the day": 1600, "calls": 3100, "disks": 3100}
# the day of the upgrade is paid on the next plan, which knows seats and calls, but no disks
UPGRADED = {"seats by the day": 1500, "calls": 3100, "disks": 3100}


def amounts(invoice: dict[str, Any]) -> dict[str, int]:
    """Return the cents of an invoice's charge fees by the charge's display name."""
    return {
        fee["item"]["invoice_display_name"]: fee["amount_cents"]
        for fee in invoice["fees"]
        if fee["item"]["type"] == "charge"
    }


@pytest.mark.parametrize(("is_upgrade", "expected"), [(False, ENDED), (True, UPGRADED)])
def test_whole_units_are_left_to_the_next_plan(
    org: Org, *, is_upgrade: bool, expected: dict[str, int]
) -> None:
    org.clock("2026-01-01T00:00:00Z")
    seats = add_metric(org, "usage", recurring=True)
    calls = add_metric(org, "calls")
    disks = add_metric(org, "disks", recurring=True)
    prices = {"amount": "31"}
    charges = [
        charge(metric_id, "standard", prices, code=name, invoice_display_name=name, **fields)
        for name, metric_id, fields in (
            ("seats", seats, {}),
            ("seats by the day", seats, {"prorated": True}),
            ("calls", calls, {}),
            ("disks", disks, {}),
        )
    ]
    add_plan(org, amount_cents=0, charges=charges)
    kept = [
        charge(seats, "standard", {"amount": "1"}, code="s"),
        charge(calls, "standard", {"amount": "1"}, code="c"),
    ]
    add_plan(org, "better", amount_cents=0, charges=kept)
    add_customer(org, billing_configuration={"invoice_grace_period": 30})
    subscribe(org)
    for code, instant in (("usage", 1764547200), ("disks", 1764547200), ("calls", None)):
        send(org, code, code=code, timestamp=instant)  # the first two are carried into January
    org.clock("2026-01-16T12:00:00Z")
    if is_upgrade:
        subscribe(org, "better")
    else:
        org.delete("/subscriptions/s1")
    org.drain()
    draft = only_invoice(org)
    assert amounts(draft) == expected
    refreshed = org.put(f"/invoices/{draft['lago_id']}/refresh")["invoice"]
    assert amounts(refreshed) == expected
