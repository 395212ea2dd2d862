"""What a fee looks like."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.money import exponent
from billing_core.store import invoices
from billing_core.store.tables import Fee
from billing_core.store.unit import Unit
from billing_core.wire.dates import last_instant
from billing_core.wire.fees import FeeItemOut, FeeOut

ITEM_TYPES = {
    "subscription": "Subscription",
    "charge": "BillableMetric",
    "fixed_charge": "AddOn",
    "commitment": "Subscription",
    "credit": "WalletTransaction",
}


def item(  # noqa: PLR0913 - a fee's item has these keys, whatever it is for
    kind: str,
    code: str,
    name: str,
    display_name: str | None,
    item_id: UUID,
    *,
    description: str | None = None,
    grouped_by: Mapping[str, str | None] | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    filter_display_name: str | None = None,
) -> dict[str, Any]:
    """Return what a fee of some kind is for, as it is stored and shown.

    `filters` are the values of a charge filter, None for the default bucket and other fees.
    """
    return {
        "type": kind,
        "code": code,
        "name": name,
        "description": description,
        "invoice_display_name": display_name or name,
        "filters": None if filters is None else dict(filters),
        "filter_invoice_display_name": filter_display_name,
        "lago_item_id": str(item_id),
        "item_type": ITEM_TYPES[kind],
        "grouped_by": dict(grouped_by or {}),
    }


async def one(unit: Unit, row: Fee) -> FeeOut:
    """Return the wire model of one fee."""
    return (await several(unit, [row]))[0]


async def several(unit: Unit, rows: Sequence[Fee]) -> list[FeeOut]:
    """Return the wire models of fees from anywhere, with one query for their true-ups."""
    true_ups = await invoices.true_ups_on(unit, (row.invoice_id for row in rows if row.invoice_id))
    return [_out(row, true_ups.get(row.id)) for row in rows]


def of_invoice(rows: Sequence[Fee]) -> list[FeeOut]:
    """Return the wire models of all fees of an invoice, their true-ups among them."""
    true_ups = {row.true_up_parent_fee_id: row.id for row in rows}
    return [_out(row, true_ups.get(row.id)) for row in rows]


def _out(row: Fee, true_up_id: UUID | None) -> FeeOut:
    """Return the wire model; `precise_*` amounts are major units (metering.md 3.17)."""
    digits = exponent(row.amount_currency)
    coupons = row.precise_coupons_amount_cents
    precise_total = row.precise_amount_cents - coupons + row.taxes_precise_amount_cents
    return FeeOut.of(
        row,
        lago_true_up_fee_id=true_up_id,
        external_customer_id=row.customer.external_id,
        item=FeeItemOut.model_validate(row.item),
        precise_amount=_major(row.precise_amount_cents, digits),
        precise_total_amount=_major(precise_total, digits),
        taxes_precise_amount=_major(row.taxes_precise_amount_cents, digits),
        total_amount_cents=row.amount_cents + row.taxes_amount_cents,
        total_amount_currency=row.amount_currency,
        sub_total_excluding_taxes_amount_cents=row.amount_cents - int(coupons),
        sub_total_excluding_taxes_precise_amount_cents=row.amount_cents - coupons,
        description=row.item.get("description"),
        self_billed=False,
        presentation_breakdowns=row.presentation_breakdowns or [],
        from_date=row.from_datetime,
        to_date=row.to_datetime and last_instant(row.to_datetime),
        applied_taxes=row.applied_taxes,
    )


def _major(minor: Decimal, digits: int) -> Decimal:
    return minor.scaleb(-digits)
