"""Billable metrics: every aggregation, every rule, and filters that charges look at."""

from typing import Any

import pytest

from tests.support.billing import add_metric, add_plan, charge
from tests.support.gateway import Gateway, Org

REGIONS = {"key": "region", "values": ["us", "eu"]}
TIERS = {"key": "tier", "values": ["gold"]}


def refused(org: Org, **fields: Any) -> dict[str, list[str]]:
    """Return why a metric is refused; it is a sum over `value` but for these fields."""
    metric = {"name": "M", "code": "m", "aggregation_type": "sum_agg", "field_name": "value"}
    answer = org.post("/billable_metrics", {"billable_metric": {**metric, **fields}}, 422)
    assert answer["code"] == "validation_errors"
    details: dict[str, list[str]] = answer["error_details"]
    return details


AGGREGATIONS: dict[str, dict[str, Any]] = {
    "count_agg": {},
    "sum_agg": {"field_name": "v", "recurring": True},
    "max_agg": {"field_name": "v"},
    "unique_count_agg": {"field_name": "v", "recurring": True},
    "latest_agg": {"field_name": "v"},
    "weighted_sum_agg": {"field_name": "v", "recurring": True, "weighted_interval": "seconds"},
}


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_every_aggregation(org: Org, aggregation: str) -> None:
    metric = {
        "name": "M",
        "code": "m",
        "aggregation_type": aggregation,
        "rounding_function": "ceil",
        "rounding_precision": -2,
        **AGGREGATIONS[aggregation],
    }
    made = org.post("/billable_metrics", {"billable_metric": metric})["billable_metric"]
    assert metric.items() <= made.items()
    assert org.get("/billable_metrics/m")["billable_metric"] == made


def test_a_count_has_no_field(org: Org) -> None:
    add_metric(org, "calls", "count_agg", field_name="value")
    assert org.get("/billable_metrics/calls")["billable_metric"]["field_name"] is None


def test_custom_aggregations_are_not_available(org: Org) -> None:
    metric = {"name": "M", "code": "m", "aggregation_type": "custom_agg"}
    answer = org.post("/billable_metrics", {"billable_metric": metric}, 403)
    assert answer == {"status": 403, "error": "Forbidden", "code": "feature_unavailable"}
    add_metric(org, "usage")
    change = {"billable_metric": {"aggregation_type": "custom_agg"}}
    org.put("/billable_metrics/usage", change, 403)
    assert org.get("/billable_metrics/usage")["billable_metric"]["aggregation_type"] == "sum_agg"


@pytest.mark.parametrize("aggregation", ["count_agg", "max_agg", "latest_agg"])
def test_what_cannot_be_carried_over(org: Org, aggregation: str) -> None:
    assert refused(org, aggregation_type=aggregation, recurring=True) == {
        "recurring": ["not_compatible_with_aggregation_type"]
    }


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"field_name": None}, {"field_name": ["value_is_mandatory"]}),
        ({"field_name": ""}, {"field_name": ["value_is_mandatory"]}),
        (
            {"aggregation_type": "weighted_sum_agg"},
            {"weighted_interval": ["value_is_mandatory"]},
        ),
        ({"weighted_interval": "days"}, {"weighted_interval": ["value_is_invalid"]}),
        ({"rounding_function": "truncate"}, {"rounding_function": ["value_is_invalid"]}),
        ({"rounding_precision": 21}, {"rounding_precision": ["value_is_out_of_range"]}),
        ({"rounding_precision": "much"}, {"rounding_precision": ["value_is_invalid"]}),
        ({"expression": "1 +"}, {"expression": ["invalid_expression"]}),
        ({"expression": "__import__('os')"}, {"expression": ["invalid_expression"]}),
        ({"filters": [{"key": "region"}]}, {"values": ["value_is_mandatory"]}),
        ({"filters": [{"key": "region", "values": []}]}, {"values": ["value_is_mandatory"]}),
        ({"filters": [{"key": "region", "values": [""]}]}, {"values": ["value_is_mandatory"]}),
        ({"filters": [{"key": "region", "values": "us"}]}, {"values": ["value_is_mandatory"]}),
        ({"filters": [{"values": ["us"]}]}, {"key": ["value_is_mandatory"]}),
        ({"filters": ["region"]}, {"filters.0": ["value_is_invalid"]}),
    ],
)
def test_metrics_that_are_refused(
    org: Org, fields: dict[str, Any], details: dict[str, list[str]]
) -> None:
    assert refused(org, **fields) == details
    assert org.get("/billable_metrics")["meta"]["total_count"] == 0


def test_an_expression_is_kept(org: Org) -> None:
    expression = "round(event.properties.a * 1.5, 2)"
    add_metric(org, "usage", expression=expression)
    assert org.get("/billable_metrics/usage")["billable_metric"]["expression"] == expression
    cleared = org.put("/billable_metrics/usage", {"billable_metric": {"expression": None}})
    assert cleared["billable_metric"]["expression"] is None


def test_filters_are_shown_sorted_and_replaced(org: Org) -> None:
    add_metric(org, "usage", filters=[REGIONS, TIERS, {"key": "size", "values": [2, 1, 1]}])
    found = org.get("/billable_metrics/usage")["billable_metric"]["filters"]
    assert found == [
        {"key": "region", "values": ["eu", "us"]},
        {"key": "tier", "values": ["gold"]},
        {"key": "size", "values": ["1", "2"]},
    ]
    changed = org.put("/billable_metrics/usage", {"billable_metric": {"filters": [TIERS]}})
    assert changed["billable_metric"]["filters"] == [TIERS]
    same = org.put("/billable_metrics/usage", {"billable_metric": {"name": "N"}})
    assert same["billable_metric"]["filters"] == [TIERS]
    none = org.put("/billable_metrics/usage", {"billable_metric": {"filters": []}})
    assert none["billable_metric"]["filters"] == []


def test_an_attached_metric_changes_name_description_and_filters_only(org: Org) -> None:
    metric_id = add_metric(org, "usage", filters=[REGIONS])
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "1"})])
    before = org.get("/billable_metrics/usage")["billable_metric"]
    change = {
        "name": "New",
        "description": "Other",
        "filters": [TIERS],
        "code": "other",
        "aggregation_type": "count_agg",
        "field_name": "x",
        "recurring": True,
        "rounding_function": "floor",
        "expression": "1 +",
    }
    after = org.put("/billable_metrics/usage", {"billable_metric": change})["billable_metric"]
    assert after == {**before, "name": "New", "description": "Other", "filters": [TIERS]}
    org.put("/plans/basic", {"plan": {"charges": []}})
    freed = org.put("/billable_metrics/usage", {"billable_metric": {"code": "other"}})
    assert freed["billable_metric"]["code"] == "other", "a metric no plan prices is free again"


def test_values_that_go_are_trimmed_out_of_charge_filters(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    metric_id = add_metric(org, "usage", filters=[REGIONS, TIERS])
    wanted = [
        {"region": ["us", "eu"], "tier": ["gold"]},
        {"region": ["us"]},
        {"region": ["us"], "tier": ["__ALL_FILTER_VALUES__"]},
        {"tier": ["gold"]},
    ]
    filters = [{"values": values, "properties": {"amount": "2"}} for values in wanted]
    add_plan(org, charges=[charge(metric_id, "standard", {"amount": "1"}, filters=filters)])
    smaller = {"filters": [{"key": "region", "values": ["eu", "asia"]}, TIERS]}
    org.put("/billable_metrics/usage", {"billable_metric": smaller})
    (shown,) = org.get("/plans/basic")["plan"]["charges"]
    assert [one["values"] for one in shown["filters"]] == [
        {"region": ["eu"], "tier": ["gold"]},
        {"tier": ["__ALL_FILTER_VALUES__"]},
        {"tier": ["gold"]},
    ]
    org.put("/billable_metrics/usage", {"billable_metric": {"filters": []}})
    (shown,) = org.get("/plans/basic")["plan"]["charges"]
    assert shown["filters"] == []
