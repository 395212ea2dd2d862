"""Every event belongs to exactly one bucket, whatever the filters."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.filters import (
    ALL_VALUES,
    TARGET_WALLET,
    Bucket,
    Buckets,
    Filter,
    assign,
    expanded,
    group_keys,
)

BIRTH = datetime(2026, 1, 1, tzinfo=UTC)
DECLARED = {"cloud": ["aws", "gcp"], "region": ["us", "eu", "asia"], "tier": ["gold", "free"]}


def made(*values: Mapping[str, Sequence[str]], newest_first: bool = False) -> list[Filter]:
    """Build filters in input order, each a second older or younger than the one before."""
    found = []
    for position, accepted in enumerate(values):
        shift = -position if newest_first else position
        age = (BIRTH + timedelta(seconds=shift), UUID(int=position))
        found.append(Filter(expanded(accepted, DECLARED), age))
    return found


@pytest.mark.parametrize(
    ("filters", "texts", "winner"),
    [
        pytest.param([{"region": ["us"]}], {"region": "eu"}, None, id="none-accepts"),
        pytest.param([{"region": ["us"]}], {}, None, id="absent-never-matches"),
        pytest.param([{"region": ["us"]}], {"region": ""}, None, id="empty-is-no-value"),
        pytest.param([{"region": [ALL_VALUES]}], {"region": "eu"}, 0, id="all-declared"),
        pytest.param([{"region": [ALL_VALUES]}], {"region": "mars"}, None, id="all-is-declared"),
        pytest.param(
            [{"cloud": ["aws", "gcp"]}, {"cloud": ["aws"]}], {"cloud": "aws"}, 1, id="e48-narrower"
        ),
        pytest.param(
            [{"cloud": ["aws", "gcp"]}, {"cloud": ["aws"]}], {"cloud": "gcp"}, 0, id="e48-wider"
        ),
        pytest.param(
            [{"cloud": [ALL_VALUES]}, {"cloud": ["aws"]}], {"cloud": "aws"}, 1, id="concrete"
        ),
        pytest.param(
            [{"cloud": ["aws"]}, {"cloud": ["aws"], "region": [ALL_VALUES]}],
            {"cloud": "aws", "region": "us"},
            1,
            id="more-keys",
        ),
        pytest.param(
            [{"region": ["us", "eu"]}, {"region": ["eu", "asia"]}],
            {"region": "eu"},
            0,
            id="overlap-first",
        ),
        pytest.param(
            [{"region": ["us"]}, {"tier": ["gold"]}],
            {"region": "us", "tier": "gold"},
            0,
            id="other-keys-first",
        ),
        pytest.param(
            [{"cloud": ["aws"], "region": ["us"]}, {"cloud": ["aws"], "tier": ["gold"]}],
            {"cloud": "aws", "region": "us", "tier": "gold"},
            0,
            id="other-keys-of-the-same-number-first",
        ),
    ],
)
def test_which_filter(
    filters: list[dict[str, list[str]]], texts: dict[str, str], winner: int | None
) -> None:
    assert assign(made(*filters), texts) == winner


def test_of_identical_filters_the_oldest() -> None:
    twice = ({"cloud": ["aws"]}, {"cloud": ["aws"]})
    assert assign(made(*twice), {"cloud": "aws"}) == 0
    assert assign(made(*twice, newest_first=True), {"cloud": "aws"}) == 1


def test_e49_groups_of_a_filter_are_not_those_of_the_default() -> None:
    (filter_,) = made({"cloud": ["aws"], "region": [ALL_VALUES]})
    buckets = Buckets((filter_,), (("country",), ()))
    assert buckets.dimensions() == {"cloud", "region", "country"}
    events = [
        {"cloud": "aws", "region": "us", "country": "us"},
        {"cloud": "aws", "region": "eu", "country": "france"},
        {"cloud": "aws", "region": "asia"},
        {"cloud": "gcp", "region": "asia", "country": "china"},
    ]
    assert [buckets.of(event) for event in events] == [
        Bucket(0, ("us",)),
        Bucket(0, ("france",)),
        Bucket(0, (None,)),
        Bucket(None, ()),
    ]


def test_an_empty_text_is_no_group() -> None:
    buckets = Buckets((), (("country",),))
    assert buckets.of({"country": ""}) == buckets.of({}) == Bucket(None, (None,))


def test_a_target_wallet_is_the_last_group_key() -> None:
    properties = {"pricing_group_keys": ["country", "country"]}
    assert group_keys(properties, accepts_target_wallet=True) == ("country", TARGET_WALLET)
    assert group_keys(properties, accepts_target_wallet=False) == ("country",)
    assert group_keys({}, accepts_target_wallet=True) == (TARGET_WALLET,)


def test_names_see_only_what_the_charge_looks_at() -> None:
    buckets = Buckets((), (("country",),), ("team",))
    dimensions = ("country", "noise", "team")
    name = buckets.namer(dimensions)
    assert name(("fr", "1", "a")) == name(("fr", "2", "a")) == Bucket(None, ("fr",))
    broken_down = buckets.namer(dimensions, broken_down=True)
    assert broken_down(("fr", "1", "a")) == (Bucket(None, ("fr",)), ("a",))
    only = buckets.namer(dimensions, only=lambda texts: texts["noise"] == "1")
    assert only(("fr", "1", "a")) == Bucket(None, ("fr",))
    assert only(("fr", "2", "a")) is None


VALUES = st.fixed_dictionaries(
    {},
    optional={
        key: st.one_of(
            st.just([ALL_VALUES]), st.lists(st.sampled_from(values), min_size=1, unique=True)
        )
        for key, values in DECLARED.items()
    },
).filter(bool)
TEXTS = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from([*values, "other", ""]) for key, values in DECLARED.items()}
)


@given(st.lists(VALUES, max_size=6), TEXTS)
def test_an_event_is_in_one_bucket_that_accepts_it(
    values: list[dict[str, list[str]]], texts: dict[str, str]
) -> None:
    filters = made(*values)
    winner = assign(filters, texts)
    accepting = [one for one in filters if one.accepts(texts)]
    if winner is None:
        assert not accepting
        return
    chosen = filters[winner]
    assert chosen in accepting
    for other in accepting:
        assert len(other.values) <= len(chosen.values)
        assert other is chosen or not chosen.yields_to(other)


@given(st.lists(VALUES, max_size=6), TEXTS, st.randoms())
def test_order_only_breaks_ties(
    values: list[dict[str, list[str]]], texts: dict[str, str], random: Random
) -> None:
    filters = made(*values)
    shuffled = list(filters)
    random.shuffle(shuffled)
    first, second = assign(filters, texts), assign(shuffled, texts)
    if first is None or second is None:
        assert first is second is None
        return
    one, other = filters[first], shuffled[second]
    comparable = one.values.keys() == other.values.keys() and any(
        all(a.values[key] <= b.values[key] for key in a.values)
        for a, b in ((one, other), (other, one))
    )
    assert one is other or not comparable, "a narrower, wider or identical filter won by its place"
    assert len(one.values) == len(other.values)


@given(st.lists(VALUES, max_size=6), TEXTS)
def test_names_are_buckets(values: list[dict[str, list[str]]], texts: dict[str, str]) -> None:
    filters = tuple(made(*values))
    buckets = Buckets(filters, (*[("tier",) for _ in filters], ()))
    dimensions = tuple(sorted({*DECLARED, "noise"}))
    name = buckets.namer(dimensions)
    seen = tuple(texts.get(key) for key in dimensions)
    assert name(seen) == name(seen) == buckets.of(texts)
