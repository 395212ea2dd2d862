"""What every charge model is: checked terms that can price a quantity."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from billing_core.domain.charges.steps import Steps
from billing_core.domain.errors import Problems
from billing_core.domain.money import EXACT

ZERO = Decimal(0)
PROPERTIES = "properties"
_UNIT_AMOUNT = Decimal("1e-15")
MAX_DIGITS = 30  # before and after the point: beyond any price, and still exact when multiplied
MAX_PRESENTATION_KEYS = 2
GROUP_KEYS = ("grouped_by", "pricing_group_keys", "presentation_group_keys")
_DECIMAL_TEXT = re.compile(r"(?=\.?[0-9])[0-9]*\.?[0-9]*([eE][+-]?[0-9]{1,2})?")
_MAX_TEXT = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What is priced: one bucket and group of one period.

    `units` after the metric's rounding; `events_count` of the events that took part; `values` their
    numbers by (timestamp, ingestion), needed only where `Terms.needs_values` says so. Of a prorated
    charge `units` are prorated and `full_units` are not; graduated terms then need `events` too:
    (full, prorated) units of the balance carried into the period, if any, and of each event in it,
    by (timestamp, ingestion). `amount_cents` is the sum of the events' precise amounts for the
    dynamic model, in minor units of which `subunit` make a major one.
    """

    units: Decimal
    events_count: int
    values: Sequence[Decimal] = ()
    full_units: Decimal | None = None
    events: Sequence[tuple[Decimal, Decimal]] = ()
    amount_cents: Decimal | None = None
    subunit: int = 0

    @property
    def shown_units(self) -> Decimal:
        """Return the units a fee shows: those that are not prorated."""
        return self.units if self.full_units is None else self.full_units


class Working(Protocol):
    """What a calculation has noted down, for those who ask for it later."""

    def details(self) -> dict[str, Any]:
        """Return the fee's `amount_details`: plain decimal strings, ready for the wire."""

    def steps(self) -> Steps:
        """Return the terms that add up to the amount (`charges/steps.py`)."""


class Price(NamedTuple):
    """An unrounded amount in major units, the units it is spread over, and how it came about.

    Details and steps are written only when asked for: most fees are priced far more often (by
    alerts and current usage) than they are explained. `shared_out` is set where the unit amount is
    the average of another amount than this one.
    """

    amount: Decimal
    units: Decimal
    working: Working
    shared_out: Decimal | None = None

    @property
    def unit_amount(self) -> Decimal:
        """Return the average price of a unit in major units, 15 decimals; 0 without units."""
        amount = self.amount if self.shared_out is None else self.shared_out
        return average(amount, self.units)

    @property
    def details(self) -> dict[str, Any]:
        """Return the fee's `amount_details`."""
        return self.working.details()

    @property
    def steps(self) -> Steps:
        """Return the terms that add up to `amount`, as JSON-able data."""
        return self.working.steps()


class Noted(NamedTuple):
    """Working of a price that is explained by steps alone."""

    noted: Steps = ()

    def details(self) -> dict[str, Any]:
        """Return no details."""
        return {}

    def steps(self) -> Steps:
        """Return the steps as they were noted."""
        return self.noted


NOTHING = Price(ZERO, ZERO, Noted())


@dataclass(frozen=True)
class Terms(ABC):
    """The price terms of one charge: API properties, JSON column and calculator at once.

    `stored` holds the properties of the model exactly as they were sent. Terms never change and
    reading them costs far more than pricing: callers keep them as long as the charge is unchanged.
    """

    charge_model: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    defaults: ClassVar[Mapping[str, Any]]
    is_projected_by_units: ClassVar[bool] = False  # else a projection scales the amount

    stored: Mapping[str, Any]

    @classmethod
    def parse(cls, properties: Mapping[str, Any] | None) -> Self:
        """Check API properties and return the terms they state.

        Empty properties mean the model's defaults; keys of other models are dropped, and the old
        name `grouped_by` stands for `pricing_group_keys`. Raises `Invalid` with every code found
        under `properties` (`docs/rules/metering.md` 3.1).
        """
        given = dict(properties) if properties else dict(cls.defaults)
        stored = {key: given[key] for key in cls.keys if key in given} | _group_keys(given)
        problems = Problems()
        read = cls._read(stored, problems)
        _check_group_keys(stored, problems)
        problems.check()
        return cls(stored=stored, **read)

    @classmethod
    @abstractmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        """Return the fields of the model, noting what is wrong; values are then unused."""

    def properties(self) -> dict[str, Any]:
        """Return the properties as they are stored and shown: sent strings verbatim."""
        return deepcopy(dict(self.stored))

    @property
    def needs_values(self) -> bool:
        """Whether `Usage.values` must be filled to price with these terms.

        Only percentage terms with free units, free events or limits per transaction do: they need
        one number per event that took part, ordered by timestamp and then ingestion.
        """
        return False

    @abstractmethod
    def price(self, usage: Usage, aggregation: str = "sum_agg") -> Price:
        """Price usage of zero units or more; call it through `charge_price`, which guards that."""


def average(amount: Decimal, units: Decimal) -> Decimal:
    """Return amount / units with 15 decimals, as the column keeps it; 0 without units."""
    if units <= ZERO:
        return ZERO
    return EXACT.quantize(EXACT.divide(amount, units), _UNIT_AMOUNT)


def read_decimal(value: Any, code: str, problems: Problems) -> Decimal:
    """Read a price: a JSON string holding a decimal of 0 or more; otherwise note `code`.

    At most 30 digits before and 30 after the point, so that products stay exact. Exponents are
    read because JavaScript writes small prices so ("1e-7").
    """
    number = _decimal(value)
    if number is None:
        problems.add(PROPERTIES, code)
        return ZERO
    return number


def read_optional_decimal(value: Any, code: str, problems: Problems) -> Decimal | None:
    """Read a price that may be left out or null."""
    return None if value is None else read_decimal(value, code, problems)


def _decimal(value: Any) -> Decimal | None:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        return None
    if _DECIMAL_TEXT.fullmatch(value) is None:
        return None
    return _bounded(Decimal(value))


def _bounded(number: Decimal) -> Decimal | None:
    places = -int(number.as_tuple().exponent)
    if places > MAX_DIGITS or number.adjusted() >= MAX_DIGITS:
        return None
    return number


def read_integer(value: Any, minimum: int, code: str, problems: Problems) -> int:
    """Read a JSON integer of at least `minimum`; otherwise note `code`."""
    in_range = (
        isinstance(value, int) and not isinstance(value, bool) and minimum <= value < 10**MAX_DIGITS
    )
    if not in_range:
        problems.add(PROPERTIES, code)
        return minimum
    return int(value)


def read_bound(value: Any) -> Decimal | None:
    """Read a tier's bound: a finite JSON number of 0 or more, through its shortest text."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    number = Decimal(value) if isinstance(value, int | Decimal) else Decimal(str(value))
    if not number.is_finite() or number < ZERO:
        return None
    return _bounded(number)


def _group_keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the grouping keys; both names of the same list are shown."""
    kept: dict[str, Any] = {}
    for name in ("pricing_group_keys", "grouped_by"):
        if given.get(name) is not None:
            kept = {"grouped_by": given[name], "pricing_group_keys": given[name]}
            break
    if given.get("presentation_group_keys") is not None:
        kept["presentation_group_keys"] = given["presentation_group_keys"]
    return kept


def _check_group_keys(stored: Mapping[str, Any], problems: Problems) -> None:
    pricing = stored.get("pricing_group_keys", [])
    if not isinstance(pricing, list) or not all(
        isinstance(key, str) and key.strip() for key in pricing
    ):
        problems.add(PROPERTIES, "invalid_type")
    presentation = stored.get("presentation_group_keys", [])
    if not isinstance(presentation, list) or not all(map(_is_presentation_key, presentation)):
        problems.add(PROPERTIES, "invalid_type")
        return
    if len(presentation) > MAX_PRESENTATION_KEYS:
        problems.add(PROPERTIES, "too_many_keys")
    if len({key["value"] for key in presentation}) < len(presentation):
        problems.add(PROPERTIES, "value_is_duplicated")


def _is_presentation_key(key: Any) -> bool:
    if not isinstance(key, dict) or not isinstance(key.get("value"), str) or not key["value"]:
        return False
    options = key.get("options")
    if options is None:
        return True
    return isinstance(options, dict) and isinstance(options.get("display_in_invoice", False), bool)
