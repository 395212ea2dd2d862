"""Queries about alerts."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from billing_core.store.pages import page_of
from billing_core.store.tables import Alert
from billing_core.store.unit import Unit
from billing_core.wire.pages import Page


def add(unit: Unit, alert: Alert) -> None:
    """Put a new alert in the unit."""
    unit.session.add(alert)


async def of_subscription(unit: Unit, external_id: str) -> list[Alert]:
    """Return the live alerts of a subscription's external id, the oldest first."""
    rows = await unit.session.scalars(
        select(Alert)
        .where(Alert.external_subscription_id == external_id, Alert.deleted_at.is_(None))
        .order_by(Alert.created_at, Alert.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def of_wallets(unit: Unit, wallet_ids: Iterable[UUID]) -> list[Alert]:
    """Return the live alerts of some wallets, the oldest first."""
    rows = await unit.session.scalars(
        select(Alert)
        .where(Alert.wallet_id.in_(sorted(set(wallet_ids))), Alert.deleted_at.is_(None))
        .order_by(Alert.created_at, Alert.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def page_of_wallet(unit: Unit, wallet_id: UUID, wanted: Page) -> tuple[list[Alert], int]:
    """List the live alerts of a wallet, newest first."""
    query = select(Alert).where(Alert.wallet_id == wallet_id, Alert.deleted_at.is_(None))
    return await page_of(unit, query, wanted, Alert.created_at.desc(), Alert.id.desc())


async def by_code(unit: Unit, external_id: str, code: str) -> Alert | None:
    """Find a live alert of a subscription's external id."""
    return await unit.session.scalar(
        select(Alert).where(
            Alert.external_subscription_id == external_id,
            Alert.code == code,
            Alert.deleted_at.is_(None),
        )
    )


async def page(unit: Unit, external_id: str, wanted: Page) -> tuple[list[Alert], int]:
    """List the live alerts of a subscription's external id, newest first."""
    query = select(Alert).where(
        Alert.external_subscription_id == external_id, Alert.deleted_at.is_(None)
    )
    return await page_of(unit, query, wanted, Alert.created_at.desc(), Alert.id.desc())


async def delete_of_metric(unit: Unit, metric_id: UUID, at: datetime) -> None:
    """Delete the alerts on a metric, which goes with them."""
    await unit.session.execute(
        update(Alert)
        .where(Alert.billable_metric_id == metric_id, Alert.deleted_at.is_(None))
        .values(deleted_at=at)
        .execution_options(synchronize_session=False)
    )
