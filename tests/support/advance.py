"""The words tests use for charges in advance."""

from typing import Any

from tests.support.billing import usage_event
from tests.support.gateway import Org

ALONE = {"pay_in_advance": True, "invoiceable": False}
INVOICED = {"pay_in_advance": True}
COUNT = {"aggregation": "count_agg"}
SEATS = {"aggregation": "unique_count_agg"}


def tier(first: int, last: int | None, unit: str, flat: str = "0") -> dict[str, Any]:
    """Return a graduated tier."""
    return {"from_value": first, "to_value": last, "per_unit_amount": unit, "flat_amount": flat}


def pay(org: Org, **properties: Any) -> dict[str, Any]:
    """Send an event of s1 now and return the one fee it brings."""
    name = f"t{org.get('/events?per_page=1')['meta']['total_count']}"
    org.post("/events", {"event": usage_event(name, properties=properties)})
    org.drain()
    (fee,) = fees(org, f"event_transaction_id={name}")
    return fee


def fees(org: Org, query: str = "") -> list[dict[str, Any]]:
    """Return charge fees, the oldest first."""
    listed: list[dict[str, Any]] = org.get(f"/fees?fee_type=charge&per_page=1000&{query}")["fees"]
    return listed[::-1]


def shown(fee: dict[str, Any]) -> tuple[str, int]:
    """Return the units and the amount of a fee."""
    return fee["units"], fee["amount_cents"]
