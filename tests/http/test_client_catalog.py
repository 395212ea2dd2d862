"""The published Python client and what can be sold: it reads back typed what it wrote."""

from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError

from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of a fresh organization."""
    return Client(api_key=org.key, api_url=org.url)


def a_metric(client: Any) -> Any:
    """Create a metric with filters."""
    filters = [lago.BillableMetricFilter(key="region", values=["us", "eu"])]
    return client.billable_metrics.create(
        lago.BillableMetric(
            name="Seats",
            code="seats",
            aggregation_type="sum_agg",
            field_name="value",
            recurring=True,
            rounding_function="ceil",
            rounding_precision=1,
            expression="event.properties.a * 2",
            filters=lago.BillableMetricFilters(__root__=filters),
        )
    )


def a_filter(amount: str, values: dict[str, list[str]], **fields: Any) -> Any:
    """Return a charge filter."""
    return lago.ChargeFilter(properties={"amount": amount}, values=values, **fields)


def a_plan(client: Any, **fields: Any) -> Any:
    """Create a plan."""
    return client.plans.create(
        lago.Plan(
            name="Startup",
            code="startup",
            interval="monthly",
            amount_cents=0,
            amount_currency="EUR",
            pay_in_advance=False,
            **fields,
        )
    )


def test_metrics(client: Any) -> None:
    made = a_metric(client)
    assert (made.recurring, made.rounding_function, made.rounding_precision) == (True, "ceil", 1)
    assert made.expression == "event.properties.a * 2"
    (found,) = client.billable_metrics.find("seats").filters.__root__
    assert (found.key, found.values) == ("region", ["eu", "us"])


def test_charges_and_their_filters(org: Org, client: Any) -> None:
    org.post(
        "/pricing_units",
        {"pricing_unit": {"name": "Credits", "code": "credits", "short_name": "CR"}},
    )
    metric = a_metric(client)
    priced = lago.Charge(
        billable_metric_id=metric.lago_id,
        charge_model="standard",
        prorated=True,
        min_amount_cents=100,
        properties={"amount": "1", "pricing_group_keys": ["project"]},
        filters=lago.ChargeFilters(__root__=[a_filter("2", {"region": ["us"]})]),
        applied_pricing_unit={"code": "credits", "conversion_rate": 0.5},
    )
    made = a_plan(client, charges=lago.Charges(__root__=[priced]))
    (charge,) = made.charges.__root__
    assert (charge.code, charge.prorated, charge.min_amount_cents) == ("seats", True, 100)
    assert charge.filters.__root__[0].values == {"region": ["us"]}
    found = client.plan_charges.find("startup", "seats")
    assert (found.lago_id, found.charge_model) == (charge.lago_id, "standard")
    other = client.plan_charges.create(
        "startup",
        lago.Charge(billable_metric_id=metric.lago_id, charge_model="dynamic", code="dynamic"),
    )
    assert (other.code, other.properties) == ("dynamic", {})
    named = lago.Charge(invoice_display_name="Any", cascade_updates=True)
    assert client.plan_charges.update("startup", "dynamic", named).invoice_display_name == "Any"
    assert client.plan_charges.destroy("startup", "dynamic").lago_id == other.lago_id
    with pytest.raises(LagoApiError) as caught:
        client.plan_charges.find("startup", "dynamic")
    assert caught.value.response["code"] == "charge_not_found"
    new = a_filter("3", {"region": ["__ALL_FILTER_VALUES__"]}, invoice_display_name="All")
    row = client.plans.create_charge_filter("startup", "seats", new)
    assert row.properties == {"amount": "3"}
    cheaper = lago.ChargeFilter(properties={"amount": "1"})
    row = client.plans.update_charge_filter("startup", "seats", row.lago_id, cheaper)
    assert (row.properties, row.invoice_display_name) == ({"amount": "1"}, "All")
    assert client.plans.find_charge_filter("startup", "seats", row.lago_id) == row
    listed = client.plans.find_all_charge_filters("startup", "seats")["filters"]
    assert [one.values["region"][0] for one in listed] == ["us", "__ALL_FILTER_VALUES__"]
    assert client.plans.destroy_charge_filter("startup", "seats", row.lago_id) == row


def test_add_ons_and_fixed_charges(client: Any) -> None:
    add_on = client.add_ons.create(
        lago.AddOn(name="Seat", code="seat", amount_cents=1200, amount_currency="EUR")
    )
    assert client.add_ons.find("seat") == add_on
    assert client.add_ons.update(lago.AddOn(description="One"), "seat").description == "One"
    assert len(client.add_ons.find_all()["add_ons"]) == 1
    fixed = lago.FixedCharge(
        add_on_id=add_on.lago_id,
        charge_model="standard",
        units=2.5,
        pay_in_advance=True,
        properties=lago.FixedChargeProperties(amount="12"),
    )
    plan = a_plan(client, fixed_charges=lago.FixedCharges(__root__=[fixed]))
    (shown,) = plan.fixed_charges.__root__
    assert (shown.units, shown.properties.amount, shown.add_on_code) == (2.5, "12", "seat")
    assert client.plan_fixed_charges.find("startup", "seat") == shown
    by_code = lago.FixedCharge(
        add_on_code="seat", charge_model="standard", code="more", units=1, prorated=True
    )
    made = client.plan_fixed_charges.create("startup", by_code)
    assert (made.code, made.prorated, made.properties.amount) == ("more", True, "0")
    more = lago.FixedCharge(units=9, apply_units_immediately=True)
    assert client.plan_fixed_charges.update("startup", "more", more).units == 9
    assert client.plan_fixed_charges.destroy("startup", "more").lago_id == made.lago_id
    assert client.add_ons.destroy("seat").code == "seat"
