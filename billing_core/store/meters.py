"""What an organization's charges look at in the events of a metric."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, cast, or_, select

from billing_core.domain.filters import group_keys
from billing_core.store.tables import Charge, ChargeFilter
from billing_core.store.unit import Unit

GROUPED = "%group\\_keys%"


async def dimensions(unit: Unit, metric_ids: Iterable[UUID]) -> dict[UUID, tuple[str, ...]]:
    """Return the property keys by which the live charges on each metric tell usage apart, sorted.

    They are the same whichever plan asks, so that the event store keeps one set of rollups per
    metric. Charges that copy each other are read once, plain ones not at all.
    """
    found: dict[UUID, set[str]] = {metric_id: set() for metric_id in metric_ids}
    is_filtered = and_(ChargeFilter.charge_id == Charge.id, ChargeFilter.deleted_at.is_(None))
    properties = cast(Charge.properties, Text)
    rows = await unit.session.execute(
        select(
            Charge.billable_metric_id,
            Charge.accepts_target_wallet,
            properties.label("of_charge"),
            cast(ChargeFilter.values, Text).label("filtered"),
            cast(ChargeFilter.properties, Text).label("of_filter"),
        )
        .join(ChargeFilter, is_filtered, isouter=True)
        .where(
            Charge.billable_metric_id.in_(sorted(found)),
            Charge.deleted_at.is_(None),
            or_(
                ChargeFilter.id.is_not(None),
                Charge.accepts_target_wallet,
                properties.like(GROUPED, escape="\\"),
            ),
        )
        .distinct()
    )
    for metric_id, accepts, of_charge, values, of_filter in rows:
        found[metric_id].update(_keys(of_charge, accepts=accepts))
        if values is not None:
            found[metric_id].update(json.loads(values), _keys(of_filter, accepts=accepts))
    return {metric_id: tuple(sorted(keys)) for metric_id, keys in found.items()}


def _keys(text: str, *, accepts: bool) -> set[str]:
    properties: dict[str, Any] = json.loads(text)
    shown = {one["value"] for one in properties.get("presentation_group_keys") or ()}
    return shown.union(group_keys(properties, accepts_target_wallet=accepts))
