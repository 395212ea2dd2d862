"""Trying expressions out before a metric uses them."""

import json
from typing import Any

import pytest
from lago_python_client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models.billable_metric import (
    BillableMetricEvaluateExpression,
    BillableMetricEvaluateExpressionEvent,
)

from tests.support.gateway import Gateway, Org

PATH = "/billable_metrics/evaluate_expression"


@pytest.fixture(scope="module")
def org(gateway: Gateway) -> Org:
    """Return an organization whose time stands still."""
    made = gateway.organization("Expressions")
    made.clock("2026-01-01T00:00:00Z")
    return made


def value(org: Org, expression: str, properties: Any = None, **event: Any) -> Any:
    sent = {"code": "tokens", "properties": properties or {}, **event}
    answer = org.post(PATH, {"expression": expression, "event": sent})
    assert answer.keys() == {"expression_result"}
    assert answer["expression_result"].keys() == {"value"}
    return answer["expression_result"]["value"]


def refused(org: Org, body: Any) -> Any:
    answer = org.post(PATH, body, 422)
    assert answer["code"] == "validation_errors"
    return answer["error_details"]


def test_an_expression_is_evaluated(org: Org) -> None:
    assert value(org, "event.properties.a + event.properties.b", {"a": "1.5", "b": 0.5}) == "2.0"
    assert value(org, "round(event.properties.ms / 1000, 1)", {"ms": 1550}) == "1.6"
    assert value(org, "concat(event.code, '-', event.properties.k)", {"k": "007"}) == "tokens-007"


def test_timestamps_are_those_of_events(org: Org) -> None:
    assert value(org, "event.timestamp") == "1767225600.0"
    assert value(org, "event.timestamp", timestamp=None) == "1767225600.0"
    assert value(org, "event.timestamp", timestamp=1780586634.9) == "1780586634.0"
    assert value(org, "event.timestamp", timestamp="1780586634.9") == "1780586634.0"


@pytest.mark.parametrize("expression", [None, "", "   ", 12, ["1"], {"a": 1}], ids=json.dumps)
def test_an_expression_is_mandatory(org: Org, expression: Any) -> None:
    body = {"expression": expression, "event": {"code": "x"}}
    assert refused(org, body) == {"expression": ["value_is_mandatory"]}


@pytest.mark.parametrize("body", [{}, [], 1, "x", None])
def test_a_body_without_parts(org: Org, body: Any) -> None:
    assert refused(org, body) == {"expression": ["value_is_mandatory"]}


@pytest.mark.parametrize(
    "expression",
    ["1 +", "--1", "event.nope", "round(1, 2, 3)", "(" * 5000, "1+" * 5000 + "1", "'\0'"],
    ids=lambda sent: sent[:20],
)
def test_an_expression_must_be_one(org: Org, expression: str) -> None:
    body = {"expression": expression, "event": {"code": "x"}}
    assert refused(org, body) == {"expression": ["invalid_expression"]}
    assert refused(org, {"expression": expression}) == {"expression": ["invalid_expression"]}


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "event",
        {"code": ""},
        {"code": "x" * 256},
        {"code": "x"},
        {"code": "x", "properties": [1]},
        {"code": "x", "properties": {"n": None}},
        {"code": "x", "properties": {"n": "many"}},
        {"code": "x", "properties": {"n": True}},
        {"code": "x", "properties": {"n": "9" * 500}},
        {"code": "x", "properties": {"n": "\0"}},
        {"code": "x", "properties": {"n": 0}},
        {"code": "x", "timestamp": "2026-01-01T00:00:00Z", "properties": {"n": 1}},
        {"code": "x", "timestamp": 10**20, "properties": {"n": 1}},
    ],
    ids=lambda sent: json.dumps(sent)[:50],
)
def test_an_event_must_have_what_it_needs(org: Org, event: Any) -> None:
    body = {"expression": "1 / event.properties.n", "event": event}
    assert refused(org, body) == {"event": ["invalid_event"]}


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        (b'{"n": 1e999999999}', 422),
        (b'{"n": -1e-999999999}', 422),
        (b'{"other": {"deep": 1e999999999}, "n": 1}', 422),
        (b'{"n": ' + b"9" * 5000 + b"}", 422),
        (b'{"n": ' + b"[" * 500 + b"]" * 500 + b"}", 422),
        (b'{"n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"n": "\\ud800"}', 400),
        (b'{"n": "\xff"}', 400),
        (b'{"n": 1,}', 400),
        (b"", 400),
    ],
    ids=lambda sent: str(sent)[:40],
)
def test_properties_that_nothing_could_hold(org: Org, properties: bytes, status: int) -> None:
    body = b'{"expression": "event.properties.n", "event": {"code": "x", "properties": %b}}'
    answer = org.http.post(PATH, content=body.replace(b"%b", properties))
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["error_details"] == {"event": ["invalid_event"]}


def test_nothing_is_stored(org: Org) -> None:
    value(org, "event.properties.n", {"n": 1}, transaction_id="tried")
    assert org.get("/events/tried", 404)["code"] == "event_not_found"
    assert org.get("/billable_metrics")["meta"]["total_count"] == 0


def test_it_needs_a_key_that_may_write(gateway: Gateway, org: Org) -> None:
    narrow = {"api_key": {"name": "Reader", "permissions": {"billable_metric": ["read"]}}}
    made = gateway.admin("POST", f"/organizations/{org.id}/api_keys", narrow)["api_key"]
    for key, status in (("nobody", 401), (made["value"], 403)):
        headers = {"Authorization": f"Bearer {key}"}
        assert org.http.post(PATH, json={}, headers=headers).status_code == status


def test_the_published_client_sends_no_body(org: Org) -> None:
    client = Client(api_key=org.key, api_url=org.url)
    asked = BillableMetricEvaluateExpression(
        expression="1",
        event=BillableMetricEvaluateExpressionEvent(code="x", timestamp=1, properties={}),
    )
    with pytest.raises(LagoApiError) as failed:
        client.billable_metrics.evaluate_expression(asked)
    assert failed.value.status_code == 422
    assert failed.value.response["error_details"] == {"expression": ["value_is_mandatory"]}
