"""Events: stored once whatever they match, counted when they match, found again."""

from typing import Any

import pytest

from tests.support.billing import (
    add_customer,
    add_metric,
    add_plan,
    charge,
    current_usage,
    only_invoice,
    send,
    subscribe,
    usage_event,
)
from tests.support.gateway import Gateway, Org

JANUARY_1 = 1767225600
DAY_SECONDS = 86_400


def ready(org: Org, amount: str = "1") -> None:
    """Subscribe a customer to a price per unit of use, on the first of January."""
    org.clock("2026-01-01T00:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, amount_cents=0, charges=[charge(metric_id, "standard", {"amount": amount})])
    subscribe(org)
    org.clock("2026-01-20T00:00:00Z")


def test_an_event_comes_back_as_it_was_sent(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:05Z")
    properties = {"value": "12.50", "nested": {"a": [1, None, True]}, "text": "Æ\u2028<>&"}
    event = {
        "transaction_id": "t/1 ?#",
        "external_subscription_id": "s1",
        "code": "usage",
        "timestamp": "1767225600.1234",
        "precise_total_amount_cents": "12.5",
        "properties": properties,
    }
    stored = org.post("/events", {"event": event})["event"]
    assert stored["timestamp"] == "2026-01-01T00:00:00.123Z"
    assert stored["created_at"] == "2026-01-01T00:00:05Z"
    assert stored["precise_total_amount_cents"] == "12.5"
    assert stored["properties"] == properties
    assert (stored["lago_subscription_id"], stored["lago_customer_id"]) == (None, None)
    assert org.get("/events/t%2F1%20%3F%23")["event"] == stored
    assert org.get("/events")["events"] == [stored]
    assert org.get("/events/other", 404)["code"] == "event_not_found"


def test_an_event_counts_once(org: Org) -> None:
    ready(org)
    first = send(org, "t1", "5")
    answer = org.post("/events", {"event": usage_event("t1")}, 422)
    assert answer == {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "validation_errors",
        "error_details": {"transaction_id": ["value_already_exist"]},
    }
    assert org.get("/events/t1")["event"] == first
    send(org, "t1", "7", subscription="another")
    assert current_usage(org)["amount_cents"] == 500


def test_a_batch_is_stored_as_a_whole_or_not_at_all(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    ready(org)

    def batch(*events: dict[str, Any], status: int = 200) -> Any:
        return org.post("/events/batch", {"events": list(events)}, status)

    stored = batch(usage_event("b1"), usage_event("b2"))["events"]
    assert [one["transaction_id"] for one in stored] == ["b1", "b2"]
    again = batch(usage_event("b3"), usage_event("b2"), status=422)
    assert again["error_details"] == {"1": {"transaction_id": ["value_already_exist"]}}
    twice = batch(usage_event("b4"), usage_event("b5"), usage_event("b4"), status=422)
    assert twice["error_details"] == {"2": {"transaction_id": ["value_already_exist"]}}
    wrong = batch(
        usage_event("b2"), usage_event("b6", timestamp="now"), usage_event("", code=""), status=422
    )
    assert wrong["error_details"] == {
        "1": {"timestamp": ["invalid_format"]},
        "2": {"transaction_id": ["value_is_mandatory"], "code": ["value_is_mandatory"]},
    }
    assert batch(status=422)["error_details"] == {"events": ["no_events"]}
    many = [usage_event(f"m{number}") for number in range(101)]
    assert batch(*many, status=422)["error_details"] == {"events": ["too_many_events"]}
    assert org.get("/events")["meta"]["total_count"] == 2
    batch(*many[:100])
    batch(usage_event("same"), usage_event("same", subscription="another"))
    assert current_usage(org)["amount_cents"] == 10_300


@pytest.mark.parametrize("timestamp", ["2026-01-01T00:00:00Z", "", "soon", True, [], {"a": 1}])
def test_timestamps_that_are_refused(org: Org, timestamp: object) -> None:
    answer = org.post("/events", {"event": usage_event("t1", timestamp=timestamp)}, 422)
    assert answer["error_details"] == {"timestamp": ["invalid_format"]}
    org.get("/events/t1", 404)


@pytest.mark.parametrize(
    ("timestamp", "shown"),
    [
        (1767225600, "2026-01-01T00:00:00.000Z"),
        ("1767225600", "2026-01-01T00:00:00.000Z"),
        (1767225600.5, "2026-01-01T00:00:00.500Z"),
        ("1767225600.9999", "2026-01-01T00:00:00.999Z"),
        (" 1767225600 ", "2026-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
        (None, "2026-05-05T05:05:05.000Z"),
    ],
)
def test_timestamps_that_are_understood(org: Org, timestamp: object, shown: str) -> None:
    org.clock("2026-05-05T05:05:05Z")
    stored = org.post("/events", {"event": usage_event("t1", timestamp=timestamp)})["event"]
    assert stored["timestamp"] == shown


def test_what_comes_before_its_metric_and_subscription_counts_later(org: Org) -> None:
    org.clock("2026-01-05T00:00:00Z")
    send(org, "t1", "5", timestamp=JANUARY_1 + 10 * DAY_SECONDS)
    send(org, "too-early", "100", timestamp=JANUARY_1 + 5 * DAY_SECONDS)
    org.clock("2026-01-08T00:00:00Z")
    metric_id = add_metric(org, "usage")
    add_plan(org, amount_cents=0, charges=[charge(metric_id, "standard", {"amount": "1"})])
    subscribe(org)
    assert current_usage(org)["amount_cents"] == 500
    org.clock("2026-02-01T01:00:00Z", catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 500


def test_late_and_future_events(org: Org) -> None:
    ready(org)
    send(org, "late", "2", timestamp=JANUARY_1 + DAY_SECONDS)
    send(org, "before-start", "100", timestamp=JANUARY_1 - 1)
    send(org, "later-this-month", "3", timestamp=JANUARY_1 + 30 * DAY_SECONDS)
    send(org, "next-month", "4", timestamp=JANUARY_1 + 31 * DAY_SECONDS)
    send(org, "next-century", "100", timestamp=4_102_444_800)
    assert current_usage(org)["amount_cents"] == 500
    org.clock("2026-02-02T00:00:00Z", catch_up=True)
    assert only_invoice(org)["fees_amount_cents"] == 500
    assert current_usage(org)["amount_cents"] == 400


def test_values_that_are_no_numbers_do_not_count(org: Org) -> None:
    ready(org)
    values: list[object] = [
        12,
        "0.5",
        "-2",
        1000.25,
        "1e3",
        "+5",
        ".5",
        " 5",
        "1,000",
        True,
        None,
        [1],
    ]
    for number, value in enumerate(values):
        event = usage_event(f"t{number}") | {"properties": {"value": value}}
        org.post("/events", {"event": event})
    org.post("/events", {"event": usage_event("none") | {"properties": {}}})
    (charged,) = current_usage(org)["charges_usage"]
    assert (charged["units"], charged["events_count"]) == ("1010.75", 4)
    assert charged["amount_cents"] == 101_075


def test_quantities_keep_all_their_digits(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    ready(org, amount="0.000000001")
    send(org, "t1", "99999999999999999.000000000000000001")
    send(org, "t2", "0.000000000000000002")
    (charged,) = current_usage(org)["charges_usage"]
    assert charged["units"] == "99999999999999999.000000000000000003"
    assert charged["amount_cents"] == 10_000_000_000


def test_lists(org: Org) -> None:
    ready(org)
    for number in range(5):
        send(org, f"t{number}", timestamp=JANUARY_1 + number * DAY_SECONDS)
    send(org, "other-code", code="words", timestamp=JANUARY_1)
    send(org, "other-sub", subscription="s2", timestamp=JANUARY_1)

    def ids(query: str) -> list[str]:
        return [one["transaction_id"] for one in org.get(f"/events?{query}")["events"]]

    assert ids("") == ["t4", "t3", "t2", "t1", "other-code", "other-sub", "t0"]
    assert ids("code=words") == ["other-code"]
    assert ids("external_subscription_id=s2") == ["other-sub"]
    window = "timestamp_from=2026-01-02T00:00:00Z&timestamp_to=2026-01-04T00:00:00Z"
    assert ids(window) == ["t3", "t2", "t1"]
    assert ids("per_page=2&page=2") == ["t2", "t1"]
    assert org.get("/events?per_page=2")["meta"] == {
        "current_page": 1,
        "next_page": 2,
        "prev_page": None,
        "total_pages": 4,
        "total_count": 7,
    }
    started = "external_subscription_id=s1&timestamp_from_started_at=true"
    assert len(ids(started)) == 6
    org.get("/events?timestamp_from_started_at=true", 422)
    org.get(f"/events?{started}&timestamp_from=2026-01-01T00:00:00Z", 422)
    answer = org.get("/events?timestamp_from=yesterday", 422)
    assert answer["error_details"] == {"timestamp_from": ["invalid_date"]}


def test_an_ended_subscription_counts_up_to_its_end(org: Org) -> None:
    ready(org)
    send(org, "before", "3")
    org.delete("/subscriptions/s1")
    send(org, "after", "100", timestamp=JANUARY_1 + 20 * DAY_SECONDS)
    org.drain()
    assert only_invoice(org)["fees_amount_cents"] == 300


def test_customer_ids_stand_for_their_subscription(gateway: Gateway) -> None:
    org = gateway.organization(resolve_customer_ids=True)
    ready(org)
    add_customer(org, "c1")
    send(org, "t1", "5", subscription="c1")
    send(org, "t2", "2")
    assert current_usage(org)["amount_cents"] == 700
    org.post("/events", {"event": usage_event("t1", subscription="c1")}, 422)


def test_events_of_a_deleted_metric_are_forgotten_in_frozen_time_too(org: Org) -> None:
    """A clock may stand in the future: events then carry an instant that real time has not seen."""
    org.clock("2090-01-01T00:00:00Z")
    metric = add_metric(org, "kept")
    add_plan(org, charges=[charge(metric, "standard", {"amount": "1"})])
    add_customer(org)
    subscribe(org)
    send(org, "before", code="kept")
    org.delete("/billable_metrics/kept")
    org.drain()
    org.get("/events/before", status=404)
