"""The published Python client and what is watched: alerts, thresholds and lifetime usage."""

from typing import Any

import pytest
from lago_python_client import Client, models
from lago_python_client.exceptions import LagoApiError

from tests.support.billing import add_metric, add_plan, charge, subscribe
from tests.support.gateway import Org
from tests.support.usage import use

# its annotations say less than the client can do
lago: Any = models


@pytest.fixture
def client(org: Org) -> Any:
    """Return a client of an organization whose s1 pays 1.00 a unit and has used 3."""
    org.clock("2026-01-01T00:00:00Z")
    charges = [charge(add_metric(org, "usage"), "standard", {"amount": "1"})]
    add_plan(org, charges=charges)
    subscribe(org)
    use(org, {"value": 3})
    return Client(api_key=org.key, api_url=org.url)


def an_alert(code: str, kind: str, **fields: Any) -> Any:
    """Return an alert with one threshold and one that recurs."""
    thresholds = [
        lago.AlertThreshold(code="warn", value="150"),
        lago.AlertThreshold(value="100", recurring=True),
    ]
    return lago.Alert(
        alert_type=kind,
        code=code,
        thresholds=lago.AlertThresholdList(__root__=thresholds),
        **fields,
    )


def test_alerts(client: Any, org: Org) -> None:
    wanted = [
        an_alert("money", "current_usage_amount", name="Money"),
        an_alert("units", "billable_metric_current_usage_units", billable_metric_code="usage"),
    ]
    made = client.subscriptions.create_alerts("s1", lago.AlertsList(alerts=wanted))["alerts"]
    assert [(one.code, one.previous_value, one.direction) for one in made] == [
        ("money", "0.0", "increasing"),
        ("units", "0.0", "increasing"),
    ]
    assert made[1].billable_metric.code == "usage"
    kept = made[0].thresholds.__root__
    assert [(one.code, one.value, one.recurring) for one in kept] == [
        ("warn", "150.0", False),
        (None, "100.0", True),
    ]
    with pytest.raises(LagoApiError) as refused:
        client.subscriptions.create_alerts("s1", lago.AlertsList(alerts=wanted))
    assert refused.value.response["error_details"] == {
        "0": {"code": ["value_already_exist"]},
        "1": {"code": ["value_already_exist"]},
    }
    client.subscriptions.delete_alerts("s1")
    assert org.get("/subscriptions/s1/alerts")["alerts"] == []


def test_thresholds_and_lifetime_usage(client: Any, org: Org) -> None:
    thresholds = lago.UsageThresholds(
        __root__=[
            lago.UsageThreshold(amount_cents=1000, threshold_display_name="First"),
            lago.UsageThreshold(amount_cents=500, recurring=True),
        ]
    )
    plan = client.plans.update(lago.Plan(usage_thresholds=thresholds), "basic")
    shown = plan.usage_thresholds.__root__
    assert [(one.amount_cents, one.recurring) for one in shown] == [(1000, False), (500, True)]
    found = client.subscriptions.update_lifetime_usage("s1", 800)
    assert found.external_historical_usage_amount_cents == 800
    assert found.current_usage_amount_cents == 300
    org.run("process_subscription_activity")
    found = client.subscriptions.lifetime_usage("s1")
    assert [(one.amount_cents, str(one.completion_ratio)) for one in found.usage_thresholds] == [
        (1000, "1.0"),
        (1500, "0.2"),
    ]
    assert found.usage_thresholds[0].reached_at == "2026-01-01T00:00:00Z"
    (invoice,) = client.invoices.find_all({"invoice_type": "progressive_billing"})["invoices"]
    (applied,) = invoice.applied_usage_thresholds.__root__
    assert applied.lifetime_usage_amount_cents == 1100
    assert applied.usage_threshold.amount_cents == 1000
