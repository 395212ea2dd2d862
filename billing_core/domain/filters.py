"""Buckets and groups: which price of a charge an event belongs to, told by its properties."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

ALL_VALUES = "__ALL_FILTER_VALUES__"
TARGET_WALLET = "target_wallet_code"

# The texts of some property keys in an event, None where a property is absent.
Texts = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """One charge filter: the values it accepts by key, the ALL token expanded.

    `age` orders identical filters: the smallest one (created_at, id) is the oldest.
    """

    values: Mapping[str, frozenset[str]]
    age: tuple[datetime, UUID]

    def accepts(self, texts: Mapping[str, str | None]) -> bool:
        """Tell whether every key of the filter holds one of its values; absent ones never do."""
        return all(texts.get(key) in accepted for key, accepted in self.values.items())

    def yields_to(self, other: "Filter") -> bool:
        """Tell whether `other`, on the same keys, is narrower, or identical and older."""
        if other.values.keys() != self.values.keys():
            return False
        if other.values == self.values:
            return other.age < self.age
        return all(other.values[key] <= accepted for key, accepted in self.values.items())


def expanded(
    values: Mapping[str, Sequence[str]], declared: Mapping[str, Sequence[str]]
) -> dict[str, frozenset[str]]:
    """Return a filter's values with the ALL token replaced by what the metric declares now.

    Undeclared values of the key stay out: their events fall in the default bucket
    (`docs/rules/metering.md` 3.12).
    """
    return {
        key: frozenset(declared.get(key, ()) if ALL_VALUES in accepted else accepted)
        for key, accepted in values.items()
    }


def assign(filters: Sequence[Filter], texts: Mapping[str, str | None]) -> int | None:
    """Return the position of the one filter an event belongs to, None for the default bucket.

    Of the filters that accept the event the ones with the most keys come first; of these, one that
    yields to another is out; of the rest, the first in input order wins. Each event is so priced
    exactly once, in arrears as in advance (`docs/rules/metering.md` 3.12, 8.6).
    """
    accepting = [
        position for position, one in enumerate(filters) if one.values and one.accepts(texts)
    ]
    most = max((len(filters[position].values) for position in accepting), default=0)
    rivals = [position for position in accepting if len(filters[position].values) == most]
    for position in rivals:
        if not any(filters[position].yields_to(filters[other]) for other in rivals):
            return position
    return None


class Bucket(NamedTuple):
    """A charge filter, by position (None is the default), and a tuple of group texts in it."""

    filter: int | None
    group: Texts


@dataclass(frozen=True, slots=True)
class Buckets:
    """How a charge tells its usage apart.

    `group_keys` are the pricing group keys of each filter, in the order of `filters`, then those of
    the default bucket: filters never inherit them. `breakdown_keys` split every group further, for
    show only.
    """

    filters: tuple[Filter, ...]
    group_keys: tuple[tuple[str, ...], ...]
    breakdown_keys: tuple[str, ...] = ()

    def keys_of(self, position: int | None) -> tuple[str, ...]:
        """Return the pricing group keys of a filter or, for None, of the default bucket."""
        return self.group_keys[-1 if position is None else position]

    def dimensions(self) -> frozenset[str]:
        """Return every property key that decides where an event belongs."""
        found = {key for one in self.filters for key in one.values}
        found.update(key for keys in self.group_keys for key in keys)
        return frozenset(found.union(self.breakdown_keys))

    def of(self, texts: Mapping[str, str | None]) -> Bucket:
        """Return the bucket and group of an event; an empty text is as good as none (3.13)."""
        position = assign(self.filters, texts)
        return Bucket(position, tuple(texts.get(key) or None for key in self.keys_of(position)))

    def namer(
        self,
        dimensions: Sequence[str],
        *,
        broken_down: bool = False,
        only: Callable[[Mapping[str, str | None]], bool] | None = None,
    ) -> Callable[[Texts], Hashable | None]:
        """Return the function that names the bucket of an event's texts of `dimensions`.

        The name is a `Bucket`, or with `broken_down` the pair of it and the texts of
        `breakdown_keys`; events that `only` refuses are left out. Names are remembered, so that
        many events of one group cost one assignment.
        """
        looked_at = self.dimensions() if only is None else frozenset(dimensions)
        places = [place for place, key in enumerate(dimensions) if key in looked_at]
        keys = [dimensions[place] for place in places]
        known: dict[Texts, Hashable | None] = {}

        def name(texts: Texts) -> Hashable | None:
            seen = tuple(texts[place] for place in places)
            if seen not in known:
                known[seen] = self._name(dict(zip(keys, seen, strict=True)), broken_down, only)
            return known[seen]

        return name

    def _name(
        self,
        texts: Mapping[str, str | None],
        broken_down: bool,  # noqa: FBT001 - private, named at the one call
        only: Callable[[Mapping[str, str | None]], bool] | None,
    ) -> Hashable | None:
        if only is not None and not only(texts):
            return None
        bucket = self.of(texts)
        if not broken_down:
            return bucket
        return bucket, tuple(texts.get(key) or None for key in self.breakdown_keys)


def group_keys(
    properties: Mapping[str, Sequence[str]], *, accepts_target_wallet: bool
) -> tuple[str, ...]:
    """Return the pricing group keys of a charge's or a filter's properties, without repeats.

    A charge that accepts a target wallet has its code as an implicit last key
    (`docs/rules/metering.md` 3.13).
    """
    keys: Iterable[str] = properties.get("pricing_group_keys") or ()
    return tuple(dict.fromkeys((*keys, *([TARGET_WALLET] if accepts_target_wallet else ()))))
