"""The words tests use for features and what plans and subscriptions have of them."""

from typing import Any

from tests.support.billing import add_plan, subscribe
from tests.support.gateway import Org

PLAN = "/plans/basic/entitlements"
SUBSCRIPTION = "/subscriptions/s1/entitlements"
OPTIONS = {"select_options": ["google", "okta"]}
SEATS = {
    "code": "seats",
    "name": "Number of seats",
    "description": "Number of users",
    "privileges": [
        {"code": "max", "name": "Maximum", "value_type": "integer"},
        {"code": "root", "name": "Allow root", "value_type": "boolean"},
        {"code": "provider", "value_type": "select", "config": OPTIONS},
        {"code": "note"},
    ],
}
MISSING = "BadRequest: param is missing or the value is empty or invalid: entitlements"


def add_feature(org: Org, **fields: Any) -> dict[str, Any]:
    """Create the seats, or what the fields make of them; return the feature."""
    made: dict[str, Any] = org.post("/features", {"feature": {**SEATS, **fields}})["feature"]
    return made


def wanted(**features: Any) -> dict[str, Any]:
    """Return a body that asks for these values by feature."""
    return {"entitlements": features}


def values(answer: Any) -> dict[str, dict[str, Any]]:
    """Return the values by feature and privilege of an answer's list."""
    return {
        feature["code"]: {one["code"]: one["value"] for one in feature["privileges"]}
        for feature in answer["entitlements"]
    }


def not_found(answer: Any, resource: str) -> None:
    """Check a 404."""
    assert answer == {"status": 404, "error": "Not Found", "code": f"{resource}_not_found"}


def sell(org: Org) -> Org:
    """Make a subscription to a plan that gives 10 seats."""
    org.clock("2026-01-01T00:00:00Z")
    add_feature(org)
    add_feature(org, code="sso", privileges=[])
    add_plan(org)
    subscribe(org)
    org.post(PLAN, wanted(seats={"max": 10, "root": True, "provider": "google"}))
    return org
