"""Queries about activation rules: what a subscription waits for before it starts."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select

from billing_core.store.tables import ActivationRule
from billing_core.store.unit import Unit


async def of(unit: Unit, subscription_ids: Iterable[UUID]) -> dict[UUID, list[ActivationRule]]:
    """Return the rules of some subscriptions, by subscription; those without any are left out."""
    rows = await unit.session.scalars(
        select(ActivationRule)
        .where(ActivationRule.subscription_id.in_(sorted(subscription_ids)))
        .order_by(ActivationRule.id)
    )
    found: dict[UUID, list[ActivationRule]] = {}
    for row in rows:
        found.setdefault(row.subscription_id, []).append(row)
    return found


async def replace(unit: Unit, subscription_id: UUID, rules: Iterable[tuple[str, int]]) -> None:
    """Make these the rules of a subscription: (type, hours until it expires) each."""
    await unit.session.execute(
        delete(ActivationRule).where(ActivationRule.subscription_id == subscription_id)
    )
    for rule_type, timeout_hours in rules:
        unit.session.add(
            ActivationRule(
                org_id=unit.org_id,
                created_at=unit.now,
                updated_at=unit.now,
                subscription_id=subscription_id,
                rule_type=rule_type,
                timeout_hours=timeout_hours,
            )
        )
    await unit.flush()


async def expired(unit: Unit, now: datetime) -> list[UUID]:
    """Return the subscriptions whose rule has waited long enough."""
    rows = await unit.session.scalars(
        select(ActivationRule.subscription_id)
        .where(ActivationRule.status == "pending", ActivationRule.expires_at <= now)
        .order_by(ActivationRule.expires_at, ActivationRule.id)
    )
    return list(rows)


async def earliest_expiry(unit: Unit) -> datetime | None:
    """Return when the next rule expires."""
    return await unit.session.scalar(
        select(func.min(ActivationRule.expires_at)).where(ActivationRule.status == "pending")
    )
