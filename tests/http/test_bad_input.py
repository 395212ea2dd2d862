"""What cannot be understood is refused exactly, and leaves nothing behind."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.http.bad import BATCHES, FIELDS, NOW, PRICES, REFERENCES, event, metric, plan
from tests.support.gateway import Gateway, Org

LISTS = (
    "/billable_metrics",
    "/customers",
    "/events",
    "/fees",
    "/invoices",
    "/plans",
    "/subscriptions?status[]=active&status[]=pending&status[]=terminated",
    "/taxes",
    "/webhook_endpoints",
)
LIMIT_BYTES = 10 * 1024 * 1024
MISSING = "BadRequest: param is missing or the value is empty or invalid: "
MALFORMED = "BadRequest: the body is not valid JSON"


@pytest.fixture(scope="module")
def org(gateway: Gateway) -> Org:
    """Return an organization with one of everything that bodies refer to."""
    made = gateway.organization("Careful")
    made.clock(NOW)
    metric = {"name": "Calls", "code": "calls", "aggregation_type": "sum_agg", "field_name": "n"}
    made.post("/billable_metrics", {"billable_metric": metric})
    plan = {
        "name": "P",
        "code": "p",
        "interval": "monthly",
        "amount_cents": 100,
        "amount_currency": "EUR",
        "pay_in_advance": False,
    }
    made.post("/plans", {"plan": plan})
    made.post("/customers", {"customer": {"external_id": "c"}})
    subscription = {"external_customer_id": "c", "external_id": "s", "plan_code": "p"}
    made.post("/subscriptions", {"subscription": subscription})
    made.post("/events", {"event": event("first")})
    made.drain()
    return made


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_written(org: Org) -> Iterator[None]:
    before = totals(org)
    yield
    assert totals(org) == before, "something that was refused was stored"


def totals(org: Org) -> dict[str, int]:
    return {path: org.get(path)["meta"]["total_count"] for path in LISTS}


def charged(org: Org, model: str, properties: Any) -> dict[str, Any]:
    metric_id = org.get("/billable_metrics/calls")["billable_metric"]["lago_id"]
    charge = {
        "billable_metric_id": metric_id,
        "charge_model": model,
        "properties": properties,
    }
    return plan(charges=[charge])


def send(org: Org, path: str, body: bytes, method: str = "POST") -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return org.http.request(method, path, content=body, headers=headers)


def invalid(answer: httpx.Response) -> Any:
    """Return the details of a 422."""
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body.keys() == {"status", "error", "code", "error_details"}
    assert (body["error"], body["code"]) == ("Unprocessable Entity", "validation_errors")
    return body["error_details"]


BODY = {
    "/customers": b'{"customer": {"external_id": VALUE}}',
    "/events": b'{"event": {"transaction_id": "x", "code": VALUE}}',
    "/events/batch": b'{"events": [{"transaction_id": "x", "code": VALUE}]}',
}
NOT_VALUES = {
    "nothing": b"",
    "a trailing comma": b'"x",',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "not UTF-8": b'"\xff"',
    "a lone surrogate": b'"\\ud800"',
    "single quotes": b"'x'",
    "a control character": b'"\x01"',
    "deep": b"[" * 100_000,
    "a leading zero": b"01",
}


@pytest.mark.parametrize("name", NOT_VALUES)
@pytest.mark.parametrize("path", BODY)
def test_malformed_json(org: Org, path: str, name: str) -> None:
    answer = send(org, path, BODY[path].replace(b"VALUE", NOT_VALUES[name]))
    assert answer.status_code == 400, answer.text
    assert answer.json() == {"status": 400, "error": MALFORMED}


@pytest.mark.parametrize("path", BODY)
def test_more_than_one_json_value(org: Org, path: str) -> None:
    answer = send(org, path, BODY[path].replace(b"VALUE", b'"x"') + b"{}")
    assert answer.status_code == 400, answer.text
    assert answer.json() == {"status": 400, "error": MALFORMED}


ROOTLESS = {
    "no body": b"",
    "empty object": b"{}",
    "other root": b'{"other": {"external_id": "x"}}',
    "empty root": b'{"ROOT": {}}',
    "null root": b'{"ROOT": null}',
    "list root": b'{"ROOT": []}',
    "text root": b'{"ROOT": "x"}',
    "number root": b'{"ROOT": 1}',
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
}
ROOTS = {
    "/billable_metrics": "billable_metric",
    "/customers": "customer",
    "/events": "event",
    "/plans": "plan",
    "/subscriptions": "subscription",
    "/taxes": "tax",
    "/webhook_endpoints": "webhook_endpoint",
}


@pytest.mark.parametrize("name", ROOTLESS)
@pytest.mark.parametrize("path", ROOTS)
def test_missing_root(org: Org, path: str, name: str) -> None:
    root = ROOTS[path]
    answer = send(org, path, ROOTLESS[name].replace(b"ROOT", root.encode()))
    assert answer.status_code == 400, answer.text
    assert answer.json() == {"status": 400, "error": MISSING + root}


@pytest.mark.parametrize("name", FIELDS)
def test_bad_fields(org: Org, name: str) -> None:
    path, body, details = FIELDS[name]
    assert invalid(org.http.post(path, json=body)) == details


@pytest.mark.parametrize("name", PRICES)
def test_bad_prices(org: Org, name: str) -> None:
    model, properties, codes = PRICES[name]
    details = invalid(org.http.post("/plans", json=charged(org, model, properties)))
    (found,) = details.values()
    assert found == codes


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "-1" + "0" * 400])
@pytest.mark.parametrize("path", ["/taxes", "/plans", "/events"])
def test_numbers_that_fit_nowhere(org: Org, path: str, number: str) -> None:
    bodies = {
        "/taxes": '{"tax": {"name": "x", "code": "x", "rate": %s}}',
        "/plans": json.dumps(plan(amount_cents=123456)).replace("123456", "%s"),
        "/events": json.dumps({"event": event("x", timestamp=123456)}).replace("123456", "%s"),
    }
    answer = send(org, path, (bodies[path] % number).encode())
    if answer.status_code == 400:
        assert answer.json()["error"] == MALFORMED
    else:
        (field,) = invalid(answer)
        assert field in {"rate", "amount_cents", "timestamp"}


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_not_there(org: Org, name: str) -> None:
    method, path, body, code = REFERENCES[name]
    answer = org.http.request(method, path, json=body)
    assert answer.status_code == 404, answer.text
    assert answer.json() == {"status": 404, "error": "Not Found", "code": code}


def test_what_belongs_to_others_is_not_there(gateway: Gateway, org: Org) -> None:
    other = gateway.organization("Other")
    tax = {"name": "x", "code": "x", "rate": 1}
    other.post("/taxes", {"tax": tax})
    endpoint = {"webhook_endpoint": {"webhook_url": "http://192.0.2.1/"}}
    endpoint_id = other.post("/webhook_endpoints", endpoint)["webhook_endpoint"]["lago_id"]
    made = other.post("/billable_metrics", metric(code="theirs"))["billable_metric"]
    other.post("/events", {"event": event("theirs")})
    for path in ("/taxes/x", "/billable_metrics/theirs", f"/webhook_endpoints/{endpoint_id}"):
        assert org.get(path, status=404)["error"] == "Not Found"
        assert org.delete(path, status=404)["error"] == "Not Found"
    assert org.get("/events/theirs", status=404)["code"] == "event_not_found"
    charge = {"billable_metric_id": made["lago_id"], "charge_model": "standard"}
    refused = org.post("/plans", plan(charges=[charge]), status=404)
    assert refused["code"] == "billable_metrics_not_found"
    assert other.get("/taxes/x")["tax"]["code"] == "x"


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_stored_whole_or_not_at_all(org: Org, name: str) -> None:
    events, details = BATCHES[name]
    assert invalid(org.http.post("/events/batch", json={"events": events})) == details
    assert org.get("/events/b1", status=404)["code"] == "event_not_found"


@pytest.mark.parametrize("path", ["/customers", "/events", "/events/batch"])
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_over_the_limit(org: Org, path: str, *, is_declared: bool) -> None:
    body = b'{"customer": {"external_id": "' + b"x" * LIMIT_BYTES + b'"}}'
    content: Any = body if is_declared else iter([body[:LIMIT_BYTES], body[LIMIT_BYTES:]])
    answer = org.http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, answer.text
    found = answer.json()
    assert (found["status"], found["error"], found["code"]) == (
        413,
        "Content Too Large",
        "request_too_large",
    )


FILTERS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "status of invoices": (
        "/invoices?status=lost",
        {"status": ["must be one of: draft, finalized, voided, failed, pending"]},
    ),
    "amount of invoices": ("/invoices?amount_from=x", {"amount_from": ["must be an integer"]}),
    "type of customers": (
        "/customers?customer_type=robot",
        {"customer_type": ["must be one of: company, individual"]},
    ),
    "instant of fees": ("/fees?created_at_from=soon", {"created_at_from": ["invalid_date"]}),
    "instant of events": ("/events?timestamp_to=soon", {"timestamp_to": ["invalid_date"]}),
    "NUL": ("/fees?currency=%00", {"currency": ["value_is_invalid"]}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_bad_filters(org: Org, name: str) -> None:
    path, details = FILTERS[name]
    assert invalid(org.http.get(path)) == details


@pytest.mark.parametrize(
    ("query", "page", "rows"),
    [
        ("page=x", 1, 100),
        ("page=-1", 1, 100),
        ("page=0", 1, 100),
        ("per_page=0", 1, 100),
        ("per_page=x", 1, 25),
        ("per_page=-5", 1, 25),
        ("per_page=99999", 1, 1000),
        (f"page={'9' * 40}", 1, 100),
    ],
)
def test_nonsense_pages_fall_back(org: Org, query: str, page: int, rows: int) -> None:
    answer = org.get(f"/plans?{query}")
    assert answer["meta"]["current_page"] == page
    assert len(answer["plans"]) == min(rows, answer["meta"]["total_count"])


AUTHORIZATIONS = ["", "Bearer", "Bearer nope", f"Bearer {UUID(int=7)}", "Basic eDp5"]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
@pytest.mark.parametrize("path", ["/customers", "/events", "/events/batch"])
def test_no_key_no_answer(org: Org, path: str, authorization: str) -> None:
    headers = {"Authorization": authorization}
    answer = org.http.post(path, content=b"{", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"status": 401, "error": "Unauthorized"}


def test_the_admin_key_opens_only_with_its_own_header(gateway: Gateway, org: Org) -> None:
    url = f"{gateway.url}/admin/organizations/{org.id}"
    for headers in ({}, {"X-Admin-API-Key": org.key}, {"Authorization": gateway.admin_key}):
        answer = httpx.get(url, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"status": 401, "error": "Unauthorized"}
    assert gateway.admin("GET", f"/organizations/{UUID(int=7)}", status=404)["code"] == (
        "organization_not_found"
    )
