"""The words tests use for usage that is told apart by filters and groups."""

from typing import Any

from tests.support.billing import add_metric, add_plan, charge, subscribe, usage_event
from tests.support.gateway import Org


def sold(  # noqa: PLR0913 - everything a subscription to one charge consists of
    org: Org,
    charge_fields: dict[str, Any],
    *,
    at: str = "2026-01-01T00:00:00Z",
    model: str = "standard",
    properties: dict[str, Any] | None = None,
    metric: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Subscribe s1 of c1 at an instant to a plan with one charge, and return that charge.

    The metric `usage` adds up the property `value`; the plan has no fee of its own.
    """
    org.clock(at)
    metric_id = add_metric(org, "usage", **(metric or {}))
    one = charge(metric_id, model, properties or {"amount": "1"}, **charge_fields)
    created = add_plan(org, charges=[one], **{"amount_cents": 0, **(plan or {})})
    subscribe(org)
    found: dict[str, Any] = created["charges"][0]
    return found


def use(org: Org, *events: dict[str, Any], at: int | str | None = None) -> None:
    """Send events with these properties, `transaction_id` counted on from what was sent before."""
    sent = org.get("/events?per_page=1")["meta"]["total_count"]
    body = [
        usage_event(f"t{sent + number}", timestamp=at, properties=properties)
        for number, properties in enumerate(events)
    ]
    org.post("/events/batch", {"events": body})


def tell(org: Org, query: str = "", *, status: int = 200) -> Any:
    """Return current usage of s1 of c1, or the body of a refusal."""
    path = f"/customers/c1/current_usage?external_subscription_id=s1&{query}"
    found = org.get(path, status=status)
    return found["customer_usage"] if status == 200 else found
