"""How a fee came about, in a few short lines: every amount on an invoice can be explained."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from billing_core.domain.calendar import local_date
from billing_core.store.tables import Fee
from billing_core.wire.dates import last_instant

TIMES = "\N{MULTIPLICATION SIGN}"
TO = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Wording:
    """How the renderer's language says things; `locale` is always the last argument."""

    label: Callable[[str, str], str]  # (locale, key)
    long_date: Callable[[date, str], str]
    unit_price: Callable[[Decimal, str, str], str]  # (major units, currency, locale)
    quantity: Callable[[Decimal, str], str]
    percent: Callable[[Decimal, str], str]
    country: Callable[[str, str], str]  # (ISO code, locale)


def details(fee: Fee, tz: str, locale: str, wording: Wording) -> tuple[str, ...]:
    """Return the period, in the customer's zone, and the arithmetic of a fee's price."""
    lines: list[str] = []
    if fee.from_datetime and fee.to_datetime:
        first = local_date(fee.from_datetime, tz)
        last = local_date(last_instant(fee.to_datetime), tz)
        lines.append(f"{wording.long_date(first, locale)} {TO} {wording.long_date(last, locale)}")
    explained = _Explained(fee.amount_currency, locale, wording)
    found = fee.amount_details
    if "graduated_ranges" in found:
        lines.extend(explained.tier(tier) for tier in found["graduated_ranges"])
    elif "per_package_size" in found and Decimal(found["paid_units"]):
        lines.append(explained.package(found))
    elif "rate" in found:
        lines.append(explained.percentage(found))
    elif "flat_unit_amount" in found:
        lines.append(explained.volume(found, fee.units))
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class _Explained:
    currency: str
    locale: str
    wording: Wording

    def _price(self, text: str) -> str:
        return self.wording.unit_price(Decimal(text), self.currency, self.locale)

    def _units(self, text: str | Decimal) -> str:
        return self.wording.quantity(Decimal(text), self.locale)

    def _plus(self, flat: str) -> str:
        return f" + {self._price(flat)}" if Decimal(flat) else ""

    def tier(self, tier: dict[str, Any]) -> str:
        units, price = self._units(tier["units"]), self._price(tier["per_unit_amount"])
        return f"{units} {TIMES} {price}{self._plus(tier['flat_unit_amount'])}"

    def volume(self, found: dict[str, Any], units: Decimal) -> str:
        price = self._price(found["per_unit_amount"])
        return f"{self._units(units)} {TIMES} {price}{self._plus(found['flat_unit_amount'])}"

    def package(self, found: dict[str, Any]) -> str:
        size = Decimal(found["per_package_size"])
        packages = (Decimal(found["paid_units"]) / size).to_integral_value(ROUND_CEILING)
        price = self._price(found["per_package_unit_amount"])
        return f"{self._units(packages)} {TIMES} {price} / {self._units(size)}"

    def percentage(self, found: dict[str, Any]) -> str:
        rate = self.wording.percent(Decimal(found["rate"]), self.locale)
        line = f"{self._units(found['paid_units'])} {TIMES} {rate}"
        if Decimal(found["fixed_fee_total_amount"]):
            events = self._units(str(found["paid_events"]))
            line += f" + {events} {TIMES} {self._price(found['fixed_fee_unit_amount'])}"
        return line
