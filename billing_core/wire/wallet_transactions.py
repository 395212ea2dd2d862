"""Entries of wallets on the wire."""

from typing import Any
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import DecimalText, Flag, In, Instant, Out
from billing_core.wire.charges import Reference
from billing_core.wire.subscriptions import PaymentMethodIn
from billing_core.wire.types import Name, ShortText
from billing_core.wire.wallets import Pairs, Priority, WalletOut


class WalletTransactionIn(In):
    """Credits to buy, to grant and to take away, each as a text; nulls are as good as nothing."""

    wallet_id: Reference
    paid_credits: Any = None
    granted_credits: Any = None
    voided_credits: Any = None
    voided_transaction_id: Reference | None = None
    name: Name | None = None
    priority: Priority | None = None
    metadata: Pairs | None = None
    invoice_requires_successful_payment: Flag | None = None
    ignore_paid_top_up_limits: Flag | None = None
    purchase_order_number: ShortText | None = None
    payment_method: PaymentMethodIn | None = None


class WalletTransactionOut(Out):
    """An entry as a caller reads it; `amount` is in major units."""

    lago_id: UUID = Field(validation_alias="id")
    lago_wallet_id: UUID = Field(validation_alias="wallet_id")
    lago_invoice_id: UUID | None = Field(validation_alias="invoice_id")
    lago_credit_note_id: UUID | None = Field(validation_alias="credit_note_id")
    lago_voided_invoice_id: UUID | None = Field(validation_alias="voided_invoice_id")
    status: str
    source: str
    transaction_status: str
    transaction_type: str
    amount: DecimalText
    credit_amount: DecimalText
    remaining_amount_cents: int | None
    remaining_credit_amount: DecimalText | None
    priority: int
    settled_at: Instant | None
    failed_at: Instant | None
    created_at: Instant
    name: str | None
    invoice_requires_successful_payment: bool
    metadata: list[Any]
    applied_invoice_custom_sections: list[Any]
    payment_method: dict[str, Any]
    purchase_order_number: str | None


class WalletTransactionFullOut(WalletTransactionOut):
    """An entry with its wallet, as webhooks tell it."""

    wallet: WalletOut


class WalletConsumptionOut(Out):
    """What an outbound entry took of an inbound one, with the other one of the two."""

    lago_id: UUID
    amount_cents: int
    credit_amount: DecimalText
    created_at: Instant
    wallet_transaction: WalletTransactionOut
