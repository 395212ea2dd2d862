"""Expressions at ingestion: the value is computed once, and stored in its property."""

import pytest

from tests.support.billing import (
    add_metric,
    add_plan,
    charge,
    current_usage,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org

FAILED = "expression_evaluation_failed: "


def test_the_value_is_stored_in_its_property(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(
        org, "usage", expression="round(event.properties.a * event.properties.b, 2)"
    )
    add_plan(org, amount_cents=0, charges=[charge(metric_id, "standard", {"amount": "1"})])
    subscribe(org)
    sent = {"a": "1.5", "value": "forged", "b": 3.111, "kept": [1, None, {"c": 2.50}]}
    stored = org.post("/events", {"event": usage_event("t1", properties=sent)})["event"]
    assert stored["properties"] == {**sent, "b": stored["properties"]["b"], "value": "4.67"}
    assert org.get("/events/t1")["event"] == stored
    batch = [usage_event("t2", properties={"a": 1, "b": 2}), usage_event("t3", code="plain")]
    found = org.post("/events/batch", {"events": batch})["events"]
    assert found[0]["properties"] == {"a": 1, "b": 2, "value": "2.0"}
    assert found[1]["properties"] == {"value": "1"}
    assert current_usage(org)["amount_cents"] == 667


@pytest.mark.parametrize(
    ("expression", "properties", "told"),
    [
        ("event.properties.b + 1", {"a": 1}, "Variable: b not found"),
        ("event.properties.a + 1", {"a": "x"}, "Expected a decimal"),
        ("1 / event.properties.a", {"a": 0}, "Division by zero"),
    ],
)
def test_failures_are_told_in_one_text(
    org: Org, expression: str, properties: dict[str, object], told: str
) -> None:
    add_metric(org, "usage", expression=expression)
    event = usage_event("t1", properties=properties)
    assert org.post("/events", {"event": event}, 422)["error_details"] == FAILED + told
    batch = [usage_event("t2", code="other"), event, usage_event("", code="usage")]
    assert org.post("/events/batch", {"events": batch}, 422)["error_details"] == {
        "1": FAILED + told,
        "2": {"transaction_id": ["value_is_mandatory"]},
    }
    assert org.get("/events")["meta"]["total_count"] == 0


def test_a_change_of_the_metric_holds_for_the_next_event(org: Org) -> None:
    add_metric(org, "usage", expression="event.properties.a + 1")

    def value(name: str) -> object:
        event = usage_event(name, properties={"a": 1, "value": "own"})
        return org.post("/events", {"event": event})["event"]["properties"].get("value")

    assert value("t1") == "2.0"
    change = {"billable_metric": {"expression": "event.properties.a * 10"}}
    org.put("/billable_metrics/usage", change)
    assert value("t2") == "10.0"
    org.put("/billable_metrics/usage", {"billable_metric": {"field_name": "other"}})
    event = usage_event("t3", properties={"a": 1})
    assert org.post("/events", {"event": event})["event"]["properties"] == {
        "a": 1,
        "other": "10.0",
    }
    org.delete("/billable_metrics/usage")
    assert value("t4") == "own"
    add_metric(org, "usage", expression="event.code")
    assert value("t5") == "usage"
