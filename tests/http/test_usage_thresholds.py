"""Usage thresholds of plans and subscriptions: what is taken, what is in force, what is told."""

from typing import Any

import pytest

from tests.support.billing import add_metric, add_plan, charge, subscribe
from tests.support.gateway import Org
from tests.support.receiver import receiving
from tests.support.usage import use

FIXED = {"amount_cents": 1000, "threshold_display_name": "First"}
RECURRING = {"amount_cents": 500, "recurring": True}


def shown(thresholds: list[dict[str, Any]]) -> list[tuple[int, bool]]:
    """Return amounts and whether they recur."""
    return [(one["amount_cents"], one["recurring"]) for one in thresholds]


def in_force(org: Org) -> list[tuple[int, bool]]:
    """Return what bills s1."""
    return shown(org.get("/subscriptions/s1")["subscription"]["applicable_usage_thresholds"])


def test_a_list_replaces_the_other(org: Org) -> None:
    made = add_plan(org, usage_thresholds=[RECURRING, FIXED])["usage_thresholds"]
    assert shown(made) == [(1000, False), (500, True)]
    assert made[0]["threshold_display_name"] == "First"
    assert set(made[0]) == {
        *("lago_id", "amount_cents", "recurring", "threshold_display_name"),
        *("created_at", "updated_at"),
    }
    wanted = [{"amount_cents": 2000}, {"amount_cents": 1000, "threshold_display_name": "Renamed"}]
    plan = org.put("/plans/basic", {"plan": {"usage_thresholds": wanted}})["plan"]
    assert shown(plan["usage_thresholds"]) == [(1000, False), (2000, False)]
    assert plan["usage_thresholds"][0]["lago_id"] == made[0]["lago_id"], (
        "one that stays is the same"
    )
    assert plan["usage_thresholds"][0]["threshold_display_name"] == "Renamed"
    assert plan["applicable_usage_thresholds"] == [
        {"amount_cents": 1000, "recurring": False, "threshold_display_name": "Renamed"},
        {"amount_cents": 2000, "recurring": False, "threshold_display_name": None},
    ]
    kept = org.put("/plans/basic", {"plan": {"name": "Other"}})["plan"]
    assert kept["usage_thresholds"] == plan["usage_thresholds"]
    gone = org.put("/plans/basic", {"plan": {"usage_thresholds": []}})["plan"]
    assert gone["usage_thresholds"] == gone["applicable_usage_thresholds"] == []


@pytest.mark.parametrize(
    ("wanted", "errors"),
    [
        ([{"recurring": True}], {"usage_thresholds": ["missing_amount_cents"]}),
        ([FIXED, FIXED], {"usage_thresholds": ["duplicated_values"]}),
        (
            [RECURRING, {**RECURRING, "amount_cents": 7}],
            {"usage_thresholds": ["multiple_recurring_thresholds"]},
        ),
        ([{"amount_cents": 0}], {"usage_thresholds.0.amount_cents": ["value_is_out_of_range"]}),
        ([{"amount_cents": "a"}], {"usage_thresholds.0.amount_cents": ["value_is_invalid"]}),
        ([FIXED] * 101, {"usage_thresholds": ["invalid_count"]}),
    ],
)
def test_lists_that_cannot_be(
    org: Org, wanted: list[dict[str, Any]], errors: dict[str, list[str]]
) -> None:
    plan = {
        "name": "P",
        "code": "p",
        "interval": "monthly",
        "amount_cents": 1,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        "usage_thresholds": wanted,
    }
    assert org.post("/plans", {"plan": plan}, 422)["error_details"] == errors
    add_plan(org)
    subscribe(org)
    change = {"usage_thresholds": wanted}
    assert org.put("/plans/basic", {"plan": change}, 422)["error_details"] == errors
    refused = org.put("/subscriptions/s1", {"subscription": change}, 422)
    assert refused["error_details"] == errors
    assert in_force(org) == []


def test_a_subscription_falls_back_on_its_plan(org: Org) -> None:
    add_plan(org, usage_thresholds=[FIXED])
    subscribe(org, usage_thresholds=[{"amount_cents": 7}])
    assert in_force(org) == [(7, False)]
    subscribe(org, usage_thresholds=[RECURRING])
    assert in_force(org) == [(500, True)], "asked for again, thresholds are still applied"
    org.put("/subscriptions/s1", {"subscription": {"usage_thresholds": []}})
    assert in_force(org) == [(1000, False)]
    org.put("/subscriptions/s1", {"subscription": {"progressive_billing_disabled": True}})
    assert in_force(org) == []
    org.put("/subscriptions/s1", {"subscription": {"name": "other"}})
    assert org.get("/subscriptions/s1")["subscription"]["progressive_billing_disabled"] is True


def test_an_override_falls_back_on_its_plan(org: Org) -> None:
    add_plan(org, usage_thresholds=[FIXED])
    subscribe(org, plan_overrides={"amount_cents": 5})
    assert in_force(org) == [(1000, False)]
    plan = org.get("/subscriptions/s1")["subscription"]["plan"]
    assert (plan["usage_thresholds"], shown(plan["applicable_usage_thresholds"])) == (
        [],
        [(1000, False)],
    )
    own = {"plan_overrides": {"usage_thresholds": [RECURRING]}}
    org.put("/subscriptions/s1", {"subscription": own})
    assert in_force(org) == [(500, True)]
    assert shown(org.get("/plans/basic")["plan"]["usage_thresholds"]) == [(1000, False)]
    refused = org.put("/subscriptions/s1", {"subscription": {**own, "usage_thresholds": []}}, 422)
    assert refused["error_details"] == {
        "usage_thresholds": ["incompatible_params"],
        "plan_overrides.usage_thresholds": ["incompatible_params"],
    }


def test_a_change_of_plan_leaves_own_thresholds_behind(org: Org) -> None:
    add_plan(org, usage_thresholds=[FIXED])
    add_plan(org, "dear", amount_cents=9000)
    subscribe(org, usage_thresholds=[{"amount_cents": 7}], progressive_billing_disabled=True)
    subscribe(org, "dear")
    changed = org.get("/subscriptions/s1")["subscription"]
    assert changed["applicable_usage_thresholds"] == []
    assert changed["progressive_billing_disabled"] is False


def test_each_threshold_that_is_reached_is_told(org: Org) -> None:
    with receiving() as receiver:
        kinds = ["subscription.usage_threshold_reached", "invoice.created"]
        endpoint = {"webhook_url": receiver.url, "event_types": kinds}
        org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})
        org.clock("2026-01-01T00:00:00Z")
        charges = [charge(add_metric(org, "usage"), "standard", {"amount": "1"})]
        add_plan(org, charges=charges, usage_thresholds=[FIXED, {"amount_cents": 1500}, RECURRING])
        subscribe(org)
        use(org, {"value": "15"})
        org.run("process_subscription_activity")
        told = [
            one.payload["subscription"]
            for one in receiver.wait_for("subscription.usage_threshold_reached", 2)
        ]
        (created,) = receiver.wait_for("invoice.created")
    assert sorted(one["usage_threshold"]["amount_cents"] for one in told) == [1000, 1500]
    assert shown(told[0]["applicable_usage_thresholds"]) == [
        (1000, False),
        (1500, False),
        (500, True),
    ]
    assert (told[0]["external_id"], told[0]["plan"]["code"]) == ("s1", "basic")
    assert told[0]["customer"]["external_id"] == "c1"
    invoice = created.payload["invoice"]
    assert invoice["invoice_type"] == "progressive_billing"
    assert [one["invoicing_reason"] for one in invoice["billing_periods"]] == [
        "progressive_billing"
    ]
    applied = invoice["applied_usage_thresholds"]
    assert [one["lifetime_usage_amount_cents"] for one in applied] == [1500, 1500]
