"""Queries about customers whose wallets are to be looked at again."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from billing_core.ids import new_id
from billing_core.store.tables import Plan, Subscription, Wallet, WalletRefresh, WalletRule
from billing_core.store.unit import Unit

NAMES_PER_QUERY = 500
SAMPLE = 200


async def watching(session: AsyncSession) -> set[UUID]:
    """Return the organizations that have active wallets."""
    rows = await session.scalars(select(Wallet.org_id).where(Wallet.status == "active").distinct())
    return set(rows)


async def customers_of(
    unit: Unit,
    *,
    among: Iterable[UUID] | None = None,
    names: Iterable[str] | None = None,
    plan_id: UUID | None = None,
) -> set[UUID]:
    """Return the customers with active wallets.

    Optionally only some of them, or those of subscriptions among `names`, by external id, or on a
    plan or an override of it.
    """
    query = select(Wallet.customer_id).where(Wallet.status == "active").distinct()
    if among is not None:
        query = query.where(Wallet.customer_id.in_(sorted(set(among))))
    if plan_id is not None:
        plans = select(Plan.id).where(or_(Plan.id == plan_id, Plan.parent_id == plan_id))
        owners = select(Subscription.customer_id).where(
            Subscription.plan_id.in_(plans), Subscription.status == "active"
        )
        query = query.where(Wallet.customer_id.in_(owners))
    if names is None:
        return set(await unit.session.scalars(query))
    found: set[UUID] = set()
    wanted = sorted(set(names))
    for start in range(0, len(wanted), NAMES_PER_QUERY):
        some = select(Subscription.customer_id).where(
            Subscription.external_id.in_(wanted[start : start + NAMES_PER_QUERY]),
            Subscription.org_id == unit.org_id,
        )
        found |= set(await unit.session.scalars(query.where(Wallet.customer_id.in_(some))))
    return found


async def note(unit: Unit, customer_ids: Iterable[UUID], *, promised: bool) -> list[UUID]:
    """Note that the wallets of these customers are to be looked at.

    With `promised` the caller promises the look at those returned: for the others it was promised
    before, and will see what this transaction did.
    """
    is_postgres = unit.session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    changed: list[UUID] = []
    wanted = sorted(set(customer_ids))
    for start in range(0, len(wanted), NAMES_PER_QUERY):
        statement: Any = insert(WalletRefresh).values(
            [
                {
                    "id": new_id(),
                    "org_id": unit.org_id,
                    "created_at": unit.now,
                    "customer_id": customer_id,
                    "promised": promised,
                }
                for customer_id in wanted[start : start + NAMES_PER_QUERY]
            ]
        )
        conflict: dict[str, Any] = {"index_elements": ["customer_id"]}
        if promised:
            statement = statement.on_conflict_do_update(
                **conflict, set_={"promised": True}, where=WalletRefresh.promised.is_(False)
            )
        else:  # whoever takes the note then sees why it was made
            statement = statement.on_conflict_do_update(
                **conflict, set_={"created_at": statement.excluded.created_at}
            )
        changed += await unit.session.scalars(statement.returning(WalletRefresh.customer_id))
    return changed


async def take(unit: Unit, customer_ids: Iterable[UUID]) -> list[UUID]:
    """Take the notes of these customers away; returns who had one."""
    rows = await unit.session.scalars(
        delete(WalletRefresh)
        .where(WalletRefresh.customer_id.in_(sorted(set(customer_ids))))
        .returning(WalletRefresh.customer_id)
    )
    return sorted(rows)


async def waiting(unit: Unit) -> list[UUID]:
    """Return the customers that wait for the clock."""
    rows = await unit.session.scalars(
        select(WalletRefresh.customer_id)
        .where(WalletRefresh.promised.is_(False))
        .order_by(WalletRefresh.customer_id)
    )
    return list(rows)


async def active_subscriptions(unit: Unit, customer_ids: Iterable[UUID]) -> list[Subscription]:
    """Return the active subscriptions of some customers."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(
            Subscription.customer_id.in_(sorted(set(customer_ids))),
            Subscription.status == "active",
        )
        .order_by(Subscription.customer_id, Subscription.id)
    )
    return list(rows)


async def is_waiting(unit: Unit) -> bool:
    """Tell whether a customer waits for the clock."""
    query = select(WalletRefresh.id).where(WalletRefresh.promised.is_(False)).limit(1)
    return (await unit.session.scalar(query)) is not None


async def earliest_expiry(unit: Unit) -> tuple[datetime | None, datetime | None]:
    """Return when the next wallet expires, and when the next rule does."""
    wallet = select(func.min(Wallet.expiration_at)).where(Wallet.status == "active")
    rule = select(func.min(WalletRule.expiration_at)).where(WalletRule.status == "active")
    return await unit.session.scalar(wallet), await unit.session.scalar(rule)


async def next_interval_rules(unit: Unit) -> list[tuple[date, Wallet]]:
    """Return the days on which interval rules fire next, the earliest ones, and their wallets."""
    rows = await unit.session.execute(
        select(WalletRule.next_top_up_on, Wallet)
        .join(Wallet, Wallet.id == WalletRule.wallet_id)
        .where(
            WalletRule.status == "active",
            WalletRule.next_top_up_on.is_not(None),
            Wallet.status == "active",
        )
        .order_by(WalletRule.next_top_up_on)
        .limit(SAMPLE)
    )
    return [(day, wallet) for day, wallet in rows if day is not None]
