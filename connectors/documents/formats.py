"""Money, quantities, rates and dates in the writing of a locale, exact to the last digit."""

import copy
import re
from datetime import date
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern

from billing_core.domain.money import exact_context, exponent, major_from_minor
from connectors.documents.labels import FALLBACK_LANGUAGE, language_of

# Unit prices and quantities are shown to here; what lies beyond is below a billionth of a cent.
SHOWN_DECIMALS = 12
US_LETTER_TERRITORIES = frozenset({"US", "CA", "MX"})


def parsed(locale: str) -> Locale:
    """Return the formatting locale for a tag such as `de` or `pt-BR`; unknown ones lose parts.

    The language is one we have labels for, so that words and numbers of a document agree.
    """
    language = language_of(locale)
    tag = locale.replace("_", "-")
    if tag.split("-")[0].lower() != language:
        return Locale(FALLBACK_LANGUAGE)
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale(language)


def paper(locale: Locale) -> str:
    """Return the paper a reader of that locale prints on: `us-letter` or `a4`."""
    return "us-letter" if locale.territory in US_LETTER_TERRITORIES else "a4"


def _apply(
    pattern: NumberPattern,
    value: Decimal,
    decimals: tuple[int, int],
    locale: Locale,
    currency: str | None = None,
) -> str:
    """Write a number in a CLDR pattern with our (least, most) decimals in place of CLDR's."""
    exact = copy.copy(pattern)
    exact.frac_prec = decimals
    with exact_context():
        return str(exact.apply(value, locale, currency=currency, currency_digits=False))


def _money(value: Decimal, decimals: tuple[int, int], currency: str, locale: Locale) -> str:
    text = _apply(locale.currency_formats["standard"], value, decimals, locale, currency)
    # CLDR's currency spacing: a code of letters does not touch the digits, as in `KWD 1.500`.
    return re.sub(r"(?<=[^\W\d_])(?=\d)", "\u00a0", text)


def money(amount_minor: int, currency: str, locale: Locale) -> str:
    """Return an integer amount of minor units with exactly our number of decimals.

    The decimals are those of `billing_core.domain.money.exponent`, not CLDR's: the two differ for
    HUF, ISK, UGX and others (`docs/rules/money.md` 0.6).
    """
    digits = exponent(currency)
    return _money(major_from_minor(amount_minor, currency), (digits, digits), currency, locale)


def unit_price(amount: Decimal, currency: str, locale: Locale) -> str:
    """Return a price in major units with its own decimals, at least those of the currency."""
    digits = exponent(currency)
    return _money(amount, (digits, max(digits, SHOWN_DECIMALS)), currency, locale)


def quantity(units: Decimal, locale: Locale) -> str:
    """Return a number of units without padding zeros."""
    return _apply(locale.decimal_formats[None], units, (0, SHOWN_DECIMALS), locale)


def percent(rate: Decimal, locale: Locale) -> str:
    """Return a rate given in percent (`Decimal("20")` is 20 %)."""
    with exact_context():
        share = rate / 100
    return _apply(locale.percent_formats[None], share, (0, SHOWN_DECIMALS), locale)


def long_date(day: date, locale: Locale) -> str:
    """Return a date with its month in words: no reader mistakes the month for the day."""
    return format_date(day, "long", locale=locale)
