"""Notes that callers put on customers and invoices: up to five each, replaced as a set."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from billing_core.domain.errors import Invalid

MOST = 5


class Note(Protocol):
    """A stored note."""

    id: UUID
    key: str
    value: str


class WantedNote(Protocol):
    """A note of a request; with `id` it changes a known one."""

    @property
    def id(self) -> UUID | None:
        """The known note, if any."""

    @property
    def key(self) -> str:
        """Its name, unique on its owner."""

    @property
    def value(self) -> str:
        """What it says."""


Stored = TypeVar("Stored", bound=Note)
Wanted = TypeVar("Wanted", bound=WantedNote)


def replaced(
    known: Sequence[Stored], wanted: Sequence[Wanted], new: Callable[[Wanted], Stored]
) -> list[tuple[Stored, Wanted]]:
    """Pair each wanted note with its row: known ids change, others are new, absent ones go.

    Raises `Invalid` on `metadata`: invalid_count above five, value_already_exist for a repeated
    key (`docs/rules/api-conventions.md` 7).
    """
    if len(wanted) > MOST:
        raise Invalid.field("metadata", "invalid_count")
    if len({one.key for one in wanted}) != len(wanted):
        raise Invalid.field("metadata", "value_already_exist")
    rows = {row.id: row for row in known}
    pairs: list[tuple[Stored, Wanted]] = []
    for one in wanted:
        row = rows.get(one.id) if one.id is not None else None
        row = row or new(one)
        row.key, row.value = one.key, one.value
        pairs.append((row, one))
    return pairs
