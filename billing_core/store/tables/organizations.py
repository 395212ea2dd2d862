"""Organizations, their keys and their billing entities."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.ids import new_id
from billing_core.store.columns import Encrypted
from billing_core.store.tables.base import Row, TenantRow


class Organization(Row, kw_only=True):
    """A tenant. `frozen_at` is its test clock; null means real time."""

    __tablename__ = "organizations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    created_at: Mapped[datetime]
    name: Mapped[str]
    sandbox: Mapped[bool] = mapped_column(default=False)
    frozen_at: Mapped[datetime | None] = mapped_column(default=None)
    hmac_key: Mapped[str] = mapped_column(Encrypted)
    resolve_customer_ids: Mapped[bool] = mapped_column(default=False)
    customer_sequence: Mapped[int] = mapped_column(default=0)


class ApiKey(TenantRow, kw_only=True):
    """An API key: only its hash is kept, and the last four characters to recognise it by."""

    __tablename__ = "api_keys"

    name: Mapped[str | None] = mapped_column(default=None)
    key_hash: Mapped[str] = mapped_column(unique=True)
    last_four: Mapped[str]
    permissions: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    last_used_at: Mapped[datetime | None] = mapped_column(default=None)


class BillingEntity(TenantRow, kw_only=True):
    """Who issues invoices: the seller's name, numbering and invoicing defaults."""

    __tablename__ = "billing_entities"
    __table_args__ = (UniqueConstraint("org_id", "code"),)

    code: Mapped[str]
    name: Mapped[str]
    is_default: Mapped[bool] = mapped_column(default=True)
    updated_at: Mapped[datetime]
    default_currency: Mapped[str] = mapped_column(default="USD")
    document_locale: Mapped[str] = mapped_column(default="en")
    document_numbering: Mapped[str] = mapped_column(default="per_customer")
    document_number_prefix: Mapped[str]
    finalize_zero_amount_invoice: Mapped[bool] = mapped_column(default=True)
    invoice_footer: Mapped[str | None] = mapped_column(default=None)
    invoice_grace_period: Mapped[int] = mapped_column(default=0)
    subscription_invoice_issuing_date_anchor: Mapped[str] = mapped_column(
        default="next_period_start"
    )
    subscription_invoice_issuing_date_adjustment: Mapped[str] = mapped_column(
        default="align_with_finalization_date"
    )
    net_payment_term: Mapped[int] = mapped_column(default=0)
    timezone: Mapped[str] = mapped_column(default="UTC")
    address_line1: Mapped[str | None] = mapped_column(default=None)
    address_line2: Mapped[str | None] = mapped_column(default=None)
    city: Mapped[str | None] = mapped_column(default=None)
    state: Mapped[str | None] = mapped_column(default=None)
    country: Mapped[str | None] = mapped_column(default=None)
    zipcode: Mapped[str | None] = mapped_column(default=None)
    email: Mapped[str | None] = mapped_column(default=None)
    legal_name: Mapped[str | None] = mapped_column(default=None)
    legal_number: Mapped[str | None] = mapped_column(default=None)
    tax_identification_number: Mapped[str | None] = mapped_column(default=None)
    logo_url: Mapped[str | None] = mapped_column(default=None)
    email_settings: Mapped[list[str]] = mapped_column(default_factory=list)
    invoice_sequence: Mapped[int] = mapped_column(default=0)
