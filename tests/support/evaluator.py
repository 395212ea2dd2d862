"""Works out what a fee costs from its explanation's JSON alone, knowing nothing of the project.

Written against `docs/rules/metering.md` 3.18, in exact fractions.
"""

import json
from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Any

Data = dict[str, Any]


def half_up(value: Fraction) -> int:
    """Round half away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(Fraction(1, 2) - value)


def worth(steps: Any) -> Fraction:
    """Return the sum of some steps, in major units."""
    return sum((KINDS[step["kind"]](step) for step in steps), Fraction(0))


def minor(steps: Any, subunit: int) -> int:
    """Return the sum in whole minor units."""
    return half_up(worth(steps) * subunit)


def amount_cents(told: Any) -> int:
    """Return the amount that a `fee_explanation` of the API explains."""
    assert told["rounding"]["mode"] == "half_up"
    explanation = as_json(told["explanation"])
    return minor(explanation["steps"], int(told["rounding"]["subunit"]))


def as_json(steps: Any) -> Any:
    """Return what a client of the API would read; numbers must be texts or integers."""
    return json.loads(json.dumps(steps, allow_nan=False), parse_float=refuse)


def refuse(text: str) -> Any:
    raise AssertionError(text)


def packages(step: Data) -> Fraction:
    """Return the price of all packages that were opened."""
    paid = max(Fraction(step["units"]) - Fraction(step["free"]), Fraction(0))
    return -floor(-paid / Fraction(step["size"])) * Fraction(step["price"])


def exchanged(step: Data) -> Fraction:
    """Return a rounded sum after its exchange."""
    subunit = Fraction(step["subunit"])
    return half_up(worth(step["steps"]) * subunit) * Fraction(step["rate"]) / subunit


def ratio(step: Data) -> Fraction:
    """Return the quotient a step names."""
    return Fraction(step["part"]) / Fraction(step["whole"])


KINDS: dict[str, Callable[[Data], Fraction]] = {
    "units": lambda step: Fraction(step["units"]) * Fraction(step["price"]),
    "prorated": lambda step: Fraction(step["units"]) * ratio(step) * Fraction(step["price"]),
    "percent": lambda step: Fraction(step["units"]) * Fraction(step["rate"]) / 100,
    "flat": lambda step: step["times"] * Fraction(step["amount"]),
    "packages": packages,
    "minor": lambda step: Fraction(step["minor"]) / Fraction(step["subunit"]),
    "free": lambda _: Fraction(0),
    "at_least": lambda step: max(Fraction(step["amount"]), worth(step["steps"])),
    "minus": lambda step: -worth(step["steps"]),
    "ratio": lambda step: worth(step["steps"]) * ratio(step),
    "converted": exchanged,
}
