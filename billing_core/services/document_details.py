"""How a fee came about, in a few short lines: every amount on an invoice can be explained."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from billing_core.domain.calendar import local_date
from billing_core.domain.filters import ALL_VALUES
from billing_core.domain.pricing_units import SUBUNIT
from billing_core.store.tables import Fee
from billing_core.wire.dates import last_instant

TIMES = "\N{MULTIPLICATION SIGN}"
TO = "\N{EN DASH}"
NOWHERE = "\N{EN DASH}"
APART = " \N{MIDDLE DOT} "


@dataclass(frozen=True, slots=True)
class Wording:
    """How the renderer's language says things; `locale` is always the last argument."""

    label: Callable[[str, str], str]  # (locale, key)
    long_date: Callable[[date, str], str]
    unit_price: Callable[[Decimal, str, str], str]  # (major units, currency, locale)
    quantity: Callable[[Decimal, str], str]
    percent: Callable[[Decimal, str], str]
    country: Callable[[str, str], str]  # (ISO code, locale)


def description(fee: Fee, locale: str, wording: Wording) -> str:
    """Return what a fee is for: its charge, filter and group, and whether it is a minimum spend."""
    item = fee.item
    filters = item.get("filters") or {}
    filtered = [", ".join(values) for key, values in filters.items() if values != [ALL_VALUES]]
    parts = [item["invoice_display_name"]]
    if item.get("filter_invoice_display_name"):
        parts.append(item["filter_invoice_display_name"])
    else:
        parts.extend(filtered or filters)
    parts.extend(value for value in fee.grouped_by.values() if value)
    if fee.true_up_parent_fee_id is not None:
        parts.append(wording.label(locale, "minimum_spend"))
    return APART.join(parts)


def details(fee: Fee, tz: str, locale: str, wording: Wording) -> tuple[str, ...]:
    """Return the period, in the customer's zone, and the arithmetic of a fee's price."""
    lines: list[str] = []
    if fee.from_datetime and fee.to_datetime:
        first = local_date(fee.from_datetime, tz)
        last = local_date(last_instant(fee.to_datetime), tz)
        lines.append(f"{wording.long_date(first, locale)} {TO} {wording.long_date(last, locale)}")
    explained = _Explained(fee.amount_currency, locale, wording)
    found = fee.amount_details
    if fee.pricing_unit_details is not None:
        lines.append(explained.exchange(fee.pricing_unit_details))
    elif "graduated_ranges" in found:
        lines.extend(explained.tier(tier) for tier in found["graduated_ranges"])
    elif "graduated_percentage_ranges" in found:
        lines.extend(explained.share(tier) for tier in found["graduated_percentage_ranges"])
    elif "per_package_size" in found and Decimal(found["paid_units"]):
        lines.append(explained.package(found))
    elif "rate" in found:
        lines.append(explained.percentage(found))
    elif "flat_unit_amount" in found:
        lines.append(explained.volume(found, fee.units))
    lines.extend(explained.breakdown(one) for one in fee.presentation_breakdowns or ())
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

    def share(self, tier: dict[str, Any]) -> str:
        rate = self.wording.percent(Decimal(tier["rate"]), self.locale)
        return f"{self._units(tier['units'])} {TIMES} {rate}{self._plus(tier['flat_unit_amount'])}"

    def exchange(self, found: dict[str, Any]) -> str:
        """Tell an amount of a pricing unit; its tiers are not money and stand in the fee."""
        amount = self._units(Decimal(found["amount_cents"]) / SUBUNIT)
        return f"{amount} {found['short_name']} {TIMES} {self._price(found['conversion_rate'])}"

    def breakdown(self, found: dict[str, Any]) -> str:
        values = ", ".join(value for value in found["presentation_by"].values() if value)
        return f"{values or NOWHERE}: {self._units(found['units'])}"

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
