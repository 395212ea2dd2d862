"""Package charge: every started block of units costs one price."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from billing_core.domain.charges.steps import Steps, package_step
from billing_core.domain.charges.terms import (
    ZERO,
    Price,
    Terms,
    Usage,
    read_decimal,
    read_integer,
)
from billing_core.domain.errors import Problems
from billing_core.domain.money import plain


@dataclass(frozen=True)
class Package(Terms):
    """The first `free_units` are free; then `amount` per started block of `package_size` units.

    Blocks are counted exactly, so any fraction opens the next one (`docs/rules/metering.md` 3.6
    counts them through binary numbers and misses fractions below about 1e-14).
    """

    charge_model = "package"
    keys = ("amount", "package_size", "free_units")
    defaults = {"amount": "0", "package_size": 1, "free_units": 0}  # noqa: RUF012 - declared ClassVar in Terms

    is_projected_by_units = True

    amount: Decimal
    package_size: int
    free_units: int

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        size, free = stored.get("package_size"), stored.get("free_units")
        return {
            "amount": read_decimal(stored.get("amount"), "invalid_amount", problems),
            "free_units": read_integer(free, 0, "invalid_free_units", problems),
            "package_size": read_integer(size, 1, "invalid_package_size", problems),
        }

    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Count the started blocks; the unit amount is the price of a paid unit."""
        paid = max(usage.units - self.free_units, ZERO)
        blocks, rest = divmod(paid, self.package_size)
        total = (blocks + (1 if rest else 0)) * self.amount
        return Price(total, paid, _Packed(self, usage.units, paid))


class _Packed(NamedTuple):
    terms: Package
    units: Decimal
    paid: Decimal

    def details(self) -> dict[str, Any]:
        used = bool(self.units)
        return {
            "free_units": plain(Decimal(self.terms.free_units if used else 0)),
            "paid_units": plain(self.paid),
            "per_package_size": self.terms.package_size if used else 0,
            "per_package_unit_amount": plain(self.terms.amount if used else ZERO),
        }

    def steps(self) -> Steps:
        free, size = Decimal(self.terms.free_units), self.terms.package_size
        return (package_step(self.units, free, size, self.terms.amount),)
