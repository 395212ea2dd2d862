"""Quantities of credits as callers send them, and what they come to."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_core.domain.errors import Problems
from billing_core.domain.money import exact_context, major_from_minor
from billing_core.domain.wallets import Amount, bought, floored
from billing_core.store.tables import Wallet
from billing_core.wire.types import MAX_CENTS, MOST_DIGITS

ZERO = Decimal(0)
LARGEST = Decimal(10**15)


def quantity(value: Any) -> Decimal | None:
    """Read a text that holds a quantity of credits, cut to five decimals; None when it is none."""
    if not isinstance(value, str) or len(value) > 2 * MOST_DIGITS:
        return None
    try:
        found = Decimal(value.strip())
    except InvalidOperation:
        return None
    if not found.is_finite() or not ZERO <= found <= LARGEST:
        return None
    return floored(found)


def amounts(
    problems: Problems, wallet: Wallet, sent: Mapping[str, Any], *, ignore_limits: bool = False
) -> dict[str, Amount]:
    """Return what the quantities that were sent come to; nothing of none (4.1.4).

    `sent` are `paid_credits` and `granted_credits` as they came; what is wrong is added to the
    problems.
    """
    found: dict[str, Amount] = {}
    for field, value in sent.items():
        if value is None:
            continue
        wished = quantity(value)
        amount = None if wished is None else bought(wished, wallet.rate_amount, wallet.currency)
        if amount is None or amount.cents > MAX_CENTS:
            problems.add(field, f"invalid_{field}", "invalid_amount")
        elif wished and not amount.cents:
            problems.add(field, "amount_rounds_to_zero")
        elif amount.cents:
            found[field] = amount
    if "paid_credits" in found and not ignore_limits:
        code = beyond_limits(wallet, found["paid_credits"].cents)
        if code is not None:
            problems.add("paid_credits", code)
    return found


def beyond_limits(wallet: Wallet, cents: int) -> str | None:
    """Return the code for a purchase outside the wallet's limits, None within them."""
    least, most = wallet.paid_top_up_min_amount_cents, wallet.paid_top_up_max_amount_cents
    if least is not None and cents < least:
        return "amount_below_minimum"
    if most is not None and cents > most:
        return "amount_above_maximum"
    return None


def limit_in_credits(wallet: Wallet, cents: int | None) -> Decimal | None:
    """Return how many credits a limit in minor units buys."""
    if cents is None:
        return None
    with exact_context():
        return floored(major_from_minor(cents, wallet.currency) / wallet.rate_amount)
