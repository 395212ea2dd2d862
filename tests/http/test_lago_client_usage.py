"""The published Python client from usage to fees: everything it reads comes back typed."""

from typing import Any

import pytest
from lago_python_client import Client, models

from tests.support.billing import charge
from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models
START = "2026-01-01T00:00:00Z"
TIERS = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "0.5", "flat_amount": "1"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "0.4", "flat_amount": "0"},
]


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of a fresh organization in January of 2026."""
    org.clock(START)
    return Client(api_key=org.key, api_url=org.url)


def a_metric(client: Any, code: str, **fields: Any) -> Any:
    """Create a metric that adds up `value`, told apart by region."""
    filters = [lago.BillableMetricFilter(key="region", values=["us", "eu"])]
    return client.billable_metrics.create(
        lago.BillableMetric(
            name=code.title(),
            code=code,
            filters=lago.BillableMetricFilters(__root__=filters),
            **{"aggregation_type": "sum_agg", "field_name": "value", **fields},
        )
    )


def a_charge(metric: Any, model: str, properties: dict[str, Any], **fields: Any) -> Any:
    """Return a charge, of the fields the API takes."""
    return lago.Charge(**charge(metric.lago_id, model, properties, **fields))


def sell(client: Any, code: str, *charges: Any) -> None:
    """Create a plan of 10.00 a month and subscribe s1 to it."""
    client.plans.create(
        lago.Plan(
            name=code,
            code=code,
            interval="monthly",
            amount_cents=1000,
            amount_currency="EUR",
            pay_in_advance=False,
            charges=lago.Charges(__root__=list(charges)),
        )
    )
    client.subscriptions.create(
        lago.Subscription(external_customer_id="c1", external_id="s1", plan_code=code)
    )


def event(name: str, code: str, **properties: Any) -> Any:
    """Return an event."""
    return lago.Event(
        transaction_id=name, external_subscription_id="s1", code=code, properties=properties
    )


def test_usage_by_filter_and_group(client: Any) -> None:
    tokens = a_metric(client, "tokens", expression="event.properties.in + event.properties.out")
    eu = lago.ChargeFilter(
        invoice_display_name="Europe",
        properties={"amount": "2"},
        values={"region": ["eu"]},
    )
    filters = lago.ChargeFilters(__root__=[eu])
    terms = {"amount": "1", "pricing_group_keys": ["team"]}
    sell(client, "basic", a_charge(tokens, "standard", terms, filters=filters))
    sent = [
        event("t1", "tokens", **{"in": "1", "out": "2", "region": "eu"}),
        event("t2", "tokens", **{"in": 2, "out": 2, "team": "red"}),
        event("t3", "tokens", **{"in": 3, "out": 2, "region": "us", "team": "blue"}),
    ]
    client.events.batch_create(lago.BatchEvent(events=sent))
    assert client.events.find("t1").properties["value"] == "3.0", "computed on arrival"
    usage = client.customers.current_usage("c1", "s1")
    assert (usage.amount_cents, usage.currency, usage.lago_invoice_id) == (1500, "EUR", None)
    (one,) = usage.charges_usage
    assert (one.units, one.events_count, one.billable_metric.code) == ("12.0", 3, "tokens")
    found = [(part.values, part.units, part.amount_cents) for part in one.filters]
    assert found == [({"region": ["eu"]}, "3.0", 600), (None, "9.0", 900)]
    assert one.filters[0].invoice_display_name == "Europe"
    groups = {tuple(part.grouped_by.items()): part.amount_cents for part in one.grouped_usage}
    assert groups == {(): 600, (("team", "blue"),): 500, (("team", "red"),): 400}
    narrowed = client.customers.current_usage("c1", "s1", group={"team": "red"})
    assert narrowed.amount_cents == 400
    assert client.customers.current_usage("c1", "s1", charge_code="tokens").amount_cents == 1500


def test_from_current_and_projected_to_past_usage_and_fees(org: Org, client: Any) -> None:
    calls = a_metric(client, "calls", aggregation_type="count_agg", field_name=None)
    tokens = a_metric(client, "tokens")
    sell(
        client,
        "basic",
        a_charge(calls, "graduated", {"graduated_ranges": TIERS}, min_amount_cents=2000),
        a_charge(tokens, "standard", {"amount": "1"}, pay_in_advance=True, invoiceable=False),
    )
    org.clock("2026-01-08T00:00:00Z")
    client.events.batch_create(
        lago.BatchEvent(events=[event(f"c{number}", "calls") for number in range(12)])
    )
    client.events.create(event("t1", "tokens", value="7"))
    org.drain()
    current = client.customers.current_usage("c1", "s1")
    amounts = {one.billable_metric.code: one.amount_cents for one in current.charges_usage}
    assert amounts == {"calls": 680, "tokens": 700}
    projected = client.customers.projected_usage("c1", "s1")
    assert projected.amount_cents == 1380
    assert {one.projected_units for one in projected.charges_usage} == {"46.5", "27.13"}

    (paid,) = client.fees.find_all({"event_transaction_id": "t1"})["fees"]
    assert (paid.amount_cents, paid.lago_invoice_id, paid.invoiceable) == (700, None, False)
    change = lago.Fee(payment_status="succeeded")
    assert client.fees.update(change, paid.lago_id).succeeded_at == "2026-01-08T00:00:00Z"
    estimated = client.events.estimate_fees(event("t2", "tokens", value="2"))["fees"]
    assert [(fee.lago_id, fee.amount_cents) for fee in estimated] == [(None, 200)]

    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (period,) = client.customers.past_usage("c1", "s1")["usage_periods"]
    assert (period.issuing_date, period.currency) == ("2026-01-31", "EUR")
    assert [one.units for one in period.charges_usage] == ["12.0"]
    fees = client.fees.find_all({"fee_type": "charge", "external_subscription_id": "s1"})["fees"]
    by_amount = {fee.amount_cents: client.fees.find(fee.lago_id) for fee in fees}
    assert sorted(by_amount) == [680, 700, 1320]
    used, missing = by_amount[680], by_amount[1320]
    assert used.item.type == "charge"
    assert (used.units, used.precise_amount) == ("12.0", "6.8")
    assert used.amount_details["graduated_ranges"][1]["units"] == "2.0"
    assert missing.lago_true_up_parent_fee_id == used.lago_id
    assert used.lago_true_up_fee_id == missing.lago_id


def test_fixed_charges_and_lifetime_usage(org: Org, client: Any) -> None:
    client.add_ons.create(
        lago.AddOn(name="Seat", code="seat", amount_cents=1, amount_currency="EUR")
    )
    sell(client, "basic", a_charge(a_metric(client, "tokens"), "standard", {"amount": "1"}))
    fixed = lago.FixedCharge(
        add_on_code="seat",
        charge_model="standard",
        units=10,
        pay_in_advance=True,
        apply_units_immediately=True,
        properties=lago.FixedChargeProperties(amount="12"),
    )
    client.plan_fixed_charges.create("basic", fixed)
    change = lago.FixedCharge(units=12.5, apply_units_immediately=True)
    assert client.subscription_fixed_charges.update("s1", "seat", change).units == 12.5
    assert client.subscription_fixed_charges.find("s1", "seat").units == 12.5
    assert client.plan_fixed_charges.find("basic", "seat").units == 10
    org.drain()
    fees = client.fees.find_all({"fee_type": "fixed_charge"})["fees"]
    assert [(fee.units, fee.amount_cents) for fee in fees] == [("2.5", 3000), ("10.0", 12000)]
    assert {fee.item.type for fee in fees} == {"fixed_charge"}
    assert all(fee.lago_fixed_charge_id for fee in fees)
    client.events.create(event("t1", "tokens", value="7"))
    assert client.subscriptions.lifetime_usage("s1").current_usage_amount_cents == 700
    found = client.subscriptions.update_lifetime_usage("s1", 2500)
    assert found.external_historical_usage_amount_cents == 2500
    assert (found.from_datetime, found.usage_thresholds) == (START, [])
