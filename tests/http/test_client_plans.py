"""The published Python client and plans: overrides, cascades, metadata, prices of one's own."""

from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import charge, fixed_charge, minimum_commitment, plan

from tests.support.billing import add_metric, add_tax
from tests.support.gateway import Org

# its annotations say less than the client can do
lago: Any = models
of_charges: Any = charge
of_fixed_charges: Any = fixed_charge
of_commitments: Any = minimum_commitment
of_plans: Any = plan


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of an organization with a plan of usage by region, and seats."""
    made: Any = Client(api_key=org.key, api_url=org.url)
    add_tax(org, "vat", "20")
    metric = add_metric(org, "usage", filters=[{"key": "region", "values": ["us", "eu"]}])
    made.add_ons.create(lago.AddOn(name="Seat", code="seat", amount_cents=1, amount_currency="EUR"))
    usage = lago.Charge(
        billable_metric_id=metric,
        charge_model="standard",
        properties={"amount": "1"},
        filters=lago.ChargeFilters(__root__=[a_filter("2", "us")]),
    )
    seat = lago.FixedCharge(
        add_on_code="seat",
        charge_model="standard",
        units=2,
        properties=lago.FixedChargeProperties(amount="5"),
    )
    made.plans.create(
        lago.Plan(
            name="Startup",
            code="startup",
            interval="monthly",
            amount_cents=2000,
            amount_currency="EUR",
            pay_in_advance=False,
            charges=lago.Charges(__root__=[usage]),
            fixed_charges=lago.FixedCharges(__root__=[seat]),
            tax_codes=["vat"],
            minimum_commitment=lago.MinimumCommitment(amount_cents=5000),
        )
    )
    return made


def a_filter(amount: str, region: str, **fields: Any) -> Any:
    """Return a charge filter."""
    return lago.ChargeFilter(properties={"amount": amount}, values={"region": [region]}, **fields)


def subscribed(client: Any, **fields: Any) -> Any:
    """Subscribe s1 of c1."""
    return client.subscriptions.create(
        lago.Subscription(
            external_customer_id="c1", external_id="s1", plan_code="startup", **fields
        )
    )


def plan_of(org: Org) -> dict[str, Any]:
    """Return the plan of s1, which the client does not read."""
    found: dict[str, Any] = org.get("/subscriptions/s1")["subscription"]["plan"]
    return found


def test_overrides(org: Org, client: Any) -> None:
    theirs = client.plans.find("startup")
    (usage,), (seat,) = theirs.charges.__root__, theirs.fixed_charges.__root__
    price = of_charges.ChargeOverrides(
        id=usage.lago_id, properties={"amount": "0.5"}, tax_codes=["vat"]
    )
    seats = of_fixed_charges.FixedChargeOverrides(id=seat.lago_id, units=3)
    overrides = of_plans.PlanOverrides(
        name="For Acme",
        amount_cents=1500,
        charges=of_charges.ChargesOverrides(__root__=[price]),
        fixed_charges=of_fixed_charges.FixedChargesOverrides(__root__=[seats]),
        minimum_commitment=of_commitments.MinimumCommitmentOverrides(amount_cents=7000),
        tax_codes=[],
        metadata={"by": "sales"},
    )
    assert subscribed(client, plan_overrides=overrides).plan_amount_cents == "1500"
    own = plan_of(org)
    assert (own["code"], own["name"], own["amount_cents"]) == ("startup", "For Acme", 1500)
    assert own["charges"][0]["properties"] == {"amount": "0.5"}
    assert own["fixed_charges"][0]["units"] == "3.0"
    assert (own["minimum_commitment"]["amount_cents"], own["metadata"]) == (7000, {"by": "sales"})
    cheaper = lago.Subscription(plan_overrides=of_plans.PlanOverrides(amount_cents=1000))
    assert client.subscriptions.update(cheaper, "s1").plan_amount_cents == "1000"
    assert plan_of(org)["lago_id"] == own["lago_id"]
    assert client.plans.find("startup").amount_cents == 2000
    assert [one.lago_id for one in client.plans.find_all()["plans"]] == [theirs.lago_id]


def test_cascades(org: Org, client: Any) -> None:
    subscribed(client, plan_overrides=of_plans.PlanOverrides(name="Mine"))
    client.plans.update(lago.Plan(amount_cents=2500, cascade_updates=True), "startup")
    price = lago.Charge(properties={"amount": "3"}, cascade_updates=True)
    client.plan_charges.update("startup", "usage", price)
    new = a_filter("4", "eu", cascade_updates=True)
    client.plans.create_charge_filter("startup", "usage", new)
    client.plan_fixed_charges.update(
        "startup", "seat", lago.FixedCharge(units=7, cascade_updates=True)
    )
    org.drain()
    own = plan_of(org)
    (usage,) = own["charges"]
    assert (own["amount_cents"], usage["properties"]) == (2500, {"amount": "3"})
    assert [one["properties"] for one in usage["filters"]] == [{"amount": "2"}, {"amount": "4"}]
    assert own["fixed_charges"][0]["units"] == "7.0"


def test_prices_of_ones_own(client: Any) -> None:
    subscribed(client)
    charges, fixed_charges = client.subscription_charges, client.subscription_fixed_charges
    theirs = charges.find("s1", "usage")
    price = of_charges.ChargeOverrides(properties={"amount": "0.1"})
    mine = charges.update("s1", "usage", price)
    assert (mine.properties, mine.lago_id != theirs.lago_id) == ({"amount": "0.1"}, True)
    rows = client.subscriptions
    (first,) = rows.find_all_charge_filters("s1", "usage")["filters"]
    assert rows.find_charge_filter("s1", "usage", first.lago_id) == first
    made = rows.create_charge_filter("s1", "usage", a_filter("4", "eu"))
    change = lago.ChargeFilter(properties={"amount": "5"})
    made = rows.update_charge_filter("s1", "usage", made.lago_id, change)
    assert made.properties == {"amount": "5"}
    assert rows.destroy_charge_filter("s1", "usage", made.lago_id) == made
    assert fixed_charges.find("s1", "seat").units == 2
    seats = of_fixed_charges.FixedChargeOverrides(units=4, apply_units_immediately=True)
    assert fixed_charges.update("s1", "seat", seats).units == 4
    assert client.plan_fixed_charges.find("startup", "seat").units == 2


def test_lists_of_parts_are_asked_for_without_a_key(client: Any) -> None:
    """The published client forgets its key there, so that nobody can list them with it."""
    subscribed(client)
    for parts, whole in (
        (client.plan_charges, "startup"),
        (client.plan_fixed_charges, "startup"),
        (client.subscription_charges, "s1"),
        (client.subscription_fixed_charges, "s1"),
    ):
        with pytest.raises(LagoApiError) as caught:
            parts.find_all(whole)
        assert caught.value.status_code == 401


def test_metadata(client: Any) -> None:
    plans = client.plans
    assert plans.replace_metadata("startup", {"tier": "gold", "note": None}) == {
        "tier": "gold",
        "note": None,
    }
    merged = {"tier": "gold", "note": "x"}
    assert plans.merge_metadata("startup", {"note": "x"}) == merged
    assert plans.find("startup").metadata == merged
    assert plans.delete_metadata_key("startup", "note") == {"tier": "gold"}
    assert plans.delete_all_metadata("startup") is None
    with pytest.raises(LagoApiError) as caught:
        plans.delete_metadata_key("startup", "tier")
    assert caught.value.response["code"] == "metadata_not_found"


def test_deletion(org: Org, client: Any) -> None:
    subscribed(client, plan_overrides=of_plans.PlanOverrides(name="Mine"))
    assert client.plans.destroy("startup").code == "startup"
    org.drain()
    with pytest.raises(LagoApiError) as caught:
        client.plans.find("startup")
    assert caught.value.response["code"] == "plan_not_found"
    with pytest.raises(LagoApiError):
        client.subscriptions.find("s1")
