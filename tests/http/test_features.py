"""Features and their privileges: created, found, changed and deleted."""

from typing import Any

import pytest

from tests.support.gateway import Gateway, Org
from tests.support.receiver import receiving

OPTIONS = {"select_options": ["google", "okta"]}


def add_feature(org: Org, code: str = "seats", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = org.post("/features", {"feature": {"code": code, **fields}})["feature"]
    return made


def refused(org: Org, feature: dict[str, Any], path: str = "/features") -> dict[str, Any]:
    """Return the details of a 422."""
    method = "POST" if path == "/features" else "PUT"
    answer = org.call(method, path, {"feature": feature}, 422)
    assert answer["code"] == "validation_errors"
    details: dict[str, Any] = answer["error_details"]
    return details


def not_found(answer: Any, resource: str = "feature") -> None:
    assert answer == {"status": 404, "error": "Not Found", "code": f"{resource}_not_found"}


def test_a_feature_lives(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    made = add_feature(
        org,
        "  seats ",
        name="Seats",
        description="Who may come in",
        privileges=[
            {"code": " max ", "name": "Maximum", "value_type": "integer"},
            {"code": "provider", "value_type": "select", "config": OPTIONS},
            {"code": "root", "value_type": "boolean", "config": {}, "name": None},
            {"code": "note", "value_type": None, "config": None},
        ],
    )
    assert made == {
        "code": "seats",
        "name": "Seats",
        "description": "Who may come in",
        "privileges": [
            {"code": "max", "name": "Maximum", "value_type": "integer", "config": {}},
            {"code": "provider", "name": None, "value_type": "select", "config": OPTIONS},
            {"code": "root", "name": None, "value_type": "boolean", "config": {}},
            {"code": "note", "name": None, "value_type": "string", "config": {}},
        ],
        "created_at": "2026-01-01T00:00:00Z",
    }
    assert org.get("/features/seats") == {"feature": made}
    assert org.delete("/features/seats") == {"feature": made}
    not_found(org.get("/features/seats", 404))
    assert add_feature(org)["privileges"] == [], "the code of a deleted feature is free again"


def test_the_least_feature(org: Org) -> None:
    made = add_feature(org)
    assert (made["name"], made["description"], made["privileges"]) == (None, None, [])


def privilege(**fields: Any) -> dict[str, Any]:
    return {"code": "new", "privileges": [fields]}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "no code": ({"name": "x"}, {"code": ["value_is_mandatory"]}),
    "blank code": ({"code": "  "}, {"code": ["value_is_mandatory"]}),
    "long code": ({"code": "x" * 256}, {"code": ["value_is_too_long"]}),
    "NUL in code": ({"code": "a\0"}, {"code": ["value_is_invalid"]}),
    "taken code": ({"code": " taken "}, {"code": ["value_already_exist"]}),
    "long name": ({"code": "new", "name": "x" * 256}, {"name": ["value_is_too_long"]}),
    "long description": (
        {"code": "new", "description": "x" * 601},
        {"description": ["value_is_too_long"]},
    ),
    "privilege without code": (
        privilege(value_type="string"),
        {"privilege.code": ["value_is_mandatory"]},
    ),
    "privilege with a blank code": (
        privilege(code=" "),
        {"privilege.code": ["value_is_mandatory"]},
    ),
    "privilege that is no object": (
        {"code": "new", "privileges": ["max"]},
        {"privilege.base": ["value_is_invalid"]},
    ),
    "privilege of unknown type": (
        privilege(code="max", value_type="decimal"),
        {"privilege.value_type": ["value_is_invalid"]},
    ),
    "the same privilege twice": (
        {"code": "new", "privileges": [{"code": "max"}, {"code": " max "}]},
        {"privilege.code": ["value_is_duplicated"]},
    ),
    "select without options": (
        privilege(code="max", value_type="select"),
        {"privilege.config": ["invalid_format"]},
    ),
    "select with no options": (
        privilege(code="max", value_type="select", config={"select_options": []}),
        {"privilege.config": ["invalid_format"]},
    ),
    "select with numbers": (
        privilege(code="max", value_type="select", config={"select_options": [1]}),
        {"privilege.config": ["invalid_format"]},
    ),
    "options of a text": (
        privilege(code="max", config=OPTIONS),
        {"privilege.config": ["invalid_format"]},
    ),
    "anything in the config of a number": (
        privilege(code="max", value_type="integer", config={"step": 1}),
        {"privilege.config": ["invalid_format"]},
    ),
}


def test_features_that_are_refused(org: Org) -> None:
    add_feature(org, "taken")
    for name, (feature, details) in REFUSED.items():
        assert refused(org, feature) == details, name
    rootless: list[Any] = [{}, {"feature": {}}, {"feature": None}, {"features": {"code": "new"}}]
    for body in rootless:
        answer = org.post("/features", body, 400)
        missing = "BadRequest: param is missing or the value is empty or invalid: feature"
        assert answer == {"status": 400, "error": missing}
    assert org.get("/features")["meta"]["total_count"] == 1, "nothing was written"


def test_a_feature_changes_by_what_is_given(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_feature(
        org,
        name="Seats",
        description="Old",
        privileges=[
            {"code": "max", "name": "Most", "value_type": "integer"},
            {"code": "provider", "value_type": "select", "config": OPTIONS},
        ],
    )
    add_feature(org, "other")
    change: dict[str, Any] = {
        "name": "Chairs",
        "code": "other",
        "privileges": [
            {"code": "fresh"},
            {"code": "max", "name": "Top", "value_type": "boolean"},
            {
                "code": "provider",
                "value_type": "string",
                "config": {"select_options": ["github", "okta"]},
            },
        ],
    }
    changed = org.put("/features/seats", {"feature": change})["feature"]
    wide = {"select_options": ["google", "okta", "github"]}
    assert (changed["code"], changed["name"], changed["description"]) == ("seats", "Chairs", "Old")
    assert changed["privileges"] == [
        {"code": "max", "name": "Top", "value_type": "integer", "config": {}},
        {"code": "provider", "name": None, "value_type": "select", "config": wide},
        {"code": "fresh", "name": None, "value_type": "string", "config": {}},
    ]
    assert org.get("/features/seats")["feature"] == changed
    cleared = org.call("PATCH", "/features/seats", {"feature": {"description": None}})["feature"]
    assert cleared == {**changed, "description": None}, "privileges not named stay"
    answer = org.put("/features/seats", {"feature": {"privileges": []}})["feature"]
    assert answer == cleared


def test_changes_that_are_refused(org: Org) -> None:
    made = add_feature(
        org, privileges=[{"code": "p", "value_type": "select", "config": OPTIONS}, {"code": "q"}]
    )
    path = "/features/seats"
    bad: dict[str, Any] = {"privileges": [{"code": "p", "config": {"select_options": [7]}}]}
    assert refused(org, bad, path) == {"privilege.config": ["invalid_format"]}
    bad = {"privileges": [{"code": "q", "config": OPTIONS}], "name": "New"}
    assert refused(org, bad, path) == {"privilege.config": ["invalid_format"]}
    bad = {"privileges": [{"code": "new"}, {"code": "new"}]}
    assert refused(org, bad, path) == {"privilege.code": ["value_is_duplicated"]}
    bad = {"privileges": [{"code": "new"}, {"code": "s", "value_type": "select"}]}
    assert refused(org, bad, path) == {"privilege.config": ["invalid_format"]}
    long: dict[str, Any] = {"description": "x" * 601}
    assert refused(org, long, path) == {"description": ["value_is_too_long"]}
    org.put(path, {"feature": {}}, 400)
    not_found(org.put("/features/nope", {"feature": {"name": "x"}}, 404))
    assert org.get(path)["feature"] == made


def test_a_privilege_is_deleted(org: Org) -> None:
    add_feature(org, privileges=[{"code": "max"}, {"code": "min"}])
    answer = org.delete("/features/seats/privileges/max")["feature"]
    assert [one["code"] for one in answer["privileges"]] == ["min"]
    assert org.get("/features/seats")["feature"] == answer
    not_found(org.delete("/features/seats/privileges/max", 404), "privilege")
    not_found(org.delete("/features/nope/privileges/max", 404))
    not_found(org.delete("/features/nope", 404))


def test_features_are_listed(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    assert org.get("/features")["meta"]["total_count"] == 0
    for day, code in enumerate(("seats", "sso", "api_access"), 1):
        org.clock(f"2026-01-0{day}T00:00:00Z")
        add_feature(org, code, name=f"The {code}", description="50% OFF" if day == 1 else None)

    def found(query: str) -> list[str]:
        return [one["code"] for one in org.get(f"/features?{query}")["features"]]

    assert found("") == ["api_access", "sso", "seats"], "the newest first"
    assert found("page=2&per_page=2") == ["seats"]
    meta = org.get("/features?page=2&per_page=2")["meta"]
    assert meta == {
        "current_page": 2,
        "next_page": None,
        "prev_page": 1,
        "total_pages": 2,
        "total_count": 3,
    }
    assert found("search_term=S") == ["api_access", "sso", "seats"]
    assert found("search_term=SEA") == ["seats"]
    assert found("search_term=the%20sso") == ["sso"]
    assert found("search_term=50%25") == ["seats"]
    assert found("search_term=_") == ["api_access"], "signs of patterns are plain signs"
    assert found("search_term=nope") == []
    answer = org.get("/features?search_term=%00", 422)
    assert answer["error_details"] == {"search_term": ["value_is_invalid"]}


def test_features_are_told_of(org: Org) -> None:
    with receiving() as receiver:
        endpoint = {"webhook_url": receiver.url}
        org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})
        made = add_feature(org, privileges=[{"code": "max"}])
        (created,) = receiver.wait_for("feature.created")
        org.put("/features/seats", {"feature": {"name": None}})
        (updated,) = receiver.wait_for("feature.updated")
        org.delete("/features/seats/privileges/max")
        less = receiver.wait_for("feature.updated", 2)[1]
        gone = org.delete("/features/seats")["feature"]
        (deleted,) = receiver.wait_for("feature.deleted")
    assert created.payload["object_type"] == "feature"
    assert created.payload["organization_id"] == org.id
    assert created.payload["feature"] == made == updated.payload["feature"]
    assert less.payload["feature"] == {**made, "privileges": []}
    assert deleted.payload["feature"] == gone


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_features_of_others_are_unknown(org: Org, gateway: Gateway, method: str) -> None:
    made = add_feature(org, privileges=[{"code": "max"}])
    stranger = gateway.organization("Stranger")
    not_found(stranger.call(method, "/features/seats", {"feature": {"name": "x"}}, 404))
    not_found(stranger.delete("/features/seats/privileges/max", 404))
    assert stranger.get("/features")["features"] == []
    add_feature(stranger)
    assert org.get("/features")["features"] == [made]
