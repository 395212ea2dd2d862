"""The hourly look at events: one webhook names those that will count for nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.billing import add_metric, usage_event
from tests.support.gateway import Gateway, Org
from tests.support.receiver import Receiver, receiving

JOB = "post_validate_events"
TOLD = "events.errors"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def listen(org: Org, receiver: Receiver) -> None:
    """Have everything told to the receiver."""
    org.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": receiver.url}})


def store(org: Org, name: str, code: str, **properties: Any) -> None:
    """Send an event."""
    org.post("/events", {"event": usage_event(name, code=code, properties=properties)})


def errors(receiver: Receiver, count: int = 1) -> dict[str, Any]:
    """Return what the newest of so many webhooks says."""
    found: dict[str, Any] = receiver.wait_for(TOLD, count)[-1].payload["events_errors"]
    return found


def test_events_of_the_last_full_hour_are_looked_at(
    any_gateway: Gateway, receiver: Receiver
) -> None:
    org = any_gateway.organization()
    listen(org, receiver)
    add_metric(org, "sums", filters=[{"key": "cloud", "values": ["aws", "7"]}])
    add_metric(org, "seats", "unique_count_agg")
    add_metric(org, "calls", "count_agg")
    org.clock("2026-01-01T07:59:59Z")
    store(org, "old", "unknown")
    org.clock("2026-01-01T08:00:00Z")
    store(org, "unknown", "unknown")
    store(org, "fine", "sums", value="1", cloud=7)
    store(org, "text", "sums", value="one")
    store(org, "absent", "sums")
    store(org, "both", "sums", value=None, cloud="azure")
    store(org, "cloud", "sums", value=1, cloud="azure")
    store(org, "seat", "seats", value="anything")
    store(org, "no seat", "seats", other="1")
    store(org, "call", "calls")
    org.clock("2026-01-01T09:00:00Z")
    store(org, "new", "unknown")
    org.clock("2026-01-01T09:05:00Z")
    org.run(JOB)
    assert errors(receiver) == {
        "invalid_code": ["unknown"],
        "missing_aggregation_property": ["text", "absent", "both", "no seat"],
        "missing_group_key": None,
        "invalid_filter_values": ["both", "cloud"],
    }
    org.run(JOB)
    org.clock("2026-01-01T10:05:00Z")
    org.run(JOB)
    assert errors(receiver, 2)["invalid_code"] == ["new"]
    assert len(receiver.of_type(TOLD)) == 2


def test_a_missed_hour_is_looked_at_with_the_next(org: Org, receiver: Receiver) -> None:
    listen(org, receiver)
    org.clock("2026-01-01T08:05:00Z")
    org.run(JOB)
    store(org, "first", "unknown")
    org.clock("2026-01-01T09:30:00Z")
    store(org, "second", "unknown")
    org.clock("2026-01-01T11:05:00Z")
    org.run(JOB)
    assert errors(receiver)["invalid_code"] == ["first", "second"]


def test_nothing_is_told_where_nothing_is_wrong(org: Org, receiver: Receiver) -> None:
    listen(org, receiver)
    add_metric(org, "sums")
    org.clock("2026-01-01T08:00:00Z")
    store(org, "fine", "sums", value=1)
    org.clock("2026-01-01T09:05:00Z")
    org.run(JOB)
    store(org, "wrong", "unknown")
    org.clock("2026-01-01T10:05:00Z")
    org.run(JOB)
    assert errors(receiver)["invalid_code"] == ["wrong"]
    assert len(receiver.of_type(TOLD)) == 1


def test_nobody_listens_so_nothing_is_looked_at(org: Org, receiver: Receiver) -> None:
    org.clock("2026-01-01T08:00:00Z")
    store(org, "long before", "unknown")
    org.clock("2026-01-01T09:05:00Z")
    org.run(JOB)
    org.clock("2026-01-01T12:05:00Z")
    store(org, "just before", "unknown")
    listen(org, receiver)
    store(org, "after", "unknown")
    org.clock("2026-01-01T13:05:00Z")
    org.run(JOB)
    assert errors(receiver)["invalid_code"] == ["after"]
