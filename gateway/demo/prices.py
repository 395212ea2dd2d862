"""What the demo's usage has to cost, worked out by hand: the gateway's answers must equal it."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gateway.demo import world
from gateway.demo.api import DemoFailed
from gateway.demo.world import Buyer

PACKAGE_TOKENS, PACKAGE_CENTS = 1_000, 200
ENERGY_CENTS = 39
SESSION_CENTS = 35
FIRST_REQUESTS = 10_000
FIRST_REQUEST_CENTS, NEXT_REQUEST_CENTS = Decimal("0.2"), Decimal("0.15")


def usage_cents(buyer: Buyer, used: Decimal) -> int:
    """Return the cents that this much usage costs a customer, without base fee and tax."""
    if buyer is world.AI:
        return -(-int(used) // PACKAGE_TOKENS) * PACKAGE_CENTS
    if buyer is world.CAR:
        return _rounded(used * ENERGY_CENTS) + SESSION_CENTS * len(world.SESSIONS)
    first = min(used, Decimal(FIRST_REQUESTS))
    return _rounded(first * FIRST_REQUEST_CENTS + (used - first) * NEXT_REQUEST_CENTS)


def tax_cents(buyer: Buyer, fees_cents: int) -> int:
    """Return the tax on an invoice's fees."""
    return _rounded(Decimal(fees_cents) * (buyer.tax_percent or 0) / 100)


def units(usage: dict[str, Any]) -> Decimal:
    """Return the quantity of a current usage; several charges may price the same one."""
    return max(Decimal(charge["units"]) for charge in usage["charges_usage"])


def check(buyer: Buyer, sent: Decimal, usage: dict[str, Any], invoice: dict[str, Any]) -> None:
    """Raise `DemoFailed` unless usage and invoice are what was sent, at its price, to the cent.

    `sent` is in the buyer's unit; `usage` and `invoice` are the gateway's answers.
    """
    used_cents = usage_cents(buyer, sent)
    fees_cents = used_cents + buyer.base_fee_cents
    taxes_cents = tax_cents(buyer, fees_cents)
    wanted = {
        "usage units": (units(usage), sent),
        "usage amount": (usage["amount_cents"], used_cents),
        "fees": (invoice["fees_amount_cents"], fees_cents),
        "sum of lines": (sum(fee["amount_cents"] for fee in invoice["fees"]), fees_cents),
        "taxes": (invoice["taxes_amount_cents"], taxes_cents),
        "total": (invoice["total_amount_cents"], fees_cents + taxes_cents),
    }
    for name, (found, right) in wanted.items():
        if found != right:
            message = f"{buyer.name}: {name} is {found}, but has to be {right}"
            raise DemoFailed(message)


def _rounded(cents: Decimal) -> int:
    return int(cents.quantize(Decimal(1), rounding=ROUND_HALF_UP))
