"""What subscriptions have beside their plans, and who is told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from billing_core.store.tables import Plan, Subscription
from billing_core.store.unit import Units, engines_for
from tests.support.billing import add_plan, subscribe
from tests.support.entitlements import (
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
from tests.support.receiver import Receiver, receiving


@pytest.fixture
def sold(org: Org) -> Org:
    return sell(org)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def listen(org: Org, receiver: Receiver, *types: str) -> None:
    org.drain()  # what happened before is told to nobody
    endpoint = {"webhook_url": receiver.url, "event_types": list(types) or None}
    org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})


def test_what_a_subscription_has(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_feature(org)
    add_plan(org)
    subscribe(org)
    assert org.get(SUBSCRIPTION) == {"entitlements": []}
    org.post(PLAN, wanted(seats={"max": 10, "root": True}))
    answer = org.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15, "provider": "okta"}))
    (seats,) = answer["entitlements"]
    assert seats == {
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
                "plan_value": 10,
                "override_value": 15,
            },
            {
                "code": "root",
                "name": "Allow root",
                "value_type": "boolean",
                "config": {},
                "value": True,
                "plan_value": True,
                "override_value": None,
            },
            {
                "code": "provider",
                "name": None,
                "value_type": "select",
                "config": OPTIONS,
                "value": "okta",
                "plan_value": None,
                "override_value": "okta",
            },
        ],
        "overrides": {"max": 15, "provider": "okta"},
    }
    assert org.get(SUBSCRIPTION) == answer
    assert org.get("/subscriptions/s1")["subscription"]["entitlements"] == [seats]
    assert values(org.get(PLAN)) == {"seats": {"max": 10, "root": True}}, "the plan stays"


def test_the_plans_value_is_no_override(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15, "root": False}))
    answer = sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": "10"}))
    assert answer["entitlements"][0]["overrides"] == {"root": False}
    sold.post(PLAN, wanted(seats={"max": 20, "root": True}))
    assert values(sold.get(SUBSCRIPTION)) == {"seats": {"max": 20, "root": False}}


def test_a_plans_feature_is_hidden_and_given_again(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}, sso={}))
    answer = sold.delete(f"{SUBSCRIPTION}/seats")
    assert values(answer) == {"sso": {}}, "the rest is answered"
    assert sold.get(SUBSCRIPTION) == answer
    not_found(sold.delete(f"{SUBSCRIPTION}/seats", 404), "entitlement")
    not_found(sold.delete(f"{SUBSCRIPTION}/seats/privileges/max", 404), "entitlement")
    sold.post(PLAN, wanted(seats={"max": 99}))
    assert values(sold.get(SUBSCRIPTION)) == {"sso": {}}, "whatever the plan says of it"
    again = sold.call("PATCH", SUBSCRIPTION, wanted(seats={}))
    assert values(again) == {"seats": {"max": 99}, "sso": {}}
    assert again["entitlements"][0]["overrides"] == {}, "the override went with the removal"


def test_ones_own_feature_is_dropped(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(sso={}))
    assert values(sold.delete(f"{SUBSCRIPTION}/sso")).keys() == {"seats"}
    sold.call("PATCH", PLAN, wanted(sso={}))
    assert values(sold.get(SUBSCRIPTION)).keys() == {"seats", "sso"}, "it was not hidden"
    not_found(sold.delete(f"{SUBSCRIPTION}/nope", 404), "feature")


def test_a_privilege_is_hidden_and_given_again(sold: Org) -> None:
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}))
    answer = sold.delete(f"{SUBSCRIPTION}/seats/privileges/max")
    assert values(answer) == {"seats": {"root": True, "provider": "google"}}
    not_found(sold.delete(f"{SUBSCRIPTION}/seats/privileges/max", 404), "privilege")
    not_found(sold.delete(f"{SUBSCRIPTION}/seats/privileges/nope", 404), "privilege")
    not_found(sold.delete(f"{SUBSCRIPTION}/nope/privileges/max", 404), "feature")
    not_found(sold.delete(f"{SUBSCRIPTION}/sso/privileges/max", 404), "entitlement")
    again = sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 10}))
    assert values(again)["seats"] == {"max": 10, "root": True, "provider": "google"}
    assert again["entitlements"][0]["overrides"] == {}


def test_dropping_ones_own_privilege_hides_nothing(sold: Org) -> None:
    """The plan has the feature, not the privilege: it may give it later (metering.md 8.26)."""
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"note": "mine"}))
    assert "note" not in values(sold.delete(f"{SUBSCRIPTION}/seats/privileges/note"))["seats"]
    sold.call("PATCH", PLAN, wanted(seats={"note": "ours"}))
    assert values(sold.get(SUBSCRIPTION))["seats"]["note"] == "ours"


def test_the_status_names_the_subscription(sold: Org) -> None:
    later = {"external_id": "s2", "subscription_at": "2026-06-01T00:00:00Z"}
    subscribe(sold, **later)
    path = "/subscriptions/s2/entitlements"
    not_found(sold.get(path, 404), "subscription")
    pending = f"{path}?subscription_status=pending"
    assert values(sold.call("PATCH", pending, wanted(seats={"max": 2})))["seats"]["max"] == 2
    assert values(sold.get(pending))["seats"]["max"] == 2
    assert values(sold.get(f"{path}?status=pending")) == values(sold.get(pending))
    privilege = f"{path}/seats/privileges/max?subscription_status=pending"
    assert "max" not in values(sold.delete(privilege))["seats"]
    assert sold.delete(f"{path}/seats?subscription_status=pending") == {"entitlements": []}
    not_found(sold.get(f"{path}?subscription_status=nonsense", 404), "subscription")
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}))
    sold.delete("/subscriptions/s1")
    not_found(sold.get(SUBSCRIPTION, 404), "subscription")
    ended = sold.get(f"{SUBSCRIPTION}?subscription_status=terminated")
    assert values(ended)["seats"]["max"] == 15
    subscribe(sold)
    assert values(sold.get(SUBSCRIPTION))["seats"]["max"] == 10, "another one begins anew"


def test_owners_are_told_of(sold: Org, receiver: Receiver) -> None:
    listen(sold, receiver, "plan.updated", "subscription.updated", "subscription.started")
    sold.call("PATCH", PLAN, wanted(seats={"max": 11}))
    sold.call("PATCH", PLAN, wanted(seats={"max": 11}))
    updated = receiver.wait_for("plan.updated", 2)[-1].payload
    assert updated["object_type"] == "plan"
    assert updated["plan"]["code"] == "basic"
    assert [{"entitlement": one} for one in sold.get(PLAN)["entitlements"]] == (
        updated["plan"]["entitlements"]
    )
    shown = sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}))["entitlements"]
    (message,) = receiver.wait_for("subscription.updated")
    told = message.payload["subscription"]
    assert (told["external_id"], told["entitlements"]) == ("s1", shown)
    assert told["plan"]["entitlements"] == updated["plan"]["entitlements"]
    assert told["customer"]["external_id"] == "c1"
    sold.delete(f"{SUBSCRIPTION}/seats/privileges/max")
    sold.delete(f"{SUBSCRIPTION}/seats")
    last = receiver.wait_for("subscription.updated", 3)
    assert {str(one.payload["subscription"]["entitlements"]) for one in last} >= {"[]"}
    sold.delete(f"{PLAN}/seats/privileges/max")
    sold.delete(f"{PLAN}/seats")
    sold.post(PLAN, wanted(sso={}))
    receiver.wait_for("plan.updated", 5)
    subscribe(sold, external_id="s3")
    (started,) = receiver.wait_for("subscription.started")
    assert [one["code"] for one in started.payload["subscription"]["entitlements"]] == ["sso"]


def test_a_refusal_tells_nobody(sold: Org, receiver: Receiver) -> None:
    listen(sold, receiver)
    sold.call("PATCH", PLAN, wanted(seats={"max": "x"}), 422)
    sold.call("PATCH", SUBSCRIPTION, wanted(nope={}), 404)
    sold.delete(f"{SUBSCRIPTION}/sso", 404)
    sold.drain()
    assert receiver.messages == []


async def test_an_override_has_what_its_parent_gives(sold: Org, gateway: Gateway) -> None:
    """Overrides of plans are made beside this API: here in the database itself."""
    sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 15}))
    before = sold.get(SUBSCRIPTION)
    engines = engines_for(f"sqlite+aiosqlite:///{gateway.data_dir / 'tallygate.db'}")
    try:
        async with Units(engines).system(write=True) as session:
            parent = await session.scalar(select(Plan).where(Plan.org_id == UUID(sold.id)))
            assert parent is not None
            child = Plan(
                org_id=parent.org_id,
                created_at=parent.created_at,
                updated_at=parent.updated_at,
                name=parent.name,
                code=parent.code,
                interval=parent.interval,
                amount_cents=parent.amount_cents,
                amount_currency=parent.amount_currency,
                parent_id=parent.id,
            )
            session.add(child)
            await session.flush()
            own = update(Subscription).where(Subscription.org_id == UUID(sold.id))
            await session.execute(own.values(plan_id=child.id))
    finally:
        await engines.dispose()
    shown = sold.get("/subscriptions/s1")["subscription"]
    assert shown["plan"]["parent_id"] == str(parent.id)
    assert shown["entitlements"] == before["entitlements"]
    assert shown["plan"]["entitlements"] == sold.get("/plans/basic")["plan"]["entitlements"]
    answer = sold.call("PATCH", SUBSCRIPTION, wanted(seats={"max": 10}))
    assert answer["entitlements"][0]["overrides"] == {}
    sold.call("PATCH", PLAN, wanted(seats={"max": 12}))
    assert values(sold.get(SUBSCRIPTION))["seats"]["max"] == 12


def test_changes_at_once_all_hold(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    codes = [f"p{number}" for number in range(10)]
    add_feature(org, privileges=[{"code": code} for code in codes])
    add_plan(org)
    subscribe(org)

    def write(number: int) -> int:
        code = codes[number % 10]
        change: dict[str, Any]
        if number < 20:
            path, change = (PLAN, SUBSCRIPTION)[number // 10], wanted(seats={code: str(number)})
        else:
            path, privilege = "/features/seats", {"code": f"new{number}"}
            change = {"feature": {"privileges": [privilege]}}
        return org.http.patch(path, json=change).status_code

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(write, range(30))) == {200}
    expected = {code: str(number) for number, code in enumerate(codes)}
    assert values(org.get(PLAN)) == {"seats": expected}
    (seats,) = org.get(SUBSCRIPTION)["entitlements"]
    assert seats["overrides"] == {code: str(number) for number, code in enumerate(codes, 10)}
    assert len(org.get("/features/seats")["feature"]["privileges"]) == 20
