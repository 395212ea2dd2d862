"""What each aggregation makes of a list of events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.metrics import (
    Fact,
    Folded,
    apply_rounding,
    fold,
    numeric,
    property_text,
)

START = datetime(2024, 3, 1, tzinfo=UTC)


def facts(*values: str | None) -> list[Fact]:
    return [Fact(START + timedelta(hours=hour), hour, value) for hour, value in enumerate(values)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12", "12"),
        (12, "12"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (0.25, "0.25"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ({"a": [1, Decimal("1.50"), None, "x\n"]}, '{"a":[1,1.50,null,"x\\n"]}'),
        ([], "[]"),
    ],
)
def test_properties_are_read_as_text(value: Any, text: str | None) -> None:
    assert property_text(value) == text


def test_long_integers_are_text_too() -> None:
    assert property_text(10**5000) == "1" + "0" * 5000


def test_deep_nesting_is_text_too() -> None:
    nested: Any = None
    for _ in range(100_000):
        nested = [nested]
    assert property_text(nested) == "[" * 100_000 + "null" + "]" * 100_000


@pytest.mark.parametrize("text", ["12", "-0.5", "007", "1" * 60])
def test_numbers_take_part(text: str) -> None:
    assert numeric(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    ["1e3", "+5", ".5", "5.", " 5", "5\n", "1,000", "true", "", "NaN", "\u0665", None],
)
def test_other_texts_do_not(text: str | None) -> None:
    assert numeric(text) is None


@pytest.mark.parametrize(
    ("aggregation", "values", "units", "count"),
    [
        ("count_agg", ["x", None, "3"], "3", 3),
        ("sum_agg", ["10", "-4.5", "1e3", None], "5.5", 2),
        ("sum_agg", ["9" * 50, "0." + "1" * 40], "9" * 50 + "." + "1" * 40, 2),
        ("max_agg", ["-3", "-2", "abc"], "-2", 2),
        ("max_agg", [], "0", 0),
        ("latest_agg", ["5", "7", "none"], "7", 2),
        ("latest_agg", ["5", "-7"], "0", 2),
        ("latest_agg", [None], "0", 0),
        ("unique_count_agg", ["a", "a", "b", None, None], "3", 3),
    ],
)
def test_fold(aggregation: str, values: Sequence[str | None], units: str, count: int) -> None:
    assert fold(aggregation, facts(*values)) == Folded(Decimal(units), count)


def test_latest_breaks_ties_by_ingestion() -> None:
    same = [Fact(START, 2, "9"), Fact(START, 1, "5"), Fact(START - timedelta(1), 3, "1")]
    assert fold("latest_agg", same).units == 9


def test_unique_count_replays_operations() -> None:
    script = [("a", "add"), ("a", None), ("b", "remove"), ("a", "remove"), ("b", "add")]
    events = [
        Fact(START + timedelta(minutes=minute), minute, value, operation)
        for minute, (value, operation) in enumerate(script)
    ]
    assert fold("unique_count_agg", events) == Folded(Decimal(1), 1)
    assert fold("unique_count_agg", events[::-1]) == Folded(Decimal(1), 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-(10**6), 10**6))), st.randoms())
def test_the_order_of_arrival_in_the_list_does_not_matter(
    history: list[tuple[int, int]], random: Any
) -> None:
    events = [
        Fact(START + timedelta(hours=hour), order, str(value))
        for order, (hour, value) in enumerate(history)
    ]
    mixed = random.sample(events, len(events))
    for aggregation in ("count_agg", "sum_agg", "max_agg", "latest_agg", "unique_count_agg"):
        assert fold(aggregation, mixed) == fold(aggregation, events)


@pytest.mark.parametrize(
    ("function", "precision", "rounded"),
    [
        ("round", 2, "123.46"),
        ("round", None, "123"),
        ("round", -2, "100"),
        ("ceil", None, "124"),
        ("ceil", 2, "123.46"),
        ("floor", 1, "123.4"),
        (None, 1, "123.456"),
    ],
)
def test_metric_rounding(function: str | None, precision: int | None, rounded: str) -> None:
    result = apply_rounding(Decimal("123.456"), function, precision)
    assert str(result) == rounded
