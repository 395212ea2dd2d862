"""What plans give, and who may reach it."""

from typing import Any

import pytest
from lago_python_client import Client

from tests.support.billing import add_plan, subscribe
from tests.support.entitlements import (
    MISSING,
    OPTIONS,
    PLAN,
    SUBSCRIPTION,
    add_feature,
    not_found,
    sell,
    values,
    wanted,
)
from tests.support.gateway import Gateway, Org


@pytest.fixture
def sold(org: Org) -> Org:
    return sell(org)


def test_what_a_plan_gives(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_feature(org)
    add_feature(org, code="sso", name=None, description=None, privileges=[])
    add_plan(org)
    assert org.get(PLAN) == {"entitlements": []}
    body = wanted(sso={}, seats={"provider": "okta", "root": "false", "max": "15"})
    answer = org.post(PLAN, body)
    seats = {
        "code": "seats",
        "name": "Number of seats",
        "description": "Number of users",
        "privileges": [
            {
                "code": "max",
                "name": "Maximum",
                "value_type": "integer",
                "config": {},
                "value": 15,
            },
            {
                "code": "root",
                "name": "Allow root",
                "value_type": "boolean",
                "config": {},
                "value": False,
            },
            {
                "code": "provider",
                "name": None,
                "value_type": "select",
                "config": OPTIONS,
                "value": "okta",
            },
        ],
    }
    sso: dict[str, Any] = {"code": "sso", "name": None, "description": None, "privileges": []}
    assert answer == {"entitlements": [seats, sso]}, "in the order of the catalogue"
    assert org.get(PLAN) == answer
    assert org.get(f"{PLAN}/seats") == {"entitlement": seats}
    assert org.get(f"{PLAN}/sso") == {"entitlement": sso}
    plan = org.get("/plans/basic")["plan"]
    assert plan["entitlements"] == [{"entitlement": seats}, {"entitlement": sso}]


def test_post_replaces_and_patch_merges(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    add_feature(org)
    add_feature(org, code="sso", privileges=[{"code": "provider"}])
    add_plan(org)
    org.post(PLAN, wanted(seats={"max": 1, "root": True}))
    merged = org.call("PATCH", PLAN, wanted(seats={"max": 2, "note": ""}, sso=None))
    expected: dict[str, Any] = {"seats": {"max": 2, "root": True, "note": ""}, "sso": {}}
    assert values(merged) == expected
    again = org.call("PATCH", PLAN, wanted(seats={}))
    assert values(again) == expected
    replaced = org.post(PLAN, wanted(seats={"max": 3}))
    assert values(replaced) == {"seats": {"max": 3}}
    assert values(org.post(PLAN, wanted(sso={"provider": "x"}))) == {"sso": {"provider": "x"}}


def test_a_plan_loses_a_privilege_and_a_feature(sold: Org) -> None:
    answer = sold.delete(f"{PLAN}/seats/privileges/root")
    assert [one["code"] for one in answer["entitlement"]["privileges"]] == ["max", "provider"]
    assert sold.get(f"{PLAN}/seats") == answer
    not_found(sold.delete(f"{PLAN}/seats/privileges/root", 404), "privilege")
    not_found(sold.delete(f"{PLAN}/seats/privileges/nope", 404), "privilege")
    not_found(sold.delete(f"{PLAN}/sso/privileges/max", 404), "entitlement")
    for privilege in ("max", "provider"):
        sold.delete(f"{PLAN}/seats/privileges/{privilege}")
    empty = sold.get(f"{PLAN}/seats")
    assert empty["entitlement"]["privileges"] == [], "the feature itself stays"
    assert sold.delete(f"{PLAN}/seats") == empty
    assert sold.get(PLAN) == {"entitlements": []}
    not_found(sold.get(f"{PLAN}/seats", 404), "entitlement")
    not_found(sold.delete(f"{PLAN}/seats", 404), "entitlement")
    not_found(sold.delete(f"{PLAN}/nope", 404), "entitlement")


UNFIT = {
    "integer as word": ({"max": "many"}, {"max_privilege_value": ["value_is_invalid"]}),
    "integer with zeros": ({"max": "007"}, {"max_privilege_value": ["value_is_invalid"]}),
    "integer with fraction": ({"max": 1.5}, {"max_privilege_value": ["value_is_invalid"]}),
    "integer as boolean": ({"max": True}, {"max_privilege_value": ["value_is_invalid"]}),
    "integer of 400 digits": (
        {"max": int("9" * 400)},
        {"max_privilege_value": ["value_is_invalid"]},
    ),
    "integer without value": ({"max": None}, {"max_privilege_value": ["value_is_invalid"]}),
    "boolean as number": ({"root": 1}, {"root_privilege_value": ["value_is_invalid"]}),
    "boolean as word": ({"root": "yes"}, {"root_privilege_value": ["value_is_invalid"]}),
    "text as number": ({"note": 5}, {"note_privilege_value": ["value_is_invalid"]}),
    "text as list": ({"note": ["a"]}, {"note_privilege_value": ["value_is_invalid"]}),
    "text with NUL": ({"note": "a\0"}, {"note_privilege_value": ["value_is_invalid"]}),
    "text too long": ({"note": "x" * 256}, {"note_privilege_value": ["value_is_invalid"]}),
    "no such option": (
        {"provider": "github"},
        {"provider_privilege_value": ["value_not_in_select_options"]},
    ),
    "two of them": (
        {"max": "x", "provider": 1, "root": False},
        {
            "max_privilege_value": ["value_is_invalid"],
            "provider_privilege_value": ["value_not_in_select_options"],
        },
    ),
}
WRITES = [("POST", PLAN), ("PATCH", PLAN), ("PATCH", SUBSCRIPTION)]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_what_is_refused(sold: Org, method: str, path: str) -> None:
    before = sold.get(PLAN), sold.get(SUBSCRIPTION)
    for name, (given, details) in UNFIT.items():
        answer = sold.call(method, path, wanted(sso={}, seats=given), 422)
        assert answer["code"] == "validation_errors", name
        assert answer["error_details"] == details, name
    not_found(sold.call(method, path, wanted(nope={}), 404), "feature")
    not_found(sold.call(method, path, wanted(seats={"max": 1}, nope={}), 404), "feature")
    not_found(sold.call(method, path, wanted(seats={"nope": 1}), 404), "privilege")
    rootless: list[Any] = [{}, {"entitlements": {}}, {"entitlements": None}, {"entitlements": []}]
    for body in [*rootless, None]:
        answer = sold.call(method, path, body, 400)
        assert answer == {"status": 400, "error": MISSING}
    shapes = (wanted(seats=5), wanted(seats=["max"]), wanted(seats="max"), wanted(**{"a\0": {}}))
    for shape in shapes:
        answer = sold.call(method, path, shape, 422)
        assert answer["error_details"] == {"entitlements": ["invalid_format"]}
    crowd: dict[str, Any] = {f"f{number}": {} for number in range(1001)}
    answer = sold.call(method, path, wanted(**crowd), 422)
    assert answer["error_details"] == {"entitlements": ["invalid_count"]}
    assert (sold.get(PLAN), sold.get(SUBSCRIPTION)) == before, "a refusal writes nothing"


def test_owners_that_are_not_there(sold: Org) -> None:
    body = wanted(seats={})
    one, privilege = "/seats", "/seats/privileges/max"
    plan = "/plans/nope/entitlements"
    for method, path in [("GET", ""), ("POST", ""), ("PATCH", ""), ("GET", one), ("DELETE", one)]:
        not_found(sold.call(method, plan + path, body, 404), "plan")
    not_found(sold.delete(plan + privilege, 404), "plan")
    nobody = "/subscriptions/nope/entitlements"
    for method, path in [("GET", ""), ("PATCH", ""), ("DELETE", one), ("DELETE", privilege)]:
        not_found(sold.call(method, nobody + path, body, 404), "subscription")
    # the owner is looked for before the body is read
    not_found(sold.post(plan, {}, 404), "plan")
    not_found(sold.call("PATCH", nobody, {}, 404), "subscription")


def test_a_deleted_feature_is_gone_everywhere(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}, sso={}))
    sold.delete("/features/seats")
    assert sold.get(PLAN) == {"entitlements": []}
    assert values(sold.get(SUBSCRIPTION)) == {"sso": {}}
    not_found(sold.call("PATCH", PLAN, wanted(seats={}), 404), "feature")
    not_found(sold.delete(f"{SUBSCRIPTION}/seats", 404), "feature")
    add_feature(sold)
    assert sold.get(PLAN) == {"entitlements": []}, "a new feature of the same code is another"
    assert values(sold.get(SUBSCRIPTION)) == {"sso": {}}
    assert values(sold.post(PLAN, wanted(seats={"max": 1}))) == {"seats": {"max": 1}}


def test_a_deleted_privilege_is_gone_everywhere(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}))
    sold.delete("/features/seats/privileges/max")
    rest = {"seats": {"root": True, "provider": "google"}}
    assert values(sold.get(PLAN)) == rest
    assert values(sold.get(SUBSCRIPTION)) == rest
    assert sold.get(SUBSCRIPTION)["entitlements"][0]["overrides"] == {}
    not_found(sold.delete(f"{PLAN}/seats/privileges/max", 404), "privilege")
    not_found(sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 1}), 404), "privilege")
    again = {"privileges": [{"code": "max", "value_type": "boolean"}]}
    sold.put("/features/seats", {"feature": again})
    assert values(sold.get(PLAN)) == rest, "a new privilege of the same code is another"
    answer = sold.call("PATCH", PLAN, wanted(seats={"max": True}))
    assert values(answer)["seats"] == {**rest["seats"], "max": True}


def test_a_deleted_plan_gives_nothing(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}))
    sold.delete("/plans/basic")
    sold.drain()
    ended = sold.get(f"{SUBSCRIPTION}?subscription_status=terminated")
    assert values(ended) == {"seats": {"max": 15}}


def test_one_organization_does_not_reach_another(sold: Org, gateway: Gateway) -> None:
    before = sold.get(PLAN), sold.get(SUBSCRIPTION), sold.get("/features")
    stranger = gateway.organization("Stranger")
    stranger.clock("2026-01-01T00:00:00Z")
    not_found(stranger.get(PLAN, 404), "plan")
    not_found(stranger.get(SUBSCRIPTION, 404), "subscription")
    add_plan(stranger)
    subscribe(stranger)
    assert stranger.get(PLAN) == stranger.get(SUBSCRIPTION) == {"entitlements": []}
    for method, path in WRITES:
        not_found(stranger.call(method, path, wanted(seats={"max": 1}), 404), "feature")
    add_feature(stranger, privileges=[{"code": "mine"}])
    not_found(stranger.post(PLAN, wanted(seats={"max": 1}), 404), "privilege")
    stranger.post(PLAN, wanted(seats={"mine": "x"}))
    stranger.delete(f"{SUBSCRIPTION}/seats")
    stranger.delete("/features/seats")
    assert (sold.get(PLAN), sold.get(SUBSCRIPTION), sold.get("/features")) == before


def test_which_permission_is_asked_for(sold: Org, gateway: Gateway) -> None:
    key = {"name": "reader", "permissions": {"plan": ["read"], "subscription": ["write"]}}
    made = gateway.admin("POST", f"/organizations/{sold.id}/api_keys", {"api_key": key})
    headers = {"Authorization": f"Bearer {made['api_key']['value']}"}

    def code(method: str, path: str) -> str | None:
        answer = sold.http.request(method, path, json=wanted(seats={}), headers=headers)
        found: str | None = answer.json().get("code")
        return found

    assert code("GET", PLAN) is None
    assert code("PATCH", PLAN) == "write_action_not_allowed_for_plan"
    assert code("GET", SUBSCRIPTION) == "read_action_not_allowed_for_subscription"
    assert code("PATCH", SUBSCRIPTION) is None
    assert code("GET", "/features") == "read_action_not_allowed_for_feature"
    assert code("DELETE", "/features/seats/privileges/max") == (
        "write_action_not_allowed_for_feature"
    )


def test_codes_with_slashes(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_feature(org, code="a/b", privileges=[{"code": "c/d"}])
    add_plan(org, code="p/q")
    subscribe(org, plan="p/q", external_id="s/t")
    path = "/plans/p%2Fq/entitlements"
    org.post(path, wanted(**{"a/b": {"c/d": "x"}}))
    assert org.get(f"{path}/a%2Fb")["entitlement"]["code"] == "a/b"
    own = "/subscriptions/s%2Ft/entitlements"
    assert values(org.delete(f"{own}/a%2Fb/privileges/c%2Fd")) == {"a/b": {}}
    assert org.delete(f"{path}/a%2Fb/privileges/c%2Fd")["entitlement"]["privileges"] == []


def test_the_published_client_reads_owners_with_entitlements(sold: Org) -> None:
    """It has no calls for features; what it reads must still be what it expects."""
    client: Any = Client(api_key=sold.key, api_url=sold.url)
    assert client.plans.find("basic").code == "basic"
    assert client.subscriptions.find("s1").plan_code == "basic"
    assert [one.code for one in client.plans.find_all()["plans"]] == ["basic"]
