"""Estimates of fees on the wire: bodies like those of events, and a fee that was never made."""

from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from billing_core.wire.base import DecimalText, Instant, Number, Out
from billing_core.wire.codec import decode_body, encode
from billing_core.wire.events import EventIn, read_batch
from billing_core.wire.fees import FeeItemOut, FeeOut


class EstimatedFeeOut(FeeOut):
    """A fee as it would be: it has no id, for nothing was made."""

    lago_id: UUID | None  # type: ignore[assignment]  # always null


class InstantFeeOut(Out):
    """The price of one event by itself; here also minor units are decimal texts (metering.md 1.9).

    `precise_amount` is in major units, `precise_unit_amount` in minor ones. What only fees that
    were made have, such as an id, is always null.
    """

    lago_id: UUID | None
    lago_charge_id: UUID
    lago_charge_filter_id: UUID | None
    lago_invoice_id: UUID | None
    lago_true_up_fee_id: UUID | None
    lago_true_up_parent_fee_id: UUID | None
    lago_subscription_id: UUID
    external_subscription_id: str
    lago_customer_id: UUID
    external_customer_id: str
    item: FeeItemOut
    pay_in_advance: Literal[True]
    invoiceable: bool
    amount_cents: DecimalText
    amount_currency: str
    precise_amount: DecimalText
    precise_total_amount: DecimalText
    taxes_amount_cents: int
    taxes_precise_amount: DecimalText
    taxes_rate: Number
    total_amount_cents: DecimalText
    total_amount_currency: str
    units: DecimalText
    description: str | None
    precise_unit_amount: DecimalText
    precise_coupons_amount_cents: DecimalText
    events_count: int
    payment_status: Literal["pending"]
    created_at: Instant | None
    succeeded_at: Instant | None
    failed_at: Instant | None
    refunded_at: Instant | None
    event_transaction_id: str
    amount_details: dict[str, Any] | None


NO_AMOUNT = Decimal(0)
NEVER_MADE: dict[str, Any] = {
    "lago_id": None,
    "lago_invoice_id": None,
    "lago_true_up_fee_id": None,
    "lago_true_up_parent_fee_id": None,
    "pay_in_advance": True,
    "taxes_amount_cents": 0,
    "taxes_precise_amount": NO_AMOUNT,
    "taxes_rate": NO_AMOUNT,
    "description": None,
    "precise_coupons_amount_cents": NO_AMOUNT,
    "events_count": 1,
    "payment_status": "pending",
    "created_at": None,
    "succeeded_at": None,
    "failed_at": None,
    "refunded_at": None,
    "amount_details": None,
}


def read_estimates(body: bytes, max_events: int) -> list[EventIn]:
    """Return the events of a batch, each plain or under a root of its own.

    Raises what `read_batch` does; the API's description wraps each event, its server does not.
    """
    document = decode_body(body) if body.strip() else {}
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        return read_batch(b"{}", max_events)
    return read_batch(encode({"events": [_unwrapped(event) for event in events]}), max_events)


def _unwrapped(event: Any) -> Any:
    inner = event.get("event") if isinstance(event, dict) else None
    return inner if isinstance(inner, dict) else event
