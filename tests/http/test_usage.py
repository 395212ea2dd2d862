"""Current usage: filters, groups and breakdowns, and what may be asked about them."""

from typing import Any

import pytest

from tests.support.billing import add_metric, add_plan, charge, only_invoice, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.usage import sold, tell, use

CLOUDS = {"filters": [{"key": "cloud", "values": ["aws", "gcp", "azure"]}]}
PLACES = {
    "filters": [
        {"key": "cloud", "values": ["aws", "gcp"]},
        {"key": "region", "values": ["us", "europe", "asia"]},
    ]
}
ALL = ["__ALL_FILTER_VALUES__"]


def filter_(
    values: dict[str, list[str]], amount: str, name: str | None = None, **properties: Any
) -> dict[str, Any]:
    """Return a charge filter of a standard price."""
    return {
        "values": values,
        "properties": {"amount": amount, **properties},
        "invoice_display_name": name,
    }


def amounts(org: Org) -> dict[str, int]:
    """Return cents by the filter's display name."""
    (one,) = tell(org)["charges_usage"]
    return {part["invoice_display_name"]: part["amount_cents"] for part in one["filters"]}


def test_e48_the_narrower_filter_has_the_event(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    filters = [
        filter_({"cloud": ["aws", "gcp"]}, "5", "All clouds"),
        filter_({"cloud": ["aws"]}, "3", "AWS"),
    ]
    sold(org, {"filters": filters}, metric=CLOUDS, properties={"amount": "1"})
    use(org, {"cloud": "aws", "value": 10}, {"cloud": "gcp", "value": 7})
    usage = tell(org)
    (one,) = usage["charges_usage"]
    assert [
        (part["invoice_display_name"], part["values"], part["units"], part["amount_cents"])
        for part in one["filters"]
    ] == [
        ("All clouds", {"cloud": ["aws", "gcp"]}, "7.0", 3500),
        ("AWS", {"cloud": ["aws"]}, "10.0", 3000),
        (None, None, "0.0", 0),
    ]
    assert (one["units"], one["events_count"], one["amount_cents"]) == ("17.0", 2, 6500)
    assert one["grouped_usage"] == []
    assert usage["amount_cents"] == usage["total_amount_cents"] == 6500
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    fees = [fee for fee in only_invoice(org)["fees"] if fee["item"]["type"] == "charge"]
    assert {
        fee["item"]["filter_invoice_display_name"]: (
            fee["amount_cents"],
            fee["item"]["filters"],
            fee["lago_charge_filter_id"] is not None,
        )
        for fee in fees
    } == {
        "All clouds": (3500, {"cloud": ["aws", "gcp"]}, True),
        "AWS": (3000, {"cloud": ["aws"]}, True),
    }


def test_e49_groups_of_a_filter(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    grouped = filter_({"cloud": ["aws"], "region": ALL}, "12", pricing_group_keys=["country"])
    sold(org, {"filters": [grouped]}, metric=PLACES, properties={"amount": "10"})
    use(
        org,
        {"cloud": "aws", "region": "us", "country": "us", "value": 10},
        {"cloud": "aws", "region": "europe", "country": "france", "value": 10},
        {"cloud": "aws", "region": "asia", "value": 10},
        {"cloud": "gcp", "region": "asia", "country": "china", "value": 10},
    )
    usage = tell(org)
    assert usage["amount_cents"] == 46000
    (one,) = usage["charges_usage"]
    assert {
        part["grouped_by"].get("country", "not grouped"): part["amount_cents"]
        for part in one["grouped_usage"]
    } == {"us": 12000, "france": 12000, None: 12000, "not grouped": 10000}
    assert [part["amount_cents"] for part in one["filters"]] == [36000, 10000]
    (france,) = [
        part for part in one["grouped_usage"] if part["grouped_by"] == {"country": "france"}
    ]
    assert [part["values"] for part in france["filters"]] == [{"cloud": ["aws"], "region": ALL}]
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    invoice = only_invoice(org)
    assert invoice["fees_amount_cents"] == 46000
    assert sorted(
        (str(fee["item"]["grouped_by"]), fee["amount_cents"])
        for fee in invoice["fees"]
        if fee["item"]["type"] == "charge"
    ) == [
        ("{'country': 'france'}", 12000),
        ("{'country': 'us'}", 12000),
        ("{'country': None}", 12000),
        ("{}", 10000),
    ]


def test_an_event_of_two_filters_is_billed_once(org: Org) -> None:
    filters = [
        filter_({"region": ["us", "europe"]}, "5", "west"),
        filter_({"region": ["europe", "asia"]}, "3", "east"),
        filter_({"cloud": ["aws"]}, "7", "aws"),
    ]
    sold(org, {"filters": filters}, metric=PLACES)
    use(
        org,
        {"region": "europe", "value": 1},
        {"region": "asia", "cloud": "aws", "value": 1},
        {"cloud": "aws", "value": 1},
        {"cloud": "other", "value": 1},
    )
    assert amounts(org) == {"west": 500, "east": 300, "aws": 700, None: 100}


def test_values_match_as_text_and_all_means_the_declared_ones(org: Org) -> None:
    sizes = {"filters": [{"key": "size", "values": ["1", "2", "1.50"]}]}
    filters = [filter_({"size": ["1"]}, "5", "one"), filter_({"size": ALL}, "3", "sized")]
    sold(org, {"filters": filters}, metric=sizes)
    use(org, *({"size": size, "value": 1} for size in (1, "1", 2, "3", None)), {"value": 1})
    assert amounts(org) == {"one": 1000, "sized": 300, None: 300}


def test_a_first_flat_amount_falls_due_once_per_bucket(org: Org) -> None:
    ranges = [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "2"}]
    tiers = {"graduated_ranges": ranges}
    filters = [
        {"values": {"cloud": ["aws"]}, "properties": {**tiers, "pricing_group_keys": ["team"]}},
        {"values": {"cloud": ["gcp"]}, "properties": tiers},
    ]
    sold(org, {"filters": filters}, metric=CLOUDS, model="graduated", properties=tiers)
    (one,) = tell(org)["charges_usage"]
    assert one["amount_cents"] == 600
    groups = [(part["grouped_by"], part["amount_cents"]) for part in one["grouped_usage"]]
    assert groups == [({"team": None}, 200), ({}, 400)]
    use(
        org,
        {"cloud": "aws", "team": "a", "value": 1},
        {"cloud": "aws", "team": "b", "value": 2},
    )
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    fees = [fee["amount_cents"] for fee in only_invoice(org)["fees"]]
    assert sorted(fees) == [0, 200, 200, 300, 400]  # the first is the plan's own


def test_a_negative_group_owes_nothing_and_takes_nothing(org: Org) -> None:
    sold(org, {}, properties={"amount": "1", "pricing_group_keys": ["team"]})
    use(org, {"team": "a", "value": 5}, {"team": "b", "value": -8}, {"team": "", "value": 1})
    use(org, {"value": 2})
    (one,) = tell(org)["charges_usage"]
    assert {
        part["grouped_by"]["team"]: (part["units"], part["events_count"], part["amount_cents"])
        for part in one["grouped_usage"]
    } == {"a": ("5.0", 1, 500), "b": ("0.0", 1, 0), None: ("3.0", 2, 300)}
    assert one["amount_cents"] == 800


def test_usage_is_rounded_in_every_group(org: Org) -> None:
    sold(
        org,
        {},
        metric={"rounding_function": "ceil"},
        properties={"amount": "1", "pricing_group_keys": ["team"]},
    )
    use(
        org, {"team": "a", "value": "1.2"}, {"team": "b", "value": "0.1"}, {"team": "a", "value": 1}
    )
    (one,) = tell(org)["charges_usage"]
    assert [part["units"] for part in one["grouped_usage"]] == ["3.0", "1.0"]
    assert one["total_aggregated_units"] == "2.3"
    assert one["amount_cents"] == 400


def test_a_target_wallet_is_a_group(org: Org) -> None:
    sold(org, {"accepts_target_wallet": True})
    use(org, {"target_wallet_code": "blue", "value": 1}, {"value": 2})
    (one,) = tell(org)["charges_usage"]
    assert [(part["grouped_by"], part["units"]) for part in one["grouped_usage"]] == [
        ({"target_wallet_code": None}, "2.0"),
        ({"target_wallet_code": "blue"}, "1.0"),
    ]


BREAKDOWNS = [
    {"value": "region", "options": {"display_in_invoice": True}},
    {"value": "host"},
]


def test_breakdowns_show_units_and_change_no_price(org: Org) -> None:
    ranges = [
        {"from_value": 0, "to_value": 2, "per_unit_amount": "1", "flat_amount": "0"},
        {"from_value": 3, "to_value": None, "per_unit_amount": "0.5", "flat_amount": "0"},
    ]
    properties = {
        "graduated_ranges": ranges,
        "pricing_group_keys": ["team"],
        "presentation_group_keys": BREAKDOWNS,
    }
    sold(org, {}, model="graduated", properties=properties)
    use(
        org,
        {"team": "a", "region": "us", "host": "h1", "value": 2},
        {"team": "a", "region": "us", "host": "h2", "value": 1},
        {"team": "a", "region": "eu", "host": "h1", "value": 3},
        {"team": "b", "value": 1},
    )
    (one,) = tell(org)["charges_usage"]
    assert one["amount_cents"] == 400 + 100
    first, second = one["grouped_usage"]
    assert first["presentation_breakdowns"] == [
        {"presentation_by": {"region": "eu", "host": "h1"}, "units": "3.0"},
        {"presentation_by": {"region": "us", "host": "h1"}, "units": "2.0"},
        {"presentation_by": {"region": "us", "host": "h2"}, "units": "1.0"},
    ]
    nowhere = {"presentation_by": {"region": "", "host": ""}, "units": "1.0"}
    assert second["presentation_breakdowns"] == [nowhere]
    assert len(one["presentation_breakdowns"]) == 4
    for query in ("filter_by_presentation=host", 'filter_by_presentation=["host"]'):
        (one,) = tell(org, query)["charges_usage"]
        assert one["amount_cents"] == 500
        assert one["presentation_breakdowns"] == [
            {"presentation_by": {"host": ""}, "units": "1.0"},
            {"presentation_by": {"host": "h1"}, "units": "5.0"},
            {"presentation_by": {"host": "h2"}, "units": "1.0"},
        ]
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    shown = {
        str(fee["item"]["grouped_by"]): fee["presentation_breakdowns"]
        for fee in only_invoice(org)["fees"]
    }
    assert shown["{'team': 'a'}"] == [
        {"presentation_by": {"region": "eu"}, "units": "3.0"},
        {"presentation_by": {"region": "us"}, "units": "3.0"},
    ]
    assert shown["{'team': 'b'}"] == [{"presentation_by": {"region": ""}, "units": "1.0"}]


def test_one_group_is_asked_for(org: Org) -> None:
    properties = {"amount": "1", "pricing_group_keys": ["team", "user"]}
    sold(org, {}, properties=properties)
    use(
        org,
        {"team": "a", "user": "1", "value": 1},
        {"team": "a", "user": 2, "value": 2},
        {"team": "b", "user": "1", "value": 4},
    )
    for query, units, groups in (
        ("group[team]=a", "3.0", [{"user": "1"}, {"user": "2"}]),
        ('group={"team":"a"}', "3.0", [{"user": "1"}, {"user": "2"}]),
        ('filter_by_group={"team":["a","b"]}', "7.0", [{"user": "1"}, {"user": "2"}]),
        ("group[user][]=1&group[user][]=2", "7.0", [{"team": "a"}, {"team": "b"}]),
        ("group[team]=a&group[user]=2", "2.0", []),
        ("group[team]=nobody", "0.0", [{"user": None}]),
        ("skip_grouping=true", "7.0", []),
        ("group=nonsense", "7.0", None),
    ):
        (one,) = tell(org, query)["charges_usage"]
        assert one["units"] == units, query
        if groups is not None:
            assert [part["grouped_by"] for part in one["grouped_usage"]] == groups, query
    assert tell(org, "group[planet]=mars")["charges_usage"] == []


def test_charges_are_asked_for_by_any_name(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    zebra, apple = add_metric(org, "zebra"), add_metric(org, "Apple")
    prices = {"amount": "1"}
    charges = [charge(zebra, "standard", prices), charge(apple, "standard", prices, code="second")]
    first, _ = add_plan(org, charges=charges)["charges"]
    subscribe(org)
    names = [one["billable_metric"]["name"] for one in tell(org)["charges_usage"]]
    assert names == ["Apple", "zebra"]
    for query in (
        f"charge_id={first['lago_id']}",
        f"filter_by_charge_id={first['lago_id']}&charge_id=",
        "charge_code=zebra",
        "filter_by_charge_code=zebra&charge_code=%20",
        "billable_metric_code=zebra",
        "filter_by_metric_code=zebra",
        f"charge_id={first['lago_id']}&charge_code=second",
    ):
        (one,) = tell(org, query)["charges_usage"]
        assert one["charge"]["code"] == "zebra", query
    for query in ("charge_id=none", "charge_code=none", "billable_metric_code=none"):
        assert tell(org, query, status=404)["code"] == "charge_not_found"


def test_all_usage_since_the_start(org: Org) -> None:
    sold(org, {}, properties={"amount": "1", "pricing_group_keys": ["team"]})
    use(org, {"team": "a", "value": 1})
    org.clock("2026-03-05T00:00:00Z", catch_up=True)
    use(org, {"team": "a", "value": 2})
    assert tell(org)["amount_cents"] == 200
    for query in ("charge_code=usage", "group[team]=a"):
        usage = tell(org, f"full_usage=true&{query}")
        assert usage["amount_cents"] == 300
        assert usage["from_datetime"] == "2026-01-01T00:00:00Z"
        assert usage["to_datetime"] == "2026-03-31T23:59:59Z"
    refusal = tell(org, "full_usage=true", status=405)
    assert refusal["code"] == "full_usage_not_allowed"


def test_prorated_usage_since_the_start_has_no_meaning(org: Org) -> None:
    sold(org, {"prorated": True}, metric={"recurring": True})
    refusal = tell(org, "full_usage=true&charge_code=usage", status=405)
    assert refusal["code"] == "full_usage_not_allowed"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nobody/current_usage?external_subscription_id=s1", 404, "customer_not_found"),
        ("c1/current_usage?external_subscription_id=other", 405, "no_active_subscription"),
        ("c1/current_usage", 405, "no_active_subscription"),
        ("nobody/projected_usage?external_subscription_id=s1", 404, "customer_not_found"),
        ("c1/projected_usage", 405, "no_active_subscription"),
    ],
)
def test_what_is_refused(org: Org, path: str, status: int, code: str) -> None:
    sold(org, {})
    assert org.get(f"/customers/{path}", status=status)["code"] == code


def test_filters_of_others_change_nothing_here(org: Org) -> None:
    """Another plan's groups make the meter finer; this plan's usage stays the same."""
    sold(org, {})
    use(org, {"team": "a", "value": 1}, {"team": "b", "value": 2})
    before = tell(org)
    metric_id = before["charges_usage"][0]["billable_metric"]["lago_id"]
    prices = {"amount": "1", "pricing_group_keys": ["team"]}
    add_plan(org, "other", charges=[charge(metric_id, "standard", prices)])
    assert tell(org) == before
    subscribe(org, "other", "s2")
    use(org, {"team": "c", "value": 4})
    assert tell(org)["amount_cents"] == 700
