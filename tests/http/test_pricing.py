"""Every charge model, from events to the cent on the invoice and in current usage."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tests.support.billing import (
    add_metric,
    add_plan,
    charge,
    current_usage,
    only_invoice,
    send,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org

TIERS = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "2"},
    {"from_value": 11, "to_value": 20, "per_unit_amount": "0.5", "flat_amount": "1"},
    {"from_value": 21, "to_value": None, "per_unit_amount": "0.25", "flat_amount": "0"},
]
ADJACENT = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "1", "flat_amount": "2"},
    {"from_value": 10, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "1"},
]
VOLUMES = [
    {"from_value": 0, "to_value": 100, "per_unit_amount": "0.10", "flat_amount": "1"},
    {"from_value": 101, "to_value": None, "per_unit_amount": "0.05", "flat_amount": "0"},
]
RATES = [
    {"from_value": 0, "to_value": 10, "rate": "1", "flat_amount": "200"},
    {"from_value": 11, "to_value": 20, "rate": "2", "flat_amount": "300"},
    {"from_value": 21, "to_value": None, "rate": "3", "flat_amount": "400"},
]
PACKAGES = {"amount": "5", "package_size": 100, "free_units": 50}
SHARE = {"rate": "1.3", "fixed_amount": "0.25"}


@dataclass(frozen=True)
class Case:
    """A charge, the values of its events, and the cents it must come to."""

    model: str
    properties: dict[str, Any]
    values: tuple[str, ...]
    amount_cents: int
    aggregation: str = "sum_agg"
    currency: str = "EUR"

    def __str__(self) -> str:
        return f"{self.model}-{self.aggregation}-{'+'.join(self.values) or 'nothing'}"


CASES = [
    Case("standard", {"amount": "0.0755"}, ("100", "23"), 929),  # 9.2865
    Case("standard", {"amount": "0.005"}, ("1",), 1),  # half a cent goes up
    Case("standard", {"amount": "0.005"}, ("5",), 3),  # and so do two and a half
    Case("standard", {"amount": "0.1"}, ("0.1", "0.2"), 3),
    Case("standard", {"amount": "1"}, ("5", "-8"), 0),  # usage below zero owes nothing
    Case("standard", {"amount": "3.5"}, ("1",), 4, currency="JPY"),
    Case("standard", {"amount": "1.2345"}, ("1",), 1235, currency="KWD"),
    Case("standard", {"amount": "2"}, ("a", "b", "a"), 600, "count_agg"),
    Case("standard", {"amount": "2"}, ("a", "b", "a"), 400, "unique_count_agg"),
    Case("standard", {"amount": "2"}, ("3", "9.5", "4"), 1900, "max_agg"),
    Case("standard", {"amount": "2"}, ("3", "9.5", "4"), 800, "latest_agg"),
    Case("graduated", {"graduated_ranges": TIERS}, (), 200),  # the first flat is always owed
    Case("graduated", {"graduated_ranges": TIERS}, ("10",), 1200),
    Case("graduated", {"graduated_ranges": TIERS}, ("10.2",), 1310),  # 0.2 of the second tier
    Case("graduated", {"graduated_ranges": TIERS}, ("20", "5"), 1925),
    Case("graduated", {"graduated_ranges": ADJACENT}, ("10",), 1200),
    Case("graduated", {"graduated_ranges": ADJACENT}, ("12",), 1400),
    Case("package", PACKAGES, (), 0),
    Case("package", PACKAGES, ("50",), 0),
    Case("package", PACKAGES, ("50", "0.01"), 500),
    Case("package", PACKAGES, ("350",), 1500),
    Case("package", PACKAGES, ("350", "1"), 2000),
    Case("percentage", SHARE, (), 0),
    Case("percentage", SHARE, ("100", "200", "50"), 530),  # 4.55 and three times 0.25
    Case("percentage", {**SHARE, "free_units_per_events": 1}, ("100", "200", "50"), 375),
    Case(
        "percentage", {"rate": "2", "free_units_per_total_aggregation": "120"}, ("100", "100"), 160
    ),
    Case(
        "percentage",
        {**SHARE, "per_transaction_min_amount": "1", "per_transaction_max_amount": "2"},
        ("100", "200", "50"),
        455,  # 1.55, 2.85 lowered to 2, 0.90 raised to 1
    ),
    Case("graduated_percentage", {"graduated_percentage_ranges": RATES}, ("10.5",), 50011),  # E24
    Case("volume", {"volume_ranges": VOLUMES}, (), 100),
    Case("volume", {"volume_ranges": VOLUMES}, ("100",), 1100),
    Case("volume", {"volume_ranges": VOLUMES}, ("100", "1"), 505),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_charge(org: Org, case: Case) -> None:
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage", case.aggregation)
    add_plan(
        org,
        amount_cents=0,
        amount_currency=case.currency,
        charges=[charge(metric_id, case.model, case.properties)],
    )
    subscribe(org)
    org.clock("2026-01-10T12:00:00Z")
    for number, value in enumerate(case.values):
        send(org, f"t{number}", value, timestamp=1768046400 + number)
    usage = current_usage(org)
    assert usage["amount_cents"] == case.amount_cents
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    fees = [fee for fee in invoice["fees"] if fee["item"]["type"] == "charge"]
    assert sum(fee["amount_cents"] for fee in fees) == case.amount_cents
    assert invoice["fees_amount_cents"] == case.amount_cents
    assert invoice["total_amount_cents"] == case.amount_cents
    assert bool(fees) is bool(case.values or case.amount_cents), "empty fees are left out"


def test_every_sort_of_charge_on_one_invoice(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    models: dict[str, tuple[dict[str, Any], int]] = {
        "standard": ({"amount": "0.0755"}, 1888),  # 250 units: 18.875
        "graduated": ({"graduated_ranges": TIERS}, 7550),  # 12 + 6 + 230 quarters
        "package": (PACKAGES, 1000),
        "percentage": (SHARE, 375),  # 3.25 and two times 0.25
        "volume": ({"volume_ranges": VOLUMES}, 1250),
    }
    charges = [
        charge(metric_id, model, properties, code=model, invoice_display_name=model)
        for model, (properties, _) in models.items()
    ]
    add_plan(org, amount_cents=4999, charges=charges)
    subscribe(org)
    org.clock("2026-01-10T12:00:00Z")
    send(org, "t1", "200")
    send(org, "t2", "50")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    amounts = {fee["item"]["invoice_display_name"]: fee["amount_cents"] for fee in invoice["fees"]}
    assert amounts == {"basic": 4999, **{model: cents for model, (_, cents) in models.items()}}
    assert invoice["total_amount_cents"] == 4999 + sum(cents for _, cents in models.values())
    (standard,) = (
        one for one in invoice["fees"] if one["item"]["invoice_display_name"] == "standard"
    )
    assert standard["units"] == "250.0"
    assert Decimal(standard["precise_amount"]) == Decimal("18.875")
    assert Decimal(standard["precise_unit_amount"]) == Decimal("0.0755")
    assert standard["events_count"] == 2
    assert (standard["from_date"], standard["to_date"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-31T23:59:59Z",
    )


def test_only_the_period_counts(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, amount_cents=0, charges=[charge(metric_id, "standard", {"amount": "1"})])
    subscribe(org, subscription_at="2026-01-05T10:00:00Z")
    org.clock("2026-01-06T00:00:00Z")
    org.run("activate_subscriptions")
    for name, instant in {
        "before-start": 1767607199,  # 2026-01-05T09:59:59Z
        "first": 1767657600,  # 2026-01-06T00:00:00Z
        "last": 1769903999,  # 2026-01-31T23:59:59Z
        "last-millisecond": "1769903999.999",
        "next-month": 1769904000,
    }.items():
        send(org, name, "1", timestamp=instant)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 300
    assert current_usage(org)["amount_cents"] == 100


def test_e26_events_bring_their_own_amounts(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    prices = {"pricing_group_keys": ["team"]}
    add_plan(org, amount_cents=0, charges=[charge(add_metric(org, "usage"), "dynamic", prices)])
    subscribe(org)
    for number, (value, cents, team) in enumerate(
        (("5", "1234.56", "a"), ("1", "2.1", "a"), ("2", "0.5", "b"), ("none", "9", "b"))
    ):
        body = usage_event(f"t{number}", precise_total_amount_cents=cents)
        properties = {"value": value, "team": team}
        org.post("/events", {"event": {**body, "properties": properties}})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    fees = [fee for fee in only_invoice(org)["fees"] if fee["item"]["type"] == "charge"]
    assert [(fee["units"], fee["amount_cents"]) for fee in fees] == [("6.0", 1237), ("2.0", 1)]
    assert Decimal(fees[0]["precise_amount"]) == Decimal("12.3666")


def test_an_amount_below_zero_shows_no_units(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    limited = {"rate": "10", "free_units_per_events": 1, "per_transaction_max_amount": "100"}
    metric_id = add_metric(org, "usage")
    add_plan(org, amount_cents=0, charges=[charge(metric_id, "percentage", limited)])
    subscribe(org)
    send(org, "free", "100")
    send(org, "less", "-40")
    (one,) = current_usage(org)["charges_usage"]
    assert (one["units"], one["amount_cents"], one["events_count"]) == ("0.0", 0, 2)
