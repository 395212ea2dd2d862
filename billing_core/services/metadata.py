"""Metadata of plans, credit notes and the like: replaced, merged, cleared, or by key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from billing_core.domain.errors import Invalid, NotFound
from billing_core.store.unit import Unit
from billing_core.wire.metadata import MOST_KEYS


class Owner(Protocol):
    """A row that has metadata; None is none at all, and different from no keys."""

    custom_metadata: dict[str, Any] | None
    updated_at: datetime


def replace(unit: Unit, owner: Owner, wanted: Mapping[str, str | None] | None) -> None:
    """Make this the metadata of an owner."""
    owner.custom_metadata = None if wanted is None else dict(wanted)
    owner.updated_at = unit.now


def merge(unit: Unit, owner: Owner, wanted: Mapping[str, str | None]) -> None:
    """Add keys, or give known ones other values; raises `Invalid` when there are too many."""
    merged = {**(owner.custom_metadata or {}), **wanted}
    if len(merged) > MOST_KEYS:
        raise Invalid.field("metadata", "invalid_count")
    replace(unit, owner, merged)


def remove(unit: Unit, owner: Owner, key: str) -> None:
    """Take off one key, which need not be there; raises `NotFound` without any metadata."""
    if not owner.custom_metadata:
        raise NotFound("metadata")
    replace(
        unit, owner, {name: value for name, value in owner.custom_metadata.items() if name != key}
    )
