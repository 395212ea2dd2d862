"""What an event is to the store: its row, its key and the whole numbers that instants become."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

from billing_core.ports import StoredEvent

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
KEY_BYTES = 16
_TIME_BYTES = 6
_AFTER_TIME_BYTES = 4
_PREFIX_BYTES = 8
_UUID_LENGTH = 36
_ULID_LENGTH = 26
_ORDERED_LENGTHS = frozenset({_UUID_LENGTH, _ULID_LENGTH})
_FROM_CROCKFORD = str.maketrans(
    "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz",
    "0123456789abcdefghijklmnopqrstuvabcdefghijklmnopqrstuv",
)


class IncomingEvent(NamedTuple):
    """One accepted event on its way into the store; the order of the fields is the wire order.

    `org_id` and `key` are 16 raw bytes, `timestamp_us` and `created_at_us` microseconds since 1970
    UTC, `properties` the JSON object verbatim, `precise_total_amount_cents` a plain decimal.
    """

    org_id: bytes
    key: bytes
    series: int
    transaction_id: str
    external_subscription_id: str | None
    code: str
    timestamp_us: int
    properties: str
    precise_total_amount_cents: str | None
    created_at_us: int


class Request(NamedTuple):
    """Events that arrived together; `atomic` means all of them or none."""

    atomic: bool
    events: Sequence[IncomingEvent]


def micros(instant: datetime) -> int:
    """Return microseconds since 1970 of an aware instant, exactly."""
    return (instant - EPOCH) // MICROSECOND


def instant(timestamp_us: int) -> datetime:
    """Return the UTC instant of microseconds since 1970."""
    return EPOCH + timestamp_us * MICROSECOND


def event_key(org_id: bytes, external_subscription_id: str | None, transaction_id: str) -> bytes:
    """Return the 16 bytes that make an event unique (`docs/rules/metering.md` 1.3).

    They are a function of organization, subscription and transaction id, except without a
    subscription, where uniqueness is not enforced and the end is random. The beginning
    (`key_range`) depends on the organization and the transaction id alone.
    """
    digest = blake2b(org_id + transaction_id.encode(), digest_size=KEY_BYTES).digest()
    if external_subscription_id is not None and len(transaction_id) not in _ORDERED_LENGTHS:
        # What the lines below do for most events, in one step: this is done for every one.
        mask = key_mask(org_id, external_subscription_id)
        return (int.from_bytes(digest, "big") ^ mask).to_bytes(KEY_BYTES, "big")
    prefix = _ordered_prefix(transaction_id, digest)
    if external_subscription_id is None:
        return prefix + secrets.token_bytes(KEY_BYTES - len(prefix))
    mask = key_mask(org_id, external_subscription_id)
    rest = int.from_bytes(digest[_PREFIX_BYTES:], "big") ^ mask
    return (prefix + rest.to_bytes(KEY_BYTES - _PREFIX_BYTES, "big"))[:KEY_BYTES]


def key_range(org_id: bytes, transaction_id: str) -> tuple[bytes, bytes]:
    """Return the lowest and highest key an event with this transaction id can have."""
    digest = blake2b(org_id + transaction_id.encode(), digest_size=KEY_BYTES).digest()
    prefix = _ordered_prefix(transaction_id, digest)
    rest_bytes = KEY_BYTES - len(prefix)
    return prefix + b"\x00" * rest_bytes, prefix + b"\xff" * rest_bytes


def _ordered_prefix(transaction_id: str, digest: bytes) -> bytes:
    """Keep the time bits of UUIDv7 and ULID in front: ordered keys stay on few index pages."""
    length = len(transaction_id)
    if length == _UUID_LENGTH and transaction_id[14] == "7":
        time_hex = transaction_id[:8] + transaction_id[9:13]
        with suppress(ValueError):
            time_bytes = bytes.fromhex(time_hex)
            if len(time_bytes) == _TIME_BYTES:  # fromhex skips blanks
                return time_bytes + digest[:_AFTER_TIME_BYTES]
    if length == _ULID_LENGTH and transaction_id[0] <= "7" and transaction_id.isalnum():
        with suppress(ValueError, OverflowError):
            milliseconds = int(transaction_id[:10].translate(_FROM_CROCKFORD), 32)
            return milliseconds.to_bytes(_TIME_BYTES, "big") + digest[:_AFTER_TIME_BYTES]
    return digest[:_PREFIX_BYTES]


@lru_cache(maxsize=65_536)
def key_mask(org_id: bytes, external_subscription_id: str) -> int:
    """Return what a subscription changes in the keys of its events, as a number."""
    digest = blake2b(org_id + external_subscription_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@lru_cache(maxsize=65_536)
def series_of(org_id: bytes, external_subscription_id: str | None, code: str) -> int:
    """Return the 64-bit signed hash under which a subscription's events of a code are indexed.

    Two series may share a hash: readers compare the real columns as well.
    """
    hashed = blake2b(org_id + code.encode(), digest_size=8)
    if external_subscription_id is not None:
        hashed.update(b"\x00" + external_subscription_id.encode())
    return int.from_bytes(hashed.digest(), "big", signed=True)


STORED_COLUMNS = (
    "key, transaction_id, external_subscription_id, code, ts, properties,"
    " precise_total_amount_cents, created_at"
)
StoredRow = tuple[bytes, str, str | None, str, int, str, str | None, int]


def stored_event(row: StoredRow) -> StoredEvent:
    """Build a `StoredEvent` from its columns, in the order of `STORED_COLUMNS`."""
    key, transaction_id, subscription, code, timestamp_us, properties, precise, created_at_us = row
    return StoredEvent(
        id=UUID(bytes=key),
        transaction_id=transaction_id,
        external_subscription_id=subscription,
        code=code,
        timestamp=instant(timestamp_us),
        properties=properties.encode(),
        precise_total_amount_cents=precise,
        created_at=instant(created_at_us),
    )
