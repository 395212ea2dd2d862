"""Price terms and usage for tests: short spellings, and random ones of every model."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from billing_core.domain.charges import MODELS, Price, Terms, Usage, charge_price

Tiers = Sequence[tuple[Any, Any, str, str]]
NUMBERS = st.decimals(0, 10**6, places=4)
AMOUNTS = st.decimals(0, 100, places=6).map(str)
LONG = st.integers(0, 10**60 - 1).map(lambda number: f"{number // 10**30}.{number % 10**30:030d}")


def tiers(key: str, rows: Tiers, price: str = "per_unit_amount") -> dict[str, Any]:
    names = ("from_value", "to_value", price, "flat_amount")
    return {key: [dict(zip(names, row, strict=True)) for row in rows]}


def graduated(rows: Tiers) -> Terms:
    return MODELS["graduated"].parse(tiers("graduated_ranges", rows))


def graduated_percentage(rows: Tiers) -> Terms:
    properties = tiers("graduated_percentage_ranges", rows, "rate")
    return MODELS["graduated_percentage"].parse(properties)


def volume(rows: Tiers) -> Terms:
    return MODELS["volume"].parse(tiers("volume_ranges", rows))


def standard(amount: str) -> Terms:
    return MODELS["standard"].parse({"amount": amount})


def percentage(**properties: Any) -> Terms:
    return MODELS["percentage"].parse(properties)


def package(amount: str, size: int, free: int) -> Terms:
    properties = {"amount": amount, "package_size": size, "free_units": free}
    return MODELS["package"].parse(properties)


def price(terms: Terms, units: str) -> Price:
    return charge_price(terms, Usage(Decimal(units), 1))


def summed(*values: Decimal | str | int) -> Usage:
    """Return the usage of some events of a sum metric."""
    numbers = [Decimal(value) for value in values]
    return Usage(sum(numbers, Decimal(0)), len(numbers), numbers)


@st.composite
def rows(draw: st.DrawFn, amounts: st.SearchStrategy[str] = AMOUNTS) -> Tiers:
    """Return tiers in either notation, or mixed, from 0 or 1."""
    start, found = draw(st.integers(0, 1)), []
    for bound in sorted(draw(st.sets(st.integers(2, 10**5), max_size=5))):
        if bound > start:
            found.append((start, bound, draw(amounts), draw(amounts)))
            start = bound + draw(st.integers(0, 1))
    return [*found, (start, None, draw(amounts), draw(amounts))]


@st.composite
def next_rows(
    draw: st.DrawFn, amounts: st.SearchStrategy[str] = AMOUNTS, gap: int | None = None
) -> Tiers:
    """Return tiers from 0 with one gap between bounds; without `gap`, those a volume may have."""
    found: list[tuple[Any, Any, str, str]] = []
    start = 0
    for width in draw(st.lists(st.integers(2, 10**4), max_size=5)):
        found.append((start, start + width, draw(amounts), draw(amounts)))
        start += width + (draw(st.integers(1, 2)) if gap is None else gap)
    return [*found, (start, None, draw(amounts), draw(amounts))]


@st.composite
def percentages(draw: st.DrawFn, amounts: st.SearchStrategy[str] = AMOUNTS) -> Terms:
    least, most = sorted(Decimal(draw(amounts)) for _ in range(2))
    optional = {
        "fixed_amount": draw(st.none() | amounts),
        "free_units_per_events": draw(st.none() | st.integers(1, 5)),
        "free_units_per_total_aggregation": draw(st.none() | amounts),
        "per_transaction_min_amount": draw(st.none() | st.just(str(least))),
        "per_transaction_max_amount": draw(st.none() | st.just(str(most))),
    }
    return percentage(rate=draw(amounts), **optional)


def any_terms(amounts: st.SearchStrategy[str] = AMOUNTS) -> st.SearchStrategy[Terms]:
    """Return terms of every charge model."""
    sizes = st.integers(1, 1000)
    return st.one_of(
        amounts.map(standard),
        st.builds(package, amounts, sizes, st.integers(0, 1000)),
        rows(amounts).map(graduated),
        rows(amounts).map(graduated_percentage),
        next_rows(amounts).map(volume),
        percentages(amounts),
        st.sampled_from(["dynamic", "custom"]).map(lambda model: MODELS[model].parse({})),
    )


@st.composite
def usages(draw: st.DrawFn, numbers: st.SearchStrategy[Decimal] = NUMBERS) -> Usage:
    """Return the usage of some events, with all that any model may ask for."""
    values = draw(st.lists(numbers | numbers.map(Decimal.copy_negate), max_size=8))
    amount = draw(st.decimals(-(10**6), 10**9, places=15))
    total = summed(*values).units
    return Usage(total, len(values), values, amount_cents=amount, subunit=100)


@st.composite
def prorated_usages(draw: st.DrawFn) -> Usage:
    """Return usage of which each event counts for some of the days of a period."""
    days = draw(st.integers(1, 31))
    pairs = []
    for full in draw(st.lists(st.integers(-20, 40), max_size=8)):
        ratio = Decimal(draw(st.integers(0, days))) / days
        pairs.append((Decimal(full), full * ratio))
    full_units = sum((full for full, _ in pairs), Decimal(0))
    units = sum((prorated for _, prorated in pairs), Decimal(0))
    return Usage(units, len(pairs), full_units=full_units, events=pairs)
