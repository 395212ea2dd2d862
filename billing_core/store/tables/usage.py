"""What metering remembers: how far charges in advance have come, and what was looked at."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.store.columns import Exact
from billing_core.store.tables.base import Row, TenantRow


class HighWaterMark(TenantRow, kw_only=True):
    """How far the units of a charge in advance have come in a period, and the most that was paid.

    One per filter and group: `bucket` is a digest of both. `base_units` were there before the first
    event that was charged; `events_count` includes theirs (metering.md 3.16).
    """

    __tablename__ = "high_water_marks"
    __table_args__ = (
        UniqueConstraint(
            "subscription_id",
            "charge_id",
            "from_datetime",
            "bucket",
            name="uq_high_water_marks_place",
        ),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"))
    from_datetime: Mapped[datetime]
    bucket: Mapped[str]
    base_units: Mapped[Decimal] = mapped_column(Exact)
    events_count: Mapped[int]
    current: Mapped[Decimal] = mapped_column(Exact)
    maximum: Mapped[Decimal | None] = mapped_column(Exact, default=None)
    updated_at: Mapped[datetime]


class EventCheck(TenantRow, kw_only=True):
    """How far an organization's events were looked at for errors.

    `last_order` is the order of ingestion of the last one, all of them created before
    `checked_until`, which is a full hour.
    """

    __tablename__ = "event_checks"
    __table_args__ = (UniqueConstraint("org_id"),)

    last_order: Mapped[int]
    checked_until: Mapped[datetime]


class EventMark(Row, kw_only=True):
    """How far the events of all organizations were looked through, by order of ingestion."""

    __tablename__ = "event_marks"

    purpose: Mapped[str] = mapped_column(primary_key=True)
    last_order: Mapped[int]
