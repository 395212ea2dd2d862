"""Charge models: the worked examples of docs/rules/metering.md 7, and what must always hold."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.charges import MODELS, Price, Terms, Usage, charge_price
from billing_core.domain.errors import Invalid
from billing_core.domain.money import minor_from_major

Tiers = list[tuple[Any, Any, str, str]]


def tiers(key: str, rows: Tiers) -> dict[str, Any]:
    names = ("from_value", "to_value", "per_unit_amount", "flat_amount")
    return {key: [dict(zip(names, row, strict=True)) for row in rows]}


def price(terms: Terms, units: str) -> Price:
    return charge_price(terms, Usage(Decimal(units), 1))


def graduated(rows: Tiers) -> Terms:
    return MODELS["graduated"].parse(tiers("graduated_ranges", rows))


def volume(rows: Tiers) -> Terms:
    return MODELS["volume"].parse(tiers("volume_ranges", rows))


def package(amount: str, size: int, free: int) -> Terms:
    properties = {"amount": amount, "package_size": size, "free_units": free}
    return MODELS["package"].parse(properties)


CLASSIC = graduated([(0, 10, "10", "2"), (11, 20, "5", "3"), (21, None, "5", "3")])
ADJACENT = graduated([(0, 10, "10", "2"), (10, 20, "5", "3"), (20, None, "4", "1")])
DECIMALS = graduated([(0, 0.1, "10", "0"), (0.1, 1, "5", "0"), (1, None, "2", "0")])
MIXED = graduated([(0, 10, "10", "0"), (10, 20, "5", "0"), (21, None, "4", "0")])
FROM_ONE = graduated([(1, 10, "10", "0"), (11, None, "1", "0")])
VOLUME = volume([(0, 100, "2", "10"), (101, 200, "1", "0"), (201, None, "0.5", "50")])
HOLED = volume([(0, 100, "2", "10"), (102, None, "1", "0")])


@pytest.mark.parametrize(
    ("amount", "units", "currency", "minor"),
    [
        ("0.001", "4.5", "EUR", 0),
        ("0.005", "1", "EUR", 1),
        ("0.0149999", "1", "EUR", 1),
        ("0.0005", "3", "KWD", 2),
        ("0.5", "3", "JPY", 2),
    ],
)
def test_e1_e2_standard_rounds_once(amount: str, units: str, currency: str, minor: int) -> None:
    terms = MODELS["standard"].parse({"amount": amount})
    assert minor_from_major(price(terms, units).amount, currency) == minor


@pytest.mark.parametrize(
    ("terms", "example"),
    [
        (CLASSIC, "0=2 1=12 10=102 11=110 20=155 21=163"),  # E4
        (CLASSIC, "10.2=106 10.5=107.5 20.5=160.5"),  # E5
        (ADJACENT, "10=102 10.2=106 20=155 20.5=158"),  # E6
        (DECIMALS, "0.05=0.5 0.5=3"),  # E7
        (MIXED, "10.5=107.5 21=159"),  # E8: a double-counted border, kept
        (FROM_ONE, "0.5=5 10=100"),  # E9
        (VOLUME, "0=10 100=210 100.0001=100.0001 100.5=100.5 200=200 200.5=150.25 300=200"),  # E10
        (HOLED, "100=210 100.5=100.5 101=101 102=102"),  # the hole goes to the next tier
        # E12, except that the last unit opens a package: blocks are counted exactly.
        (package("100", 10, 0), "1=100 10=100 10.0000000001=200 121=1300"),
        (package("100", 10, 0), "100.0000000000000001=1100"),
        (package("5", 100, 100), "50=0 100=0 100.01=5 200=5 201=10"),  # E13
    ],
)
def test_worked_examples(terms: Terms, example: str) -> None:
    for pair in example.split():
        units, _, amount = pair.partition("=")
        assert price(terms, units).amount == Decimal(amount), pair


def test_unit_amounts() -> None:
    assert price(package("5", 100, 100), "100.01").unit_amount == 500
    assert price(CLASSIC, "11").unit_amount == 10
    assert price(CLASSIC, "0").unit_amount == 0
    assert str(price(CLASSIC, "3").unit_amount) == "10.666666666666667"
    standard = MODELS["standard"].parse({"amount": "0.25"})
    assert price(standard, "0").unit_amount == 0
    assert price(standard, "8").unit_amount == Decimal("0.25")


RATE = {"rate": "1.3", "fixed_amount": "2"}
LIMITS = {"rate": "2.99", "per_transaction_min_amount": "1.75", "per_transaction_max_amount": "12"}
N1, N2, N3 = ({"free_units_per_events": number} for number in (1, 2, 3))
A250 = {"free_units_per_total_aggregation": "250"}


@pytest.mark.parametrize(
    ("properties", "values", "amount"),
    [
        (RATE, "50 100 250 400", "18.40"),  # E14
        (RATE | N3, "50 100 250 400", "7.20"),  # E15
        (RATE | A250, "50 100 250 400", "11.15"),  # E16
        (RATE | A250, "100 150 50", "4.65"),  # E17
        (RATE | A250 | N3, "50 100 250 400", "11.15"),  # E18
        (RATE | A250 | N1, "50 100 250 400", "15.75"),
        (RATE | A250 | N2, "300 100", "1.95"),  # E19
        (RATE, "100 -40", "4.78"),  # E20
        (RATE, "100 -100", "0"),
        (LIMITS, "10 80 10000", "16.142"),  # E22
        (LIMITS | {"fixed_amount": "2"}, "10 80 10000", "18.691"),
        (LIMITS | {"free_units_per_total_aggregation": "30"}, "10 80 10000", "13.794"),
        # E23: a minimum makes A govern alone
        (RATE | A250 | N1 | {"per_transaction_min_amount": "0"}, "50 100 250 400", "11.15"),
    ],
)
def test_percentage_of_a_sum(properties: dict[str, Any], values: str, amount: str) -> None:
    numbers = [Decimal(value) for value in values.split()]
    usage = Usage(sum(numbers, Decimal(0)), len(numbers), numbers)
    assert charge_price(MODELS["percentage"].parse(properties), usage).amount == Decimal(amount)


def test_percentage_details() -> None:
    numbers = [Decimal(value) for value in (10, 80, 10000)]
    terms = MODELS["percentage"].parse(LIMITS)
    assert charge_price(terms, Usage(Decimal(10090), 3, numbers)).details == {
        "units": "10090.0",
        "free_units": "0.0",
        "free_events": 0,
        "paid_units": "10090.0",
        "rate": "2.99",
        "per_unit_total_amount": "301.691",
        "paid_events": 3,
        "fixed_fee_unit_amount": "0.0",
        "fixed_fee_total_amount": "0.0",
        "min_max_adjustment_total_amount": "-285.549",
    }


def test_percentage_of_a_count() -> None:
    counted = {"rate": "10", "fixed_amount": "1", "free_units_per_total_aggregation": "2"}
    terms = MODELS["percentage"].parse(counted)
    assert charge_price(terms, Usage(Decimal(5), 5), "count_agg").amount == Decimal("4.3")  # E21
    terms = MODELS["percentage"].parse(counted | N3)
    assert charge_price(terms, Usage(Decimal(5), 5), "count_agg").amount == Decimal("4.2")


@given(
    st.integers(0, 12),
    st.none() | st.integers(1, 5),
    st.none() | st.decimals(0, 9, places=1),
    st.decimals(0, 3, places=1),
)
def test_counting_without_writing_events_down(
    count: int, free_events: int | None, free_units: Decimal | None, minimum: Decimal
) -> None:
    properties = {"rate": "10", "fixed_amount": "0.3", "per_transaction_min_amount": str(minimum)}
    given_free = {
        "free_units_per_events": free_events,
        "free_units_per_total_aggregation": None if free_units is None else str(free_units),
    }
    terms = MODELS["percentage"].parse(properties | given_free)
    ones = Usage(Decimal(count), count, [Decimal(1)] * count)
    counted = charge_price(terms, Usage(Decimal(count), count), "count_agg")
    assert counted.amount == charge_price(terms, ones, "sum_agg").amount


def test_limits_on_a_maximum_price_every_event() -> None:
    terms = MODELS["percentage"].parse({"rate": "10", "per_transaction_min_amount": "1"})
    values = [Decimal(value) for value in (5, 100, 100)]
    assert charge_price(terms, Usage(Decimal(100), 3, values), "max_agg").amount == 12


def test_who_needs_the_values() -> None:
    percentage = MODELS["percentage"]
    assert not percentage.parse(RATE).needs_values
    assert not CLASSIC.needs_values
    for more in (N1, A250, {"per_transaction_max_amount": "9"}):
        terms = percentage.parse(RATE | more)
        assert terms.needs_values
        with pytest.raises(AssertionError):
            charge_price(terms, Usage(Decimal(3), 2))


def test_negative_usage_costs_nothing() -> None:
    for model in MODELS.values():
        assert charge_price(model.parse({}), Usage(Decimal(-1), 2, (Decimal(-2), Decimal(1)))) == (
            Price(Decimal(0), Decimal(0), {})
        )


def test_tier_details() -> None:
    assert price(CLASSIC, "11").details == {
        "graduated_ranges": [
            {
                "from_value": 0,
                "to_value": 10,
                "flat_unit_amount": "2.0",
                "per_unit_amount": "10.0",
                "units": "10.0",
                "per_unit_total_amount": "100.0",
                "total_with_flat_amount": "102.0",
            },
            {
                "from_value": 11,
                "to_value": 20,
                "flat_unit_amount": "3.0",
                "per_unit_amount": "5.0",
                "units": "1.0",
                "per_unit_total_amount": "5.0",
                "total_with_flat_amount": "8.0",
            },
        ]
    }
    assert price(VOLUME, "300").details == {
        "flat_unit_amount": "50.0",
        "per_unit_amount": "0.5",
        "per_unit_total_amount": "150.0",
    }
    assert price(package("5", 100, 100), "201").details == {
        "free_units": "100.0",
        "paid_units": "101.0",
        "per_package_size": 100,
        "per_package_unit_amount": "5.0",
    }


def refused(model: str, properties: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        MODELS[model].parse(properties)
    assert list(caught.value.details) == ["properties"]
    codes: list[str] = caught.value.details["properties"]
    return codes


@pytest.mark.parametrize(
    "amount",
    [
        *(5, 0.5, None, True, ["1"]),
        *("", "-1", "NaN", "Infinity", "abc", " 1", "1_0", ".", "1e40", "1e-40"),
        *("1" * 31, "0." + "1" * 31, "1" * 1000),
    ],
)
def test_wrong_amounts(amount: Any) -> None:
    assert refused("standard", {"amount": amount}) == ["invalid_amount"]


@pytest.mark.parametrize(
    ("amount", "expected"), [("1", "1"), ("0.050", "0.05"), ("1e-7", "0.0000001"), (".5", "0.5")]
)
def test_right_amounts_are_kept_verbatim(amount: str, expected: str) -> None:
    terms = MODELS["standard"].parse({"amount": amount, "rate": "3"})
    assert terms.properties() == {"amount": amount}
    assert price(terms, "1").amount == Decimal(expected)


@pytest.mark.parametrize(
    ("model", "properties", "codes"),
    [
        ("package", {"amount": "1", "package_size": 0, "free_units": 0}, ["invalid_package_size"]),
        ("package", {"amount": "1", "package_size": 5}, ["invalid_free_units"]),
        (
            "package",
            {"amount": 1, "package_size": "5", "free_units": -1},
            ["invalid_amount", "invalid_free_units", "invalid_package_size"],
        ),
        ("percentage", {"fixed_amount": 2}, ["invalid_rate", "invalid_fixed_amount"]),
        (
            "percentage",
            {"rate": "1", "free_units_per_events": 0, "free_units_per_total_aggregation": 5},
            ["invalid_free_units_per_total_aggregation", "invalid_free_units_per_events"],
        ),
        (
            "percentage",
            {"rate": "1", "per_transaction_min_amount": "2", "per_transaction_max_amount": "1"},
            ["per_transaction_max_lower_than_per_transaction_min"],
        ),
        ("graduated", {"graduated_ranges": []}, ["missing_graduated_ranges"]),
        ("volume", {"amount": "1"}, ["missing_volume_ranges"]),
        ("standard", {"amount": "1", "pricing_group_keys": ["a", ""]}, ["invalid_type"]),
        ("standard", {"amount": "1", "pricing_group_keys": "a"}, ["invalid_type"]),
        ("standard", {"amount": "1", "presentation_group_keys": ["a"]}, ["invalid_type"]),
        (
            "standard",
            {"amount": "1", "presentation_group_keys": [{"value": "a"}] * 3},
            ["too_many_keys", "value_is_duplicated"],
        ),
    ],
)
def test_refusals(model: str, properties: dict[str, Any], codes: list[str]) -> None:
    assert refused(model, properties) == codes


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 10, "1", "0")],  # not open
        [(2, None, "1", "0")],  # does not start at 0 or 1
        [(0, 10, "1", "0"), (12, None, "1", "0")],  # gap
        [(0, 10, "1", "0"), (9, None, "1", "0")],  # overlap
        [(11, None, "1", "0"), (0, 10, "1", "0")],  # unsorted
        [(0, None, "1", "0"), (1, None, "1", "0")],  # open in the middle
        [(0, 2, "1", "0"), (2, 2, "1", "0"), (3, None, "1", "0")],  # a tier of one unit
        [("0", None, "1", "0")],
        [(0, True, "1", "0"), (2, None, "1", "0")],
    ],
)
def test_wrong_tiers(rows: Tiers) -> None:
    wrong = tiers("graduated_ranges", rows)
    assert refused("graduated", wrong) == ["invalid_graduated_ranges"]


def test_wrong_tiers_of_a_volume() -> None:
    touching = tiers("volume_ranges", [(0, 10, "1", "0"), (10, None, "1", "0")])
    assert refused("volume", touching) == ["invalid_volume_ranges"]
    assert refused("volume", {"volume_ranges": [5]}) == ["invalid_volume_ranges"]
    unpriced = {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": 1}]}
    assert refused("volume", unpriced) == ["invalid_amount"]


def test_empty_properties_mean_defaults() -> None:
    open_tier = {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "0"}
    assert {name: model.parse({}).properties() for name, model in MODELS.items()} == {
        "standard": {"amount": "0"},
        "graduated": {"graduated_ranges": [open_tier]},
        "package": {"amount": "0", "package_size": 1, "free_units": 0},
        "percentage": {"rate": "0"},
        "volume": {"volume_ranges": [open_tier]},
    }
    changed = MODELS["volume"].parse(None).properties()
    changed["volume_ranges"][0]["per_unit_amount"] = "9"
    assert MODELS["volume"].parse(None).properties() == {"volume_ranges": [open_tier]}


def test_both_names_of_the_group_keys_are_shown() -> None:
    both = {"amount": "1", "grouped_by": ["region"], "pricing_group_keys": ["region"]}
    for name in ("grouped_by", "pricing_group_keys"):
        terms = MODELS["standard"].parse({"amount": "1", name: ["region"]})
        assert terms.properties() == both


UNITS = st.decimals(0, 10**6, places=4)
AMOUNT = st.decimals(0, 100, places=6).map(str)


@st.composite
def monotonous(draw: st.DrawFn) -> Terms:
    model = draw(st.sampled_from(["standard", "package", "graduated"]))
    if model == "standard":
        return MODELS[model].parse({"amount": draw(AMOUNT)})
    if model == "package":
        return package(draw(AMOUNT), draw(st.integers(1, 1000)), draw(st.integers(0, 1000)))
    bounds = sorted(draw(st.sets(st.integers(2, 10**5), max_size=5)))
    start, rows = draw(st.integers(0, 1)), []
    for bound in bounds:
        if bound > start:
            rows.append((start, bound, draw(AMOUNT), draw(AMOUNT)))
            start = bound + draw(st.integers(0, 1))
    return graduated([*rows, (start, None, draw(AMOUNT), draw(AMOUNT))])


@given(monotonous(), UNITS, UNITS)
def test_more_usage_never_costs_less(terms: Terms, one: Decimal, other: Decimal) -> None:
    low, high = (charge_price(terms, Usage(units, 1)).amount for units in sorted((one, other)))
    assert 0 <= low <= high


@given(UNITS, AMOUNT)
def test_one_open_tier_is_a_standard_price(units: Decimal, amount: str) -> None:
    usage = Usage(units, 1)
    standard = charge_price(MODELS["standard"].parse({"amount": amount}), usage).amount
    for start in (0, 1):
        rows: Tiers = [(start, None, amount, "0")]
        assert charge_price(graduated(rows), usage).amount == standard
        assert charge_price(volume(rows), usage).amount == standard


def test_quantities_of_thirty_digits_keep_every_digit() -> None:
    amount, units = "0." + "3" * 30, "1" * 30 + "." + "1" * 30
    exact = price(MODELS["standard"].parse({"amount": amount}), units).amount
    assert Fraction(exact) == Fraction(amount) * Fraction(units)
