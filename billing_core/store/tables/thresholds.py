"""What usage is watched for: thresholds that are billed when reached, alerts, and who used some."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.columns import Exact
from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.catalog import BillableMetric, unique_live


class UsageThreshold(TenantRow, kw_only=True):
    """Lifetime usage in minor units at which a plan, or one subscription, is billed at once.

    Exactly one owner is set. A recurring one is the distance between steps (subscriptions.md 8).
    """

    __tablename__ = "usage_thresholds"
    __table_args__ = (
        unique_live("usage_thresholds", "plan_id", "amount_cents", "recurring"),
        unique_live("usage_thresholds", "subscription_id", "amount_cents", "recurring"),
    )

    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"), default=None)
    subscription_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subscriptions.id"), default=None
    )
    amount_cents: Mapped[int]
    recurring: Mapped[bool] = mapped_column(default=False)
    threshold_display_name: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class Alert(TenantRow, kw_only=True):
    """Values somebody wants to be told of, once each time one is passed (subscriptions.md 10).

    It belongs to whatever subscription bears the external id, or to a wallet. `thresholds` are
    objects of code, value (a decimal as text) and recurring; `previous_value` is what was seen at
    the last look, at `last_processed_at`.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        unique_live("alerts", "org_id", "external_subscription_id", "code"),
        unique_live("alerts", "wallet_id", "code"),
        unique_live("alerts", "wallet_id", "alert_type"),
        Index(
            "uq_alerts_live_type",
            "org_id",
            "external_subscription_id",
            "alert_type",
            unique=True,
            sqlite_where=text("deleted_at IS NULL AND billable_metric_id IS NULL"),
            postgresql_where=text("deleted_at IS NULL AND billable_metric_id IS NULL"),
        ),
        Index(
            "uq_alerts_live_type_of_metric",
            "org_id",
            "external_subscription_id",
            "alert_type",
            "billable_metric_id",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    external_subscription_id: Mapped[str | None] = mapped_column(default=None)
    wallet_id: Mapped[UUID | None] = mapped_column(default=None)
    billable_metric_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("billable_metrics.id"), default=None, index=True
    )
    alert_type: Mapped[str]
    code: Mapped[str]
    name: Mapped[str | None] = mapped_column(default=None)
    direction: Mapped[str] = mapped_column(default="increasing")
    thresholds: Mapped[list[Any]] = mapped_column(default_factory=list)
    previous_value: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    last_processed_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    metric: Mapped[BillableMetric | None] = relationship(lazy="selectin", init=False)


class SubscriptionActivity(TenantRow, kw_only=True):
    """The usage of a subscription that is watched has changed since it was last looked at."""

    __tablename__ = "subscription_activities"
    __table_args__ = (UniqueConstraint("org_id", "external_subscription_id"),)

    external_subscription_id: Mapped[str]
