"""Wallets and the rules that refill them, on the wire."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from billing_core.wire.base import DecimalText, Flag, In, Instant, InstantMs, Out
from billing_core.wire.charges import Reference
from billing_core.wire.metadata import Metadata
from billing_core.wire.subscriptions import PaymentMethodIn
from billing_core.wire.types import MAX_CENTS, Code, Currency, Exact, Name, ShortText, whole

MOST_PAIRS = 15
MOST_PAIRS_OF_A_WALLET = 5
LARGEST_RATE = 10**12
Priority = Annotated[int, BeforeValidator(whole), Field(ge=1, le=50)]
TopUpLimit = Annotated[int, BeforeValidator(whole), Field(gt=0, le=MAX_CENTS)]
Rate = Annotated[Exact, Field(gt=0, le=LARGEST_RATE)]


class PairIn(In):
    """A note on an entry of a wallet."""

    key: Annotated[ShortText, Field(min_length=1, max_length=20)]
    value: Annotated[ShortText, Field(max_length=100)]


Pairs = Annotated[list[PairIn], Field(max_length=MOST_PAIRS)]
WalletPairs = Annotated[list[PairIn], Field(max_length=MOST_PAIRS_OF_A_WALLET)]


class AppliesToIn(In):
    """What a wallet pays for: fees of these types, and usage of these metrics."""

    fee_types: list[ShortText] | None = None
    billable_metric_codes: list[ShortText] | None = None


class WalletRuleIn(In):
    """A recurring rule; what is wrong with it is told of the rules as a whole (money.md 4.6.1)."""

    lago_id: Reference | None = None
    trigger: ShortText | None = None
    method: ShortText | None = None
    interval: ShortText | None = None
    threshold_credits: Any = None
    paid_credits: Any = None
    granted_credits: Any = None
    target_ongoing_balance: Any = None
    grants_target_top_up: Flag | None = None
    started_at: ShortText | None = None
    expiration_at: ShortText | None = None
    invoice_requires_successful_payment: Flag | None = None
    ignore_paid_top_up_limits: Flag | None = None
    transaction_name: Name | None = None
    transaction_metadata: Pairs | None = None
    purchase_order_number: ShortText | None = None
    payment_method: PaymentMethodIn | None = None


class WalletSettings(In):
    """What a caller may set at any time; instants are ISO 8601 texts."""

    name: Name | None = None
    code: Code | None = None
    priority: Priority | None = None
    expiration_at: ShortText | None = None
    billing_entity_code: ShortText | None = None
    purchase_order_number: ShortText | None = None
    invoice_requires_successful_payment: Flag | None = None
    paid_top_up_min_amount_cents: TopUpLimit | None = None
    paid_top_up_max_amount_cents: TopUpLimit | None = None
    applies_to: AppliesToIn | None = None
    recurring_transaction_rules: list[WalletRuleIn] | None = None
    payment_method: PaymentMethodIn | None = None
    metadata: Metadata | None = None


class CustomerWalletIn(WalletSettings):
    """What a caller may set on creation, for the customer of the path.

    Credits are texts: numbers are refused (money.md 4.1.4).
    """

    rate_amount: Rate
    currency: Currency | None = None
    paid_credits: Any = None
    granted_credits: Any = None
    ignore_paid_top_up_limits_on_creation: Flag | None = None
    transaction_name: Name | None = None
    transaction_priority: Priority | None = None
    transaction_metadata: WalletPairs | None = None


class WalletIn(CustomerWalletIn):
    """The same, with the customer it is for."""

    external_customer_id: ShortText


class WalletChange(WalletSettings):
    """What a caller may change; an omitted key keeps its value. Rate and currency stay."""


class WalletRuleOut(Out):
    """A recurring rule as a caller reads it; quantities are credits."""

    lago_id: UUID = Field(validation_alias="id")
    trigger: str
    method: str
    interval: str | None
    status: str
    threshold_credits: DecimalText | None
    paid_credits: DecimalText
    granted_credits: DecimalText
    grants_target_top_up: bool | None
    started_at: Instant | None
    target_ongoing_balance: DecimalText | None
    created_at: Instant
    expiration_at: Instant | None
    invoice_requires_successful_payment: bool
    transaction_metadata: list[Any]
    transaction_name: str | None
    ignore_paid_top_up_limits: bool
    applied_invoice_custom_sections: list[Any]
    payment_method: dict[str, Any]
    purchase_order_number: str | None


class AppliesToOut(Out):
    """What a wallet pays for; both empty: everything."""

    fee_types: list[str]
    billable_metric_codes: list[str]


class WalletOut(Out):
    """A wallet as a caller reads it: money in minor units, credits as decimals."""

    lago_id: UUID = Field(validation_alias="id")
    lago_customer_id: UUID = Field(validation_alias="customer_id")
    external_customer_id: str
    billing_entity_code: str
    status: str
    currency: str
    name: str | None
    code: str
    priority: int
    rate_amount: DecimalText
    credits_balance: DecimalText
    balance_cents: int
    consumed_credits: DecimalText
    created_at: Instant
    expiration_at: Instant | None
    last_balance_sync_at: Instant | None
    last_consumed_credit_at: Instant | None
    terminated_at: InstantMs | None
    invoice_requires_successful_payment: bool
    applies_to: AppliesToOut
    recurring_transaction_rules: list[WalletRuleOut]
    ongoing_balance_cents: int
    ongoing_usage_balance_cents: int
    credits_ongoing_balance: DecimalText
    credits_ongoing_usage_balance: DecimalText
    paid_top_up_min_amount_cents: int | None
    paid_top_up_max_amount_cents: int | None
    applied_invoice_custom_sections: list[Any]
    payment_method: dict[str, Any]
    purchase_order_number: str | None
    metadata: dict[str, Any] | None
