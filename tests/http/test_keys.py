"""API keys: shown once, narrowed, expiring, rotated and revoked everywhere at once."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from billing_core.clock import monotonic, wall_now
from tests.support.billing import usage_event
from tests.support.gateway import Gateway, Org
from tests.support.waiting import until

SECONDS_TO_REVOKE = 1
UNKNOWN = {"status": 401, "error": "Unauthorized"}


@pytest.fixture
def real(gateway: Gateway) -> Org:
    """Return an organization in real time: its keys are remembered for a moment."""
    return gateway.organization(sandbox=False)


def add_key(gateway: Gateway, org: Org, **fields: Any) -> dict[str, Any]:
    """Create a key by the admin."""
    body = {"api_key": {"name": "Second", **fields}}
    made: dict[str, Any] = gateway.admin("POST", f"/organizations/{org.id}/api_keys", body)
    key: dict[str, Any] = made["api_key"]
    return key


def status(org: Org, key: str, method: str = "GET", path: str = "/plans", body: Any = None) -> int:
    """Send a request with a key; return the status."""
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{org.url}/api/v1{path}"
    return httpx.request(method, url, json=body, headers=headers).status_code


def test_a_value_is_shown_once(gateway: Gateway, real: Org) -> None:
    made = add_key(gateway, real)
    assert status(real, made["value"]) == 200
    listed = gateway.admin("GET", f"/organizations/{real.id}/api_keys")["api_keys"]
    assert [one["name"] for one in listed if one["lago_id"] == made["lago_id"]] == ["Second"]
    for one in listed:
        assert made["value"] not in one["value"]
        assert real.key not in one["value"]
        assert one["value"].endswith((made["value"][-3:], real.key[-3:]))
    assert len(listed) == 2


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer no-such-key", "Bearer a b c"])
def test_keys_nobody_has(real: Org, header: str) -> None:
    headers = {"Authorization": header.strip()} if header else {}
    for method, path in (("GET", "/plans"), ("POST", "/events"), ("POST", "/events/batch")):
        answer = httpx.request(method, f"{real.url}/api/v1{path}", headers=headers)
        assert (answer.status_code, answer.json()) == (401, UNKNOWN)


def test_the_word_before_the_key_is_not_looked_at(real: Org) -> None:
    for word in ("bearer", "Token", "Basic"):
        headers = {"Authorization": f"{word} {real.key}"}
        assert httpx.get(f"{real.url}/api/v1/plans", headers=headers).status_code == 200


def test_a_revoked_key_ends_within_a_second(gateway: Gateway, real: Org) -> None:
    made = add_key(gateway, real)
    event = {"event": usage_event("t1")}
    assert status(real, made["value"], "POST", "/events", event) == 200
    assert status(real, made["value"]) == 200
    gateway.admin("DELETE", f"/organizations/{real.id}/api_keys/{made['lago_id']}")
    revoked = monotonic()
    until(lambda: status(real, made["value"]) == 401, "the revoked key still reads")
    until(
        lambda: status(real, made["value"], "POST", "/events", {"event": usage_event("t1")}) == 401,
        "the revoked key still writes",
    )
    # requests themselves take their time, on a busy machine too
    assert monotonic() - revoked < SECONDS_TO_REVOKE + 2
    assert status(real, real.key) == 200


def test_a_revoked_key_stays_revoked(gateway: Gateway, real: Org) -> None:
    made = add_key(gateway, real)
    path = f"/organizations/{real.id}/api_keys/{made['lago_id']}"
    gateway.admin("DELETE", path)
    later = (wall_now() + timedelta(hours=1)).isoformat()
    successor = gateway.admin("POST", f"{path}/rotate", {"expires_at": later})["api_key"]
    assert status(real, successor["value"]) == 200
    assert status(real, made["value"]) == 401


def test_a_key_expires(gateway: Gateway, real: Org) -> None:
    soon = add_key(gateway, real, expires_at=(wall_now() + timedelta(seconds=3)).isoformat())
    late = add_key(gateway, real, expires_at="2020-01-01T00:00:00Z")
    assert status(real, late["value"]) == 401
    assert status(real, soon["value"]) == 200
    until(lambda: status(real, soon["value"]) == 401, "the key does not expire")


def test_a_key_is_rotated(gateway: Gateway, real: Org) -> None:
    old = add_key(gateway, real)
    path = f"/organizations/{real.id}/api_keys/{old['lago_id']}/rotate"
    later = (wall_now() + timedelta(hours=1)).isoformat()
    successor = gateway.admin("POST", path, {"expires_at": later})["api_key"]
    assert successor["value"] != old["value"]
    assert status(real, old["value"]) == 200
    assert status(real, successor["value"]) == 200
    path = f"/organizations/{real.id}/api_keys/{successor['lago_id']}/rotate"
    last = gateway.admin("POST", path)["api_key"]
    until(lambda: status(real, successor["value"]) == 401, "the rotated key still works")
    assert status(real, last["value"]) == 200


def test_permissions(gateway: Gateway, real: Org) -> None:
    narrow = add_key(
        gateway, real, permissions={"plan": ["read"], "event": ["write"], "customer": []}
    )["value"]
    assert status(real, narrow) == 200
    assert status(real, narrow, "POST", "/events", {"event": usage_event("t1")}) == 200
    refused = {
        ("POST", "/plans"): "write_action_not_allowed_for_plan",
        ("GET", "/events"): "read_action_not_allowed_for_event",
        ("GET", "/customers"): "read_action_not_allowed_for_customer",
        ("POST", "/taxes"): "write_action_not_allowed_for_tax",
        ("GET", "/customers/c1/current_usage"): "read_action_not_allowed_for_customer_usage",
        ("GET", "/webhooks/json_public_key"): (
            "read_action_not_allowed_for_webhook_jwt_public_key"
        ),
    }
    for (method, path), code in refused.items():
        headers = {"Authorization": f"Bearer {narrow}"}
        answer = httpx.request(method, f"{real.url}/api/v1{path}", json={}, headers=headers)
        assert answer.json() == {"status": 403, "error": "Forbidden", "code": code}
        assert answer.status_code == httpx.codes.FORBIDDEN
    reader = add_key(gateway, real, permissions={"event": ["read"]})["value"]
    headers = {"Authorization": f"Bearer {reader}"}
    for path in ("/events", "/events/batch"):
        answer = httpx.post(f"{real.url}/api/v1{path}", json={}, headers=headers)
        assert answer.json()["code"] == "write_action_not_allowed_for_event"


def test_the_test_clock_is_for_the_sandbox(real: Org) -> None:
    body = {"test_clock": {"frozen_time": "2026-01-01T00:00:00Z"}}
    for method, path in (
        ("POST", "/test_clock"),
        ("DELETE", "/test_clock"),
        ("POST", "/test_clock/run"),
        ("POST", "/test_clock/drain"),
    ):
        real.call(method, path, {**body, "job": "bill_customers"}, 403)


def test_organizations_need_the_admin(gateway: Gateway) -> None:
    body = {"organization": {"name": "N"}}
    for headers in ({}, {"X-Admin-API-Key": ""}, {"X-Admin-API-Key": "wrong"}):
        answer = httpx.post(f"{gateway.url}/admin/organizations", json=body, headers=headers)
        assert (answer.status_code, answer.json()) == (401, UNKNOWN)
    assert gateway.admin("POST", "/organizations", {"organization": {"name": ""}}, 422)
    assert gateway.admin("GET", "/organizations/no-such", status=404)
