"""What must always be true of coupons and of what they take off invoices."""

from collections.abc import Iterable

from billing_core.store import coupons, invoices
from billing_core.store.tables import AppliedCoupon
from billing_core.store.unit import Unit

BATCH = 200


async def discounts_add_up(unit: Unit) -> list[str]:
    """Check what each invoice says that coupons took off against the coupons' uses."""
    found: list[str] = []
    last = None
    while batch := await invoices.all_after(unit, last, BATCH):
        taken = await coupons.sums_on(unit, [invoice.id for invoice in batch])
        found.extend(
            f"invoice {invoice.number} ({invoice.id}): coupons_amount_cents is "
            f"{invoice.coupons_amount_cents}, coupons took off {taken.get(invoice.id, 0)}"
            for invoice in batch
            if invoice.coupons_amount_cents != taken.get(invoice.id, 0)
        )
        last = batch[-1].id
    return found


async def remainders_add_up(unit: Unit) -> list[str]:
    """Check what is left of each customer's coupon against its uses on invoices that stand."""
    found: list[str] = []
    last = None
    while batch := await coupons.all_after(unit, last, BATCH):
        used = await coupons.used(unit, [row.id for row in batch])
        for row in batch:
            found.extend(_differences(row, *used.get(row.id, (0, 0))))
        last = batch[-1].id
    return found


def _differences(row: AppliedCoupon, times: int, cents: int) -> Iterable[str]:
    if row.frequency == "once" and row.amount_cents is not None and cents > row.amount_cents:
        yield f"applied coupon {row.id}: amount_cents is {row.amount_cents}, it took off {cents}"
    left, whole = row.frequency_duration_remaining, row.frequency_duration
    if left is not None and whole is not None and left != whole - times:
        yield (
            f"applied coupon {row.id}: frequency_duration_remaining is {left}, "
            f"{times} of {whole} uses stand"
        )
