"""Usage of customers: operations tagged `customers` about what subscriptions have used."""

import json
from collections.abc import Mapping
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.ports import EventStore
from billing_core.services import past_usage, projected_usage, usage
from billing_core.services.tariffs import Narrowing
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page
from billing_core.wire.usage import ProjectedUsageOut, UsageOut
from gateway.http import Answer, Filters, Gives, Operation, listed, one

CURRENT = (
    "external_subscription_id",
    "apply_taxes",
    "charge_id",
    "charge_code",
    "billable_metric_code",
    "group",
    "filter_by_presentation",
    "skip_grouping",
    "full_usage",
    "filter_by_charge_id",
    "filter_by_charge_code",
    "filter_by_metric_code",
    "filter_by_group",
)
PAST = ("external_subscription_id", "billable_metric_code", "periods_count")
GROUP_NAMES = ("group", "filter_by_group")
MOST_DIGITS = 9


@get(
    "/customers/{external_id:str}/current_usage",
    operation_id="findCustomerCurrentUsage",
    opt=Operation(Gives("customer_usage", UsageOut), query=CURRENT, refuses=(404, 405, 422)).opt(),
)
async def current_usage(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    external_id: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return the usage of a subscription in its current period, priced as it will be billed."""
    wish = usage.UsageWish(
        external_subscription_id=_text(filters, "external_subscription_id"),
        apply_taxes=filters.get("apply_taxes") != "false",
        charge_id=_text(filters, "charge_id", "filter_by_charge_id"),
        charge_code=_text(filters, "charge_code", "filter_by_charge_code"),
        billable_metric_code=_text(filters, "billable_metric_code", "filter_by_metric_code"),
        narrowing=Narrowing(
            groups=_groups(filters),
            skip_grouping=filters.get("skip_grouping") == "true",
            presentation=_presentation(filters),
        ),
        full_usage=filters.get("full_usage") == "true",
    )
    return one("customer_usage", await usage.current(unit, events, external_id, wish))


@get(
    "/customers/{external_id:str}/projected_usage",
    operation_id="findCustomerProjectedUsage",
    opt=Operation(
        Gives("customer_projected_usage", ProjectedUsageOut),
        query=("external_subscription_id", "apply_taxes"),
        refuses=(404, 405, 422),
    ).opt(),
)
async def find_projected_usage(
    unit: NamedDependency[Unit],
    events: NamedDependency[EventStore],
    external_id: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """Return current usage, and what the period will come to if it goes on like this."""
    wish = usage.UsageWish(
        external_subscription_id=_text(filters, "external_subscription_id"),
        apply_taxes=filters.get("apply_taxes") != "false",
    )
    found = await projected_usage.projected(unit, events, external_id, wish)
    return one("customer_projected_usage", found)


@get(
    "/customers/{external_id:str}/past_usage",
    operation_id="findAllCustomerPastUsage",
    opt=Operation(
        Gives("usage_periods", UsageOut, many=True), query=PAST, refuses=(404, 422)
    ).opt(),
)
async def list_past_usage(
    unit: NamedDependency[Unit],
    page: NamedDependency[Page],
    external_id: FromPath[str],
    filters: NamedDependency[Filters],
) -> Answer:
    """List the billed periods of a subscription, newest first."""
    wish = past_usage.PastWish(
        external_subscription_id=_text(filters, "external_subscription_id"),
        billable_metric_code=_text(filters, "billable_metric_code"),
        periods_count=_count(_text(filters, "periods_count")),
    )
    shown, total = await past_usage.page(unit, external_id, wish, page)
    return listed("usage_periods", shown, page, total)


def _text(filters: Filters, *names: str) -> str | None:
    """Return the first of several names of a parameter that is not blank."""
    given = (filters.get(name) for name in names)
    return next((value for value in given if isinstance(value, str) and value.strip()), None)


def _count(text: str | None) -> int | None:
    """Read a count; what is none is no limit."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        return None
    return int(text)


def _groups(filters: Filters) -> dict[str, frozenset[str]]:
    """Read `group[key]=value`, `group[key][]=value` and `group={"key": value or list}`."""
    for root in GROUP_NAMES:
        found: dict[str, Any] = _object(filters.get(root))
        for name, value in filters.items():
            if name.startswith(f"{root}[") and name.endswith("]"):
                found[name.removeprefix(f"{root}[").split("]")[0]] = value
        groups = {key: _texts(value) for key, value in found.items() if key}
        if groups:
            return groups
    return {}


def _object(value: Any) -> dict[str, Any]:
    document = _json(value)
    return dict(document) if isinstance(document, Mapping) else {}


def _json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def _texts(value: Any) -> frozenset[str]:
    return frozenset(map(str, value if isinstance(value, list) else [value]))


def _presentation(filters: Filters) -> frozenset[str] | None:
    """Read the breakdown keys to keep: one, or a JSON list of them."""
    text = _text(filters, "filter_by_presentation")
    if text is None:
        return None
    names = _json(text)
    return _texts(names if isinstance(names, list) else text)


RESOURCE = "customer_usage"
TAG = "customers"
HANDLERS = [current_usage, find_projected_usage, list_past_usage]
