"""Queries about whose usage is watched, and whose has changed."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Select, delete, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from billing_core.ids import new_id
from billing_core.store.tables import (
    Alert,
    EventMark,
    Organization,
    Plan,
    Subscription,
    SubscriptionActivity,
    UsageThreshold,
    Wallet,
)
from billing_core.store.unit import Unit

PURPOSE = "subscription_activity"
NAMES_PER_QUERY = 500


async def mark(session: AsyncSession) -> int | None:
    """Return the order of the last event that was looked at; None before the first look."""
    return await session.scalar(select(EventMark.last_order).where(EventMark.purpose == PURPOSE))


async def set_mark(session: AsyncSession, order: int | None) -> None:
    """Remember how far events were looked at; None forgets it."""
    if order is None:
        await session.execute(delete(EventMark).where(EventMark.purpose == PURPOSE))
    else:
        await session.merge(EventMark(purpose=PURPOSE, last_order=order))


async def watching(session: AsyncSession) -> set[UUID]:
    """Return the organizations that have alerts, thresholds or active wallets."""
    alerts = select(Alert.org_id).where(
        Alert.deleted_at.is_(None), Alert.external_subscription_id.is_not(None)
    )
    thresholds = select(UsageThreshold.org_id).where(UsageThreshold.deleted_at.is_(None))
    wallets = select(Wallet.org_id).where(Wallet.status == "active")
    return set(await session.scalars(alerts.union(thresholds, wallets)))


def in_real_time() -> Select[UUID]:
    """Return which organizations that live in real time watch usage, or have some to look at."""
    of_theirs = (
        exists().where(Alert.org_id == Organization.id, Alert.deleted_at.is_(None)),
        exists().where(
            UsageThreshold.org_id == Organization.id, UsageThreshold.deleted_at.is_(None)
        ),
        exists().where(SubscriptionActivity.org_id == Organization.id),
        exists().where(Wallet.org_id == Organization.id, Wallet.status == "active"),
    )
    return select(Organization.id).where(Organization.frozen_at.is_(None), or_(*of_theirs))


async def waiting(session: AsyncSession) -> list[UUID]:
    """Return the organizations in real time whose subscriptions are to be looked at."""
    rows = await session.scalars(
        select(SubscriptionActivity.org_id)
        .join(Organization, Organization.id == SubscriptionActivity.org_id)
        .where(Organization.frozen_at.is_(None))
        .distinct()
    )
    return list(rows)


async def is_waiting(unit: Unit) -> bool:
    """Tell whether a subscription of the organization is to be looked at."""
    return (await unit.session.scalar(select(SubscriptionActivity.id).limit(1))) is not None


async def watched(
    unit: Unit, *, names: Iterable[str] | None = None, plan_id: UUID | None = None
) -> set[str]:
    """Return the external ids of active subscriptions that have alerts or thresholds.

    Optionally only those among `names`, or those on a plan or an override of it.
    """
    plan = aliased(Plan)
    owners = (
        UsageThreshold.subscription_id == Subscription.id,
        UsageThreshold.plan_id == Subscription.plan_id,
        UsageThreshold.plan_id == plan.parent_id,
    )
    query = (
        select(Subscription.external_id)
        .join(plan, plan.id == Subscription.plan_id)
        .where(
            Subscription.status == "active",
            or_(
                exists().where(
                    Alert.org_id == unit.org_id,
                    Alert.external_subscription_id == Subscription.external_id,
                    Alert.deleted_at.is_(None),
                ),
                *(exists().where(owner, UsageThreshold.deleted_at.is_(None)) for owner in owners),
            ),
        )
    )
    if plan_id is not None:
        query = query.where(or_(plan.id == plan_id, plan.parent_id == plan_id))
    if names is None:
        return set(await unit.session.scalars(query))
    found: set[str] = set()
    wanted = sorted(names)
    for start in range(0, len(wanted), NAMES_PER_QUERY):
        some = wanted[start : start + NAMES_PER_QUERY]
        found |= set(await unit.session.scalars(query.where(Subscription.external_id.in_(some))))
    return found


async def note(unit: Unit, names: Iterable[str]) -> None:
    """Note that the usage of these subscriptions is to be looked at.

    A note that is there is locked until this commits: whoever takes it then sees why it was made.
    """
    is_postgres = unit.session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    wanted = sorted(set(names))
    for start in range(0, len(wanted), NAMES_PER_QUERY):
        statement = insert(SubscriptionActivity).values(
            [
                {
                    "id": new_id(),
                    "org_id": unit.org_id,
                    "created_at": unit.now,
                    "external_subscription_id": name,
                }
                for name in wanted[start : start + NAMES_PER_QUERY]
            ]
        )
        await unit.session.execute(
            statement.on_conflict_do_update(
                index_elements=["org_id", "external_subscription_id"],
                set_={"created_at": statement.excluded.created_at},
            )
        )


async def take(unit: Unit) -> list[str]:
    """Take all notes away and return whose they were.

    What is noted from now on is noted anew: whoever acts on these sees at least what led to them.
    """
    rows = await unit.session.scalars(
        delete(SubscriptionActivity).returning(SubscriptionActivity.external_subscription_id)
    )
    return sorted(rows)
