"""Money: whole minor units of one currency. The only place where rounding happens."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
    getcontext,
    localcontext,
    setcontext,
)
from functools import cache, lru_cache, wraps
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# 142 codes: the published list, the three that only the table of factors names (BHD, JOD, KWD),
# and SLE, the present code of the listed but withdrawn SLL (docs/rules/money.md 0.6).
CURRENCIES: frozenset[str] = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD
    CAD CDF CHF CLF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
    PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SLL SOS SRD STD SZL
    THB TJS TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    """.split()  # noqa: SIM905 - 142 quoted strings would hide the list
)
_WHOLE = (
    *("BIF", "CLP", "DJF", "GNF", "HUF", "ISK", "JPY", "KMF", "KRW"),
    *("MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
)
MINOR_DIGITS: dict[str, int] = (
    dict.fromkeys(CURRENCIES, 2)
    | dict.fromkeys(_WHOLE, 0)
    | dict.fromkeys(("BHD", "JOD", "KWD"), 3)
    | {"CLF": 4, "MRO": 1}
)
_FIFTHS = {"MRO": 5}  # the only listed currency whose minor unit is not a power of ten
PRECISE_PLACES = 15  # what a stored precise amount keeps (docs/rules/money.md 0.3)
EXACT = Context(
    prec=400,  # two factors of 60 digits, a rate and a sum of them stay exact
    rounding=ROUND_HALF_UP,
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)


def exact_context() -> AbstractContextManager[Context]:
    """Open a `with` block in which nothing rounds at the usual 28 digits.

    Sums and products keep every digit (up to 400); a division keeps 400 of them. Mixing in a binary
    number raises `decimal.FloatOperation`.
    """
    return localcontext(EXACT)


def in_exact_context(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function as in `exact_context`, for half the cost; it must not change the context."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        outer = getcontext()
        setcontext(EXACT)  # the one context itself: `exact_context` makes a copy each time
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(outer)

    return run


def is_currency(code: object) -> bool:
    """Tell whether a code is one of the 142 accepted currencies (`docs/rules/money.md` 0.6)."""
    return isinstance(code, str) and code in CURRENCIES


def exponent(currency: str) -> int:
    """Return how many decimals an amount in major units has: EUR 2, JPY 0, KWD 3, CLF 4."""
    return MINOR_DIGITS[currency]


def subunit(currency: str) -> int:
    """Return how many minor units make one major unit: EUR 100, JPY 1, MRO 5."""
    fifths = _FIFTHS.get(currency)
    return fifths if fifths is not None else int(10 ** exponent(currency))


@cache
def _subunit_factor(currency: str) -> Decimal:
    return Decimal(subunit(currency))


def round_half_up(value: Decimal) -> int:
    """Round half away from zero: 2.5 -> 3, -0.5 -> -1 (`docs/rules/money.md` 0.2)."""
    return int(value.to_integral_value(rounding=ROUND_HALF_UP))


def quantize(value: Decimal, places: int) -> Decimal:
    """Round to `places` decimals, half away from zero, whatever the number of digits."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=EXACT)


@lru_cache(maxsize=65_536)
def plain(value: Decimal) -> str:
    """Write a decimal for the wire: never an exponent, at least one decimal ("12.0", "0.5").

    Equal numbers are written alike, and prices come again and again, so texts are kept.
    Source: `docs/rules/api-conventions.md` 9.
    """
    whole, _, decimals = format(value, "f").partition(".")
    decimals = decimals.rstrip("0") or "0"
    negative_zero = whole == "-0" and decimals == "0"
    return "0.0" if negative_zero else f"{whole}.{decimals}"


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount that can stand on an invoice."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse floats and bools: `True` cents is a bug, not one cent."""
        assert type(self.minor) is int, repr(self.minor)
        assert self.currency in MINOR_DIGITS, self.currency

    @classmethod
    def rounded(cls, major: Decimal, currency: str) -> Self:
        """Round a precise major-unit amount once, half away from zero, to minor units.

        Source: `docs/rules/metering.md` 3.2.
        """
        return cls(minor_from_major(major, currency), currency)

    def __add__(self, other: "Money") -> "Money":
        """Add like to like; euros and dollars do not meet."""
        assert self.currency == other.currency, (self, other)
        return Money(self.minor + other.minor, self.currency)

    def split(self, weights: list[int]) -> list["Money"]:
        """Share out by weight, losing no cent: largest remainder first, then order."""
        assert sum(weights) > 0, weights
        return [Money(share, self.currency) for share in split_minor(self.minor, weights)]


def split_minor(minor: int, weights: Sequence[int]) -> list[int]:
    """Share out minor units by weight, losing none: largest remainder first, then order.

    Weights that are all 0 share out nothing.
    """
    total = sum(weights)
    assert total > 0 or not minor, weights
    assert min(weights, default=0) >= 0, weights
    shares = [divmod(minor * weight, total or 1) for weight in weights]
    left = minor - sum(quotient for quotient, _ in shares)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-shares[i][1], i))
    lucky = set(by_remainder[:left])
    return [quotient + (i in lucky) for i, (quotient, _) in enumerate(shares)]


def minor_from_major(major: Decimal, currency: str) -> int:
    """Return whole minor units of an unrounded major amount: the one rounding of a line."""
    scaled = EXACT.multiply(major, _subunit_factor(currency))
    return int(scaled.to_integral_value(ROUND_HALF_UP, EXACT))


def major_from_minor(minor: int, currency: str) -> Decimal:
    """Return the exact major amount of whole minor units: 1234 EUR -> 12.34."""
    with exact_context():
        return Decimal(minor) / subunit(currency)


def precise_minor(major: Decimal, currency: str) -> Decimal:
    """Return minor units with 15 decimals, as `precise_amount_cents` keeps them.

    Source: `docs/rules/metering.md` 3.2 and `docs/rules/money.md` 0.3.
    """
    with exact_context():
        return quantize(major * subunit(currency), PRECISE_PLACES)
