"""What customers may do: features with their privileges, and who is entitled to what."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_core.store.tables.base import TenantRow
from billing_core.store.tables.catalog import unique_live


class Privilege(TenantRow, kw_only=True):
    """One thing a feature lets its user do or have; `config` holds the options of a select."""

    __tablename__ = "privileges"
    __table_args__ = (unique_live("privileges", "feature_id", "code"),)

    feature_id: Mapped[UUID] = mapped_column(ForeignKey("features.id"), index=True)
    code: Mapped[str]
    position: Mapped[int]
    name: Mapped[str | None] = mapped_column(default=None)
    value_type: Mapped[str]
    config: Mapped[dict[str, list[str]]]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class Feature(TenantRow, kw_only=True):
    """A part of the product that plans and subscriptions may include."""

    __tablename__ = "features"
    __table_args__ = (unique_live("features", "org_id", "code"),)

    code: Mapped[str]
    name: Mapped[str | None] = mapped_column(default=None)
    description: Mapped[str | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    privileges: Mapped[list[Privilege]] = relationship(
        lazy="selectin",
        init=False,
        order_by=Privilege.position,
        primaryjoin="and_(Feature.id == Privilege.feature_id, Privilege.deleted_at.is_(None))",
        viewonly=True,
    )


class EntitlementValue(TenantRow, kw_only=True):
    """The value of a privilege, as text; null takes away what the subscription's plan gives."""

    __tablename__ = "entitlement_values"
    __table_args__ = (UniqueConstraint("entitlement_id", "privilege_id"),)

    entitlement_id: Mapped[UUID] = mapped_column(
        ForeignKey("entitlements.id", ondelete="CASCADE"), init=False
    )
    privilege_id: Mapped[UUID] = mapped_column(ForeignKey("privileges.id"), index=True, init=False)
    value: Mapped[str | None]
    privilege: Mapped[Privilege] = relationship(lazy="selectin")


class Entitlement(TenantRow, kw_only=True):
    """What a plan or a subscription (`owner_id`) says about a feature.

    `is_removed` stands on subscriptions alone: they go without a feature of their plan.
    """

    __tablename__ = "entitlements"
    __table_args__ = (UniqueConstraint("owner_id", "feature_id"),)

    owner_id: Mapped[UUID]
    feature_id: Mapped[UUID] = mapped_column(ForeignKey("features.id"), index=True, init=False)
    is_removed: Mapped[bool] = mapped_column(default=False)
    feature: Mapped[Feature] = relationship(lazy="selectin")
    values: Mapped[list[EntitlementValue]] = relationship(
        lazy="selectin",
        default_factory=list,
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
