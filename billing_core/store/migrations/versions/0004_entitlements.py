"""Features and entitlements."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing_core.store.columns import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LIVE = sa.text("deleted_at IS NULL")
TABLES = ("entitlement_values", "entitlements", "privileges", "features")


def upgrade() -> None:
    """Bring the tables here."""
    op.create_table(
        "features",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("deleted_at", Instant(timezone=True), nullable=True),
        *_tenant(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_features")),
    )
    _index("features", "org_id")
    _unique_live("features", "org_id", "code")
    op.create_table(
        "privileges",
        sa.Column("feature_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("value_type", sa.String(), nullable=False),
        sa.Column(
            "config",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("deleted_at", Instant(timezone=True), nullable=True),
        *_tenant(),
        sa.ForeignKeyConstraint(
            ["feature_id"], ["features.id"], name=op.f("fk_privileges_feature_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privileges")),
    )
    _index("privileges", "org_id")
    _index("privileges", "feature_id")
    _unique_live("privileges", "feature_id", "code")
    op.create_table(
        "entitlements",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("feature_id", sa.Uuid(), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        *_tenant(),
        sa.ForeignKeyConstraint(
            ["feature_id"], ["features.id"], name=op.f("fk_entitlements_feature_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlements")),
        sa.UniqueConstraint(
            "owner_id", "feature_id", name=op.f("uq_entitlements_owner_id_feature_id")
        ),
    )
    _index("entitlements", "org_id")
    _index("entitlements", "feature_id")
    op.create_table(
        "entitlement_values",
        sa.Column("entitlement_id", sa.Uuid(), nullable=False),
        sa.Column("privilege_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        *_tenant(),
        sa.ForeignKeyConstraint(
            ["entitlement_id"],
            ["entitlements.id"],
            name=op.f("fk_entitlement_values_entitlement_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["privilege_id"], ["privileges.id"], name=op.f("fk_entitlement_values_privilege_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlement_values")),
        sa.UniqueConstraint(
            "entitlement_id",
            "privilege_id",
            name=op.f("uq_entitlement_values_entitlement_id_privilege_id"),
        ),
    )
    _index("entitlement_values", "org_id")
    _index("entitlement_values", "privilege_id")


def downgrade() -> None:
    """Take them back."""
    for table in TABLES:
        op.drop_table(table)


def _tenant() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
    )


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def _unique_live(table: str, *columns: str) -> None:
    op.create_index(
        f"uq_{table}_live_{'_'.join(columns)}",
        table,
        list(columns),
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
