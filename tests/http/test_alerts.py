"""Alerts on what a subscription uses: their operations, and when they are told."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.billing import add_metric, add_plan, charge, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.receiver import Receiver, receiving
from tests.support.usage import use

PATH = "/subscriptions/s1/alerts"
JANUARY = "2026-01-01T00:00:00Z"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def alert(code: str = "a1", kind: str = "current_usage_amount", **fields: Any) -> dict[str, Any]:
    """Return an alert as the API takes it."""
    thresholds = [{"code": "warn", "value": 1500}, {"value": "3000.0", "code": "high"}]
    return {"code": code, "alert_type": kind, "thresholds": thresholds, **fields}


def add(org: Org, **fields: Any) -> dict[str, Any]:
    """Create an alert on s1, and return it."""
    made: dict[str, Any] = org.post(PATH, {"alert": alert(**fields)})["alert"]
    return made


def sold(org: Org, **plan: Any) -> str:
    """Subscribe s1 to a plan that costs 1.00 a unit, in January; return the metric's id."""
    org.clock(JANUARY)
    metric_id = add_metric(org, "usage")
    charges = [charge(metric_id, "standard", {"amount": "1"})]
    add_plan(org, **{"charges": charges, **plan})
    subscribe(org)
    return metric_id


def listening(org: Org, receiver: Receiver) -> None:
    endpoint = {"webhook_url": receiver.url, "event_types": ["alert.triggered"]}
    org.post("/webhook_endpoints", {"webhook_endpoint": endpoint})


def look(org: Org) -> None:
    org.run("process_subscription_activity")


def told(receiver: Receiver, count: int) -> list[tuple[str, str, list[str]]]:
    """Return previous and current values and what was crossed of this many alerts."""
    found = [one.payload["triggered_alert"] for one in receiver.wait_for("alert.triggered", count)]
    return [
        (
            one["previous_value"],
            one["current_value"],
            [each["value"] for each in one["crossed_thresholds"]],
        )
        for one in found
    ]


def test_an_alert_is_made_changed_and_deleted(org: Org) -> None:
    sold(org)
    made = add(org, name="Watch")
    assert made == {
        "lago_id": made["lago_id"],
        "lago_organization_id": org.id,
        "external_subscription_id": "s1",
        "lago_wallet_id": None,
        "wallet_code": None,
        "billable_metric": None,
        "alert_type": "current_usage_amount",
        "code": "a1",
        "name": "Watch",
        "direction": "increasing",
        "previous_value": "0.0",
        "last_processed_at": None,
        "thresholds": [
            {"code": "warn", "value": "1500.0", "recurring": False},
            {"code": "high", "value": "3000.0", "recurring": False},
        ],
        "created_at": JANUARY,
    }
    assert org.get(f"{PATH}/a1")["alert"] == made
    of_metric = alert("a2", "billable_metric_current_usage_units", billable_metric_code="usage")
    second = org.post(PATH, {"alert": of_metric})["alert"]
    assert second["billable_metric"]["code"] == "usage"
    listed = org.get(PATH)
    assert {one["code"] for one in listed["alerts"]} == {"a1", "a2"}
    assert listed["meta"]["total_count"] == 2
    change = {"code": "a3", "name": None, "thresholds": [{"value": 7, "recurring": True}]}
    changed = org.call("PATCH", f"{PATH}/a1", {"alert": change})["alert"]
    assert (changed["code"], changed["name"]) == ("a3", None)
    assert changed["thresholds"] == [{"code": None, "value": "7.0", "recurring": True}]
    assert org.get(f"{PATH}/a1", 404)["code"] == "alert_not_found"
    assert org.delete(f"{PATH}/a3")["alert"] == changed
    assert add(org)["lago_id"] != made["lago_id"], "codes may return"
    assert org.delete(PATH) is None
    assert org.get(PATH)["alerts"] == []


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"code": None}, {"code": ["value_is_mandatory"]}),
        ({"kind": "wallet_balance_amount"}, {"alert_type": ["value_is_invalid"]}),
        ({"thresholds": []}, {"thresholds": ["value_is_mandatory"]}),
        ({"thresholds": None}, {"thresholds": ["value_is_mandatory"]}),
        (
            {"thresholds": [{"value": n} for n in range(21)]},
            {"thresholds": ["too_many_thresholds"]},
        ),
        (
            {"thresholds": [{"value": 1}, {"value": "1.0"}]},
            {"thresholds": ["duplicate_threshold_values"]},
        ),
        ({"thresholds": [{"code": "x"}]}, {"thresholds:value": ["value_is_mandatory"]}),
        (
            {"thresholds": [{"value": 0, "recurring": True}]},
            {"thresholds:value": ["value_is_invalid"]},
        ),
        ({"billable_metric_code": "usage"}, {"billable_metric": ["value_must_be_blank"]}),
        (
            {"kind": "billable_metric_current_usage_amount"},
            {"billable_metric": ["value_is_mandatory"]},
        ),
        ({"code": "taken", "kind": "lifetime_usage_amount"}, {"code": ["value_already_exist"]}),
        ({"code": "other"}, {"base": ["alert_already_exists"]}),
    ],
)
def test_alerts_that_cannot_be(
    org: Org, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    sold(org)
    first = add(org, code="taken")
    refused = org.post(PATH, {"alert": alert(**{"code": "new", **fields})}, 422)
    assert refused["error_details"] == errors
    listed = org.get(PATH)["alerts"]
    assert listed == [first]


def test_what_is_unknown(org: Org) -> None:
    sold(org)
    of_metric = alert(kind="billable_metric_current_usage_amount", billable_metric_code="no")
    assert org.post(PATH, {"alert": of_metric}, 404)["code"] == "billable_metric_not_found"
    assert org.get("/subscriptions/no/alerts", 404)["code"] == "subscription_not_found"
    pending = org.get(f"{PATH}?subscription_status=pending", 404)
    assert pending["code"] == "subscription_not_found"
    assert org.post(PATH, {"alert": {}}, 400)["error"].endswith("alert")
    add(org)
    add(org, code="a2", kind="lifetime_usage_amount")
    taken = org.put(f"{PATH}/a2", {"alert": {"code": "a1"}}, 422)
    assert taken["error_details"] == {"code": ["value_already_exist"]}


def test_a_batch_is_made_whole_or_not_at_all(org: Org) -> None:
    sold(org)
    wrong = alert("a2", "lifetime_usage_amount", thresholds=[])
    refused = org.post(PATH, {"alerts": [alert(), wrong, alert()]}, 422)
    assert refused["error_details"] == {
        "1": {"thresholds": ["value_is_mandatory"]},
        "2": {"code": ["value_already_exist"]},
    }
    assert org.get(PATH)["alerts"] == []
    made = org.post(PATH, {"alerts": [alert(), alert("a2", "lifetime_usage_amount")]})
    assert [one["code"] for one in made["alerts"]] == ["a1", "a2"]
    assert set(made) == {"alerts"}
    for empty in ([], [alert()] * 101):
        assert org.post(PATH, {"alerts": empty}, 422)["error_details"] == {
            "alerts": ["invalid_count"]
        }


def test_c27_thresholds_and_steps(any_gateway: Gateway, receiver: Receiver) -> None:
    org = any_gateway.organization()
    sold(org)
    listening(org, receiver)
    steps = [{"value": 1500}, {"value": 3000}, {"value": 1000, "recurring": True, "code": "r"}]
    made = add(org, thresholds=steps, name="Watch")
    use(org, {"value": 35})
    look(org)
    use(org, {"value": 20})
    look(org)
    assert told(receiver, 2) == [
        ("0.0", "3500.0", ["1500.0", "3000.0"]),
        ("3500.0", "5500.0", ["4000.0", "5000.0"]),
    ]
    first, second = receiver.wait_for("alert.triggered", 2)
    payload = second.payload["triggered_alert"]
    assert payload["crossed_thresholds"][0] == {"code": "r", "value": "4000.0", "recurring": True}
    assert (payload["lago_alert_id"], payload["alert_code"]) == (made["lago_id"], "a1")
    assert (payload["external_subscription_id"], payload["external_customer_id"]) == ("s1", "c1")
    assert payload["lago_id"] != first.payload["triggered_alert"]["lago_id"]
    shown = org.get(f"{PATH}/a1")["alert"]
    assert (shown["previous_value"], shown["last_processed_at"]) == ("5500.0", JANUARY)


def test_c28_lifetime_usage(org: Org, receiver: Receiver) -> None:
    sold(org)
    listening(org, receiver)
    add(org, kind="lifetime_usage_amount", thresholds=[{"value": 15_000}])
    for month in (1, 2):
        use(org, {"value": 50}, at=None)
        look(org)
        org.clock(f"2026-0{month + 1}-01T01:00:00Z", catch_up=True)
    use(org, {"value": 55})
    look(org)
    assert told(receiver, 1) == [("10000.0", "15500.0", ["15000.0"])]


def test_an_alert_made_late_tells_of_what_was_passed(org: Org, receiver: Receiver) -> None:
    sold(org)
    use(org, {"value": 20})
    listening(org, receiver)
    add(org)
    org.clock("2026-01-01T00:02:00Z", catch_up=True)
    assert told(receiver, 1) == [("0.0", "2000.0", ["1500.0"])]


def test_thresholds_arm_themselves_with_a_new_period(org: Org, receiver: Receiver) -> None:
    sold(org)
    listening(org, receiver)
    add(org)
    use(org, {"value": 20})
    look(org)
    org.clock("2026-02-05T00:00:00Z", catch_up=True)
    use(org, {"value": 1})
    look(org)
    use(org, {"value": 15})
    look(org)
    assert told(receiver, 2) == [("0.0", "2000.0", ["1500.0"]), ("100.0", "1600.0", ["1500.0"])]


def test_14_26_a_period_begins_with_nothing(org: Org, receiver: Receiver) -> None:
    sold(org)
    listening(org, receiver)
    add(org)
    use(org, {"value": 20})
    look(org)
    org.clock("2026-02-05T00:00:00Z", catch_up=True)
    use(org, {"value": 40})
    look(org)
    assert told(receiver, 2) == [
        ("0.0", "2000.0", ["1500.0"]),
        ("0.0", "4000.0", ["1500.0", "3000.0"]),
    ]


def test_14_26_of_a_metric_the_sum_over_its_fees_counts(org: Org, receiver: Receiver) -> None:
    org.clock(JANUARY)
    filters = [{"key": "region", "values": ["eu", "us"]}]
    metric_id = add_metric(org, "usage", filters=filters)
    other = add_metric(org, "other")
    priced = [
        {"values": {"region": [name]}, "properties": {"amount": "1"}} for name in ("eu", "us")
    ]
    charges = [
        charge(metric_id, "standard", {"amount": "1"}, filters=priced),
        charge(other, "standard", {"amount": "1"}),
    ]
    add_plan(org, charges=charges)
    subscribe(org)
    listening(org, receiver)
    for kind, value in (("amount", 1500), ("units", 15)):
        add(
            org,
            code=kind,
            kind=f"billable_metric_current_usage_{kind}",
            billable_metric_code="usage",
            thresholds=[{"value": value}],
        )
    use(org, {"value": 8, "region": "eu"}, {"value": 8, "region": "us"})
    look(org)
    assert sorted(told(receiver, 2)) == [
        ("0.0", "16.0", ["15.0"]),
        ("0.0", "1600.0", ["1500.0"]),
    ]


def test_units_since_the_start_of_a_subscription(org: Org, receiver: Receiver) -> None:
    sold(org)
    listening(org, receiver)
    kind = "billable_metric_lifetime_usage_units"
    add(org, kind=kind, billable_metric_code="usage", thresholds=[{"value": 12}])
    use(org, {"value": 8})
    look(org)
    org.clock("2026-02-05T00:00:00Z", catch_up=True)
    use(org, {"value": 5})
    look(org)
    assert told(receiver, 1) == [("8.0", "13.0", ["12.0"])]


def test_alerts_stay_with_the_external_id(org: Org, receiver: Receiver) -> None:
    metric_id = sold(org)
    listening(org, receiver)
    add(org)
    add_plan(
        org, "dear", amount_cents=9000, charges=[charge(metric_id, "standard", {"amount": "2"})]
    )
    subscribe(org, "dear")
    org.clock("2026-01-02T00:00:00Z", catch_up=True)
    use(org, {"value": 8})
    look(org)
    assert told(receiver, 1) == [("0.0", "1600.0", ["1500.0"])]


def test_alerts_go_with_their_metric(org: Org) -> None:
    sold(org)
    kind = "billable_metric_current_usage_units"
    add(org, kind=kind, billable_metric_code="usage")
    org.delete("/billable_metrics/usage")
    assert org.get(PATH)["alerts"] == []
