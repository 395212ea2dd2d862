"""What was promised and to whom: outbox, webhooks, their attempts, files and job runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.store.columns import Encrypted
from billing_core.store.tables.base import Row, TenantRow

UNSENT = text("sent_at IS NULL")
UNDONE = text("done_at IS NULL")


class Outbox(TenantRow, kw_only=True):
    """A promise kept by the relay: `topic` names the job, `payload` carries ids only.

    `sent_at` is when the broker took it, `done_at` is set in the transaction of its effects.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_unsent", "due_at", sqlite_where=UNSENT, postgresql_where=UNSENT),
        Index("ix_outbox_undone", "org_id", "due_at", sqlite_where=UNDONE, postgresql_where=UNDONE),
    )

    topic: Mapped[str]
    payload: Mapped[dict[str, Any]]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    done_at: Mapped[datetime | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(default=None)


class WebhookEndpoint(TenantRow, kw_only=True):
    """Where an organization wants to be told, and how it verifies the sender."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (UniqueConstraint("org_id", "webhook_url"),)

    webhook_url: Mapped[str]
    signature_algo: Mapped[str] = mapped_column(default="jwt")
    signing_secret: Mapped[str] = mapped_column(Encrypted)
    name: Mapped[str | None] = mapped_column(default=None)
    event_types: Mapped[list[str] | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]


class Webhook(TenantRow, kw_only=True):
    """One message for one endpoint; its id is the unique key receivers deduplicate by."""

    __tablename__ = "webhooks"
    __table_args__ = (UniqueConstraint("outbox_id", "endpoint_id"),)

    endpoint_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), index=True
    )
    outbox_id: Mapped[UUID]
    webhook_type: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[UUID | None] = mapped_column(default=None)
    body: Mapped[bytes]
    status: Mapped[str] = mapped_column(default="pending")
    retries: Mapped[int] = mapped_column(default=0)
    http_status: Mapped[int | None] = mapped_column(default=None)
    response: Mapped[str | None] = mapped_column(default=None)
    last_retried_at: Mapped[datetime | None] = mapped_column(default=None)
    updated_at: Mapped[datetime]


class WebhookAttempt(TenantRow, kw_only=True):
    """One try to deliver a webhook."""

    __tablename__ = "webhook_attempts"

    webhook_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), index=True
    )
    attempt: Mapped[int]
    http_status: Mapped[int | None] = mapped_column(default=None)
    response: Mapped[str | None] = mapped_column(default=None)
    error: Mapped[str | None] = mapped_column(default=None)


class StoredFile(TenantRow, kw_only=True):
    """A rendered document."""

    __tablename__ = "files"

    name: Mapped[str]
    content_type: Mapped[str]
    content: Mapped[bytes]


class JobRun(Row, kw_only=True):
    """When a scheduled job last ran in real time, so that missed ticks are noticed."""

    __tablename__ = "job_runs"

    job: Mapped[str] = mapped_column(primary_key=True)
    last_run_at: Mapped[datetime]
