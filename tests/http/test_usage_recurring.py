"""Recurring metrics: what is carried from period to period, by the day where it is prorated."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.billing import invoices
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, tell, use

LEVEL = {"aggregation": "weighted_sum_agg", "recurring": True, "weighted_interval": "seconds"}
SEATS = {"aggregation": "unique_count_agg", "recurring": True}
KEPT = {"recurring": True}
# docs/rules/metering.md, example E33
TIERS = {
    "graduated_ranges": [
        {"from_value": 0, "to_value": 5, "per_unit_amount": "10", "flat_amount": "100"},
        {"from_value": 6, "to_value": 15, "per_unit_amount": "5", "flat_amount": "50"},
        {"from_value": 16, "to_value": None, "per_unit_amount": "2", "flat_amount": "0"},
    ]
}


def fees(org: Org, number: int) -> list[dict[str, Any]]:
    """Return the charge fees of the invoice with a number, counted from 0."""
    found: list[dict[str, Any]] = invoices(org)[number]["fees"]
    return [fee for fee in found if fee["item"]["type"] == "charge"]


def test_e28_a_level_is_carried_on(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(org, {}, at="2023-03-05T00:00:00Z", metric=LEVEL)
    use(org, {"value": "2500"}, at="1677974400")  # the instant of the start
    assert tell(org)["charges_usage"][0]["total_aggregated_units"] == "2500.0"
    org.clock("2023-04-01T01:00:00Z", catch_up=True)
    (march,) = fees(org, 0)
    assert Decimal(march["units"]).quantize(Decimal("1e-16")) == Decimal("2177.4193548387096774")
    assert march["amount_cents"] == 217742
    assert march["total_aggregated_units"] == "2500.0"
    use(org, {"value": "-2000"}, at="1680566400")  # 2023-04-04
    use(org, {"value": "-200"}, at="1680739200")  # 2023-04-06
    org.clock("2023-05-01T01:00:00Z", catch_up=True)
    (april,) = fees(org, 1)
    assert april["amount_cents"] == 53333
    assert april["total_aggregated_units"] == "300.0"
    assert april["events_count"] == 2
    org.clock("2023-06-01T01:00:00Z", catch_up=True)
    (may,) = fees(org, 2)
    assert (may["units"], may["amount_cents"], may["events_count"]) == ("300.0", 30000, 0)


def test_a_late_event_is_in_the_level(org: Org) -> None:
    sold(
        org,
        {},
        at="2023-03-01T00:00:00Z",
        metric=LEVEL,
        properties={"amount": "1", "pricing_group_keys": ["disk"]},
    )
    use(org, {"value": "10", "disk": "a"})
    org.clock("2023-04-01T01:00:00Z", catch_up=True)
    use(org, {"value": "5", "disk": "a"}, {"value": "1", "disk": "b"}, at="1680220800")  # March 31
    (one,) = tell(org)["charges_usage"]
    assert {
        part["grouped_by"]["disk"]: (part["units"], part["events_count"])
        for part in one["grouped_usage"]
    } == {"a": ("15.0", 0), "b": ("1.0", 0)}


def test_what_came_before_the_subscription_is_no_level(org: Org) -> None:
    sold(org, {}, at="2023-03-10T00:00:00Z", metric=LEVEL)
    use(org, {"value": "10"}, at="1677974400")  # March 5
    assert tell(org)["amount_cents"] == 0
    org.clock("2023-04-10T00:00:00Z", catch_up=True)
    assert tell(org)["amount_cents"] == 0


def test_a_sum_is_carried_on_and_billed_in_full(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(org, {}, metric=KEPT, properties={"amount": "1", "pricing_group_keys": ["team"]})
    use(org, {"value": 5, "team": "a"}, {"value": 2, "team": "b"}, at="1767225600")
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    use(org, {"value": -1, "team": "a"})
    use(org, {"value": 100, "team": "a"}, at="1760000000")  # before the subscription began
    assert tell(org)["amount_cents"] == 10600
    org.clock("2026-03-01T01:00:00Z", catch_up=True)
    assert [fee["amount_cents"] for fee in fees(org, 0)] == [500, 200]
    assert [(fee["units"], fee["amount_cents"]) for fee in fees(org, 1)] == [
        ("104.0", 10400),
        ("2.0", 200),
    ]


def test_e30_a_prorated_sum(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(
        org,
        {"prorated": True},
        at="2023-04-01T00:00:00Z",
        metric=KEPT,
        properties={"amount": "10"},
    )
    use(org, {"value": "2.5"}, {"value": "2.5"}, at="1680566400")
    org.clock("2023-05-26T10:00:00Z", catch_up=True)
    use(org, {"value": 12}, {"value": 12})
    (one,) = tell(org)["charges_usage"]
    assert (one["units"], one["amount_cents"]) == ("29.0", 9645)
    org.clock("2023-06-01T01:00:00Z", catch_up=True)
    (may,) = fees(org, 1)
    assert (may["units"], may["amount_cents"], may["events_count"]) == ("29.0", 9645, 4)
    assert Decimal(may["precise_amount"]) == Decimal("96.4517")
    assert Decimal(may["precise_unit_amount"]) == Decimal("3.325920689655172")


def test_e33_e34_prorated_tiers(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    sold(
        org,
        {"prorated": True},
        at="2023-09-01T00:00:00Z",
        model="graduated",
        metric=KEPT,
        properties=TIERS,
    )
    assert tell(org)["amount_cents"] == 10000  # the first flat amount
    for day, value, cents in ((10, 2, 11400), (16, 5, 18400), (20, -6, 16567)):
        org.clock(f"2023-09-{day}T00:00:00Z")
        use(org, {"value": value})
        assert tell(org)["amount_cents"] == cents
    use(org, {"value": 74})
    org.clock("2023-10-01T00:00:00Z", catch_up=True)
    assert tell(org)["amount_cents"] == 37000
    org.clock("2023-10-17T00:00:00Z")
    use(org, {"value": 20})
    (one,) = tell(org)["charges_usage"]
    assert (one["units"], one["amount_cents"]) == ("95.0", 38935)


@pytest.mark.parametrize("grouped", [False, True], ids=["whole", "grouped"])
def test_e32_prorated_seats(org: Org, *, grouped: bool) -> None:
    properties = {"amount": "29", **({"pricing_group_keys": ["site"]} if grouped else {})}
    sold(org, {"prorated": True}, at="2024-01-01T00:00:00Z", metric=SEATS, properties=properties)
    for value, operation, instant in (
        ("p1", "add", 1704412800),  # January 5
        ("p1", "remove", 1705708800),
        ("p2", "add", 1704844800),
        ("p3", "add", 1707609600),  # February 11
        ("p3", "remove", 1707955200),  # February 15
        ("p4", "add", 1708387200),
        ("p4", "remove", 1708387260),
    ):
        use(org, {"value": value, "operation_type": operation, "site": "x"}, at=instant)
    org.clock("2024-03-01T01:00:00Z", catch_up=True)
    (february,) = fees(org, 1)
    # 1 + 5/29 + 1/29, rounded up to 1.20690
    assert february["units"] == "1.0"
    assert Decimal(february["precise_amount"]) == Decimal("35.0001")
    assert february["amount_cents"] == 3500


def test_a_prorated_volume_takes_its_tier_by_whole_units(org: Org) -> None:
    ranges = [
        {"from_value": 0, "to_value": 5, "per_unit_amount": "10", "flat_amount": "0"},
        {"from_value": 6, "to_value": None, "per_unit_amount": "5", "flat_amount": "1"},
    ]
    sold(org, {"prorated": True}, model="volume", metric=KEPT, properties={"volume_ranges": ranges})
    org.clock("2026-01-31T00:00:00Z")
    use(org, {"value": 31})
    (one,) = tell(org)["charges_usage"]
    # a day of 31 of 31 units, rounded up to 1.00001, at the price of the second tier
    assert (one["units"], one["amount_cents"]) == ("31.0", 600)


def test_days_are_those_of_the_customer(org: Org) -> None:
    org.clock("2026-01-01T12:00:00Z")
    org.post("/customers", {"customer": {"external_id": "c1", "timezone": "America/Los_Angeles"}})
    sold(
        org,
        {"prorated": True},
        at="2026-01-02T12:00:00Z",
        metric=KEPT,
        properties={"amount": "31"},
    )
    use(org, {"value": 1}, at=1768104000)  # the evening of January 10
    assert tell(org)["amount_cents"] == 2200  # 22 of 31 days


class TestInAdvance:
    """Charges in advance are shown by what has been paid: the peak of the period."""

    @pytest.mark.parametrize(
        ("steps"),
        [
            pytest.param([(10, "10.0", 1000), (-4, "6.0", 1000), (8, "14.0", 1400)], id="e35"),
            pytest.param(
                [(-10, "0.0", 0), (15, "5.0", 1500), (3, "8.0", 1500), (10, "18.0", 1800)], id="e36"
            ),
        ],
    )
    def test_a_sum(self, org: Org, steps: list[tuple[int, str, int]]) -> None:
        sold(org, {"pay_in_advance": True})
        for value, units, cents in steps:
            use(org, {"value": value})
            (one,) = tell(org)["charges_usage"]
            assert (one["units"], one["amount_cents"]) == (units, cents)

    def test_e40_limits_and_an_event_to_come(self, org: Org) -> None:
        limits = {"per_transaction_min_amount": "1.75", "per_transaction_max_amount": "2"}
        sold(
            org,
            {"pay_in_advance": True},
            model="percentage",
            properties={"rate": "1", "fixed_amount": "0.5", **limits},
        )
        use(org, {"value": 100}, {"value": 1000}, {"value": 10000})
        use(org, {"value": 333}, at="1769900000")  # later in the period
        assert tell(org)["amount_cents"] == 775

    def test_e41_seats(self, org: Org) -> None:
        sold(
            org,
            {"pay_in_advance": True},
            metric={"aggregation": "unique_count_agg"},
            properties={"amount": "12"},
        )
        for value, operation, units, cents in (
            ("a", "add", "1.0", 1200),
            ("a", "remove", "0.0", 1200),
            ("a", "add", "1.0", 1200),
            ("b", "add", "2.0", 2400),
            ("b", "add", "2.0", 2400),
        ):
            use(org, {"value": value, "operation_type": operation})
            (one,) = tell(org)["charges_usage"]
            assert (one["units"], one["amount_cents"]) == (units, cents)

    def test_seats_carried_into_a_period(self, org: Org) -> None:
        sold(
            org,
            {"pay_in_advance": True, "prorated": True},
            at="2024-02-01T00:00:00Z",
            metric=SEATS,
            properties={"amount": "29"},
        )
        org.clock("2024-02-06T01:00:00Z")
        use(org, {"value": "a"})
        assert tell(org)["amount_cents"] == 2400
        org.clock("2024-03-16T00:00:00Z", catch_up=True)
        assert tell(org)["amount_cents"] == 2900
        use(org, {"value": "b"})
        (one,) = tell(org)["charges_usage"]
        # a whole month of the first, and 16 of 31 days of the second, 0.51613 of it
        assert (one["units"], one["amount_cents"]) == ("2.0", 4397)
