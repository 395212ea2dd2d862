"""The arithmetic of a price as data: a small closed vocabulary that anyone can add up again.

An amount in major units is the sum of its steps. A step is a JSON object; `kind` says what it is
worth, every number is a decimal string (`times` an integer), and further keys only explain:

    units      units * price
    prorated   units * part / whole * price
    percent    units * rate / 100
    flat       times * amount
    packages   ceil((units - free) / size) * price, nothing while units <= free
    minor      minor / subunit
    free       nothing: units and events that cost nothing
    at_least   the greater of amount and the sum of `steps`
    minus      the sum of `steps`, subtracted
    ratio      the sum of `steps` * part / whole
    converted  round_half_up(the sum of `steps` * subunit) * rate / subunit

Nothing else is ever rounded. Source: `docs/rules/metering.md` 3.18.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from billing_core.domain.money import plain

Step = dict[str, Any]
Steps = tuple[Step, ...]


def unit_step(units: Decimal, price: Decimal, **about: Any) -> Step:
    """Price units, one like the other."""
    return {"kind": "units", "units": plain(units), "price": plain(price), **about}


def prorated_step(
    units: Decimal, part: Decimal, whole: Decimal, price: Decimal, **about: Any
) -> Step:
    """Price units that were there for a part of the period; negative units left during it."""
    ratio = {"part": plain(part), "whole": plain(whole)}
    return {"kind": "prorated", "units": plain(units), **ratio, "price": plain(price), **about}


def percent_step(units: Decimal, rate: Decimal, **about: Any) -> Step:
    """Take `rate` percent of a metered amount."""
    return {"kind": "percent", "units": plain(units), "rate": plain(rate), **about}


def flat_step(amount: Decimal, times: int = 1, **about: Any) -> Step:
    """Add a fixed amount, perhaps several times."""
    return {"kind": "flat", "times": times, "amount": plain(amount), **about}


def package_step(units: Decimal, free: Decimal, size: int, price: Decimal) -> Step:
    """Price the packages that the units beyond the free ones have opened."""
    counted = {"units": plain(units), "free": plain(free), "size": plain(Decimal(size))}
    return {"kind": "packages", **counted, "price": plain(price)}


def minor_step(minor: Decimal, subunit: int, **about: Any) -> Step:
    """Take an amount that is given in minor units."""
    return {"kind": "minor", "minor": plain(minor), "subunit": plain(Decimal(subunit)), **about}


def free_step(units: Decimal, events: int) -> Step:
    """Say what is free; it adds nothing."""
    return {"kind": "free", "units": plain(units), "events": events}


def at_least_step(amount: Decimal, steps: Iterable[Step]) -> Step:
    """Keep a sum from falling below an amount."""
    return {"kind": "at_least", "amount": plain(amount), "steps": list(steps)}


def minus_step(steps: Iterable[Step], **about: Any) -> Step:
    """Take a sum away."""
    return {"kind": "minus", "steps": list(steps), **about}


def ratio_step(part: Decimal, whole: Decimal, steps: Iterable[Step]) -> Step:
    """Take a sum in proportion."""
    return {"kind": "ratio", "part": plain(part), "whole": plain(whole), "steps": list(steps)}


def converted_step(subunit: int, rate: Decimal, steps: Iterable[Step]) -> Step:
    """Round a sum to minor units of a pricing unit and exchange it at `rate`."""
    unit = {"subunit": plain(Decimal(subunit)), "rate": plain(rate)}
    return {"kind": "converted", **unit, "steps": list(steps)}
