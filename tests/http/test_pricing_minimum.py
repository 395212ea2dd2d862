"""Minimum spend, pricing units and explanations: what stands behind a usage fee's amount."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support import evaluator
from tests.support.billing import add_tax, only_invoice
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, tell, use

REGIONS = {
    "aggregation": "count_agg",
    "filters": [{"key": "region", "values": ["europe", "usa"]}],
}


def charge_fees(org: Org) -> list[dict[str, Any]]:
    """Return the charge fees of the only invoice."""
    return [fee for fee in only_invoice(org)["fees"] if fee["item"]["type"] == "charge"]


def add_unit(org: Org) -> None:
    """Create a pricing unit."""
    unit = {"name": "Tokens", "code": "tokens", "short_name": "TK"}
    org.post("/pricing_units", {"pricing_unit": unit})


def in_tokens(rate: str) -> dict[str, Any]:
    """Return what makes a charge priced in tokens."""
    return {"applied_pricing_unit": {"code": "tokens", "conversion_rate": rate}}


def test_e43_a_minimum_for_the_days_that_were_used(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_tax(org, "vat", "20", applied_to_organization=True)
    sold(
        org,
        {"min_amount_cents": 1000},
        at="2023-02-01T00:00:00Z",
        metric={"aggregation": "count_agg"},
        properties={"amount": "8"},
    )
    org.clock("2023-02-25T06:00:00Z")
    use(org, {})
    org.delete("/subscriptions/s1")
    org.drain()
    used, missing = charge_fees(org)
    assert (used["amount_cents"], used["taxes_amount_cents"], used["units"]) == (800, 160, "1.0")
    assert (missing["amount_cents"], missing["taxes_amount_cents"]) == (93, 19)
    assert (missing["units"], missing["events_count"]) == ("1.0", 0)
    assert Decimal(missing["precise_amount"]).quantize(Decimal("1e-5")) == Decimal("0.92857")
    assert missing["lago_true_up_parent_fee_id"] == used["lago_id"]
    assert used["lago_true_up_fee_id"] == missing["lago_id"]
    assert org.get(f"/fees/{used['lago_id']}")["fee"]["lago_true_up_fee_id"] == missing["lago_id"]
    assert missing["item"] == used["item"]
    past = org.get("/customers/c1/past_usage?external_subscription_id=s1")["usage_periods"][0]
    assert past["amount_cents"] == 893
    assert [one["units"] for one in past["charges_usage"]] == ["1.0"]


def test_e43_fifteen_of_thirty_one_days(org: Org) -> None:
    sold(
        org,
        {"min_amount_cents": 1000},
        at="2026-01-17T00:00:00Z",
        properties={"amount": "2"},
    )
    use(org, {"value": 1})
    assert tell(org)["amount_cents"] == 200  # current usage shows no minimum
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    _, missing = charge_fees(org)
    assert missing["amount_cents"] == 284
    assert Decimal(missing["precise_amount"]).quantize(Decimal("1e-9")) == Decimal("2.838709677")


def test_a_minimum_counts_all_filters_and_keeps_its_parent(org: Org) -> None:
    filters = [
        {"values": {"region": ["europe"]}, "properties": {"amount": "20"}},
        {"values": {"region": ["usa"]}, "properties": {"amount": "50"}},
    ]
    sold(
        org,
        {"min_amount_cents": 10000, "filters": filters},
        at="2023-02-01T00:00:00Z",
        metric=REGIONS,
        properties={"amount": "0"},
    )
    org.clock("2023-02-25T06:00:00Z")
    use(org, {"region": "usa"}, {"region": "europe"})
    org.delete("/subscriptions/s1")
    org.drain()
    *parts, missing = charge_fees(org)
    assert [fee["amount_cents"] for fee in parts] == [2000, 5000, 0]
    assert missing["amount_cents"] == 1929
    assert missing["lago_true_up_parent_fee_id"] == parts[-1]["lago_id"]
    assert missing["lago_charge_filter_id"] is None


def test_a_minimum_that_is_reached_adds_nothing(org: Org) -> None:
    sold(org, {"min_amount_cents": 500})
    use(org, {"value": 5})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (fee,) = charge_fees(org)
    assert fee["lago_true_up_fee_id"] is None


@pytest.mark.parametrize(
    ("price", "rate", "cents", "in_unit", "precise"),
    [
        pytest.param("1.2345", "0.5", 62, 123, "0.615", id="e44"),
        pytest.param("0.004", "100", 0, 0, "0", id="e44-rounded-away"),
    ],
)
def test_a_price_in_a_pricing_unit(  # noqa: PLR0913, PLR0917 - one case of the table above
    org: Org, price: str, rate: str, cents: int, in_unit: int, precise: str
) -> None:
    add_unit(org)
    sold(org, in_tokens(rate), properties={"amount": price})
    use(org, {"value": 1})
    (one,) = tell(org)["charges_usage"]
    assert one["amount_cents"] == cents
    assert one["pricing_unit_details"]["amount_cents"] == in_unit
    assert one["pricing_unit_details"]["short_name"] == "TK"
    assert Decimal(one["pricing_unit_details"]["conversion_rate"]) == Decimal(rate)
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (fee,) = charge_fees(org)
    assert fee["amount_cents"] == cents
    assert Decimal(fee["precise_amount"]) == Decimal(precise)
    details = fee["pricing_unit_details"]
    assert (details["pricing_unit_code"], details["amount_cents"]) == ("tokens", in_unit)
    assert Decimal(details["precise_amount_cents"]) == Decimal(price) * 100
    assert Decimal(details["precise_unit_amount"]) == Decimal(price)


def test_e44_a_minimum_in_a_pricing_unit(org: Org) -> None:
    add_unit(org)
    sold(org, {"min_amount_cents": 500, **in_tokens("0.25")}, properties={"amount": "2"})
    use(org, {"value": 1})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    used, missing = charge_fees(org)
    assert (used["amount_cents"], missing["amount_cents"]) == (50, 75)
    assert missing["pricing_unit_details"]["amount_cents"] == 300


TIERS = [
    {"from_value": 0, "to_value": 10, "per_unit_amount": "0.3333", "flat_amount": "2"},
    {"from_value": 11, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "3"},
]


def explanations(org: Org) -> list[dict[str, Any]]:
    """Return how each charge fee of the only invoice came about, added up again."""
    found = []
    for fee in charge_fees(org):
        told = org.get(f"/fees/{fee['lago_id']}/explain")["fee_explanation"]
        assert evaluator.amount_cents(told) == fee["amount_cents"]
        found.append(told["explanation"])
    return found


def test_a_fee_explains_itself(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    filters = [
        {
            "values": {"region": ["usa"]},
            "properties": {"graduated_ranges": TIERS, "pricing_group_keys": ["team"]},
        }
    ]
    sold(
        org,
        {"filters": filters, "min_amount_cents": 5000},
        model="graduated",
        metric={**REGIONS, "aggregation": "sum_agg", "rounding_function": "ceil"},
        properties={"graduated_ranges": TIERS},
    )
    use(
        org,
        {"region": "usa", "team": "a", "value": "12.25"},
        {"region": "usa", "team": "b", "value": "1"},
        {"value": "3"},
    )
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    first, second, default, _ = explanations(org)
    assert first["filter"] == {"region": ["usa"]}
    assert first["grouped_by"] == {"team": "a"}
    assert first["aggregation"] == {
        "type": "sum_agg",
        "events_count": 1,
        "units": "12.25",
        "carried_units": "0.0",
        "rounding_function": "ceil",
        "rounding_precision": None,
        "priced_units": "13.0",
        "shown_units": "13.0",
    }
    assert (first["from_datetime"], first["to_datetime"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-31T23:59:59Z",
    )
    assert second["grouped_by"] == {"team": "b"}
    assert default["filter"] is None


def test_a_prorated_fee_in_a_pricing_unit_explains_itself(org: Org) -> None:
    add_unit(org)
    sold(
        org,
        {"prorated": True, **in_tokens("0.37")},
        model="graduated",
        metric={"recurring": True},
        properties={"graduated_ranges": TIERS},
    )
    use(org, {"value": 7}, at="1760000000")
    org.clock("2026-01-19T00:00:00Z")
    use(org, {"value": 9}, {"value": -3})
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    (told,) = explanations(org)
    assert told["aggregation"]["carried_units"] == "7.0"
