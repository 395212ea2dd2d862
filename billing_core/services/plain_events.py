"""The short way for events that need no second look, which are nearly all.

What it accepts it treats exactly as `wire.events` and `services.events` do; whatever is unusual in
any way makes it decline, and the long way decides.
"""

from collections.abc import Sequence
from hashlib import blake2b

from billing_core.store.events.records import KEY_BYTES, IncomingEvent, key_mask, series_of
from billing_core.wire.events import EventIn, created_at_text, timestamp_text
from billing_core.wire.plain_events import is_plain, plain_properties, whole_seconds_us

_MOST_NAMES = 100_000
# UUIDs and ULIDs have keys of another form.
_OTHER_KEYS = frozenset({26, 36})


class PlainEvents:
    """Takes batches of plain events; remembers the names it has seen."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, str, str], tuple[int, int]] = {}

    def take(
        self, org_id: bytes, sent: Sequence[EventIn], now_us: int
    ) -> tuple[list[IncomingEvent], str] | None:
        """Return the rows of a batch and its answer in JSON, without brackets; None to decline."""
        known = self._known
        of_org = blake2b(org_id, digest_size=KEY_BYTES)
        created_at = created_at_text(now_us)
        rows: list[IncomingEvent] = []
        answers: list[str] = []
        for event in sent:
            transaction, code = event.transaction_id, event.code
            subscription = event.external_subscription_id
            if type(transaction) is not str or type(code) is not str:
                return None
            if type(subscription) is not str or event.precise_total_amount_cents is not None:
                return None
            names = known.get((org_id, subscription, code))
            if names is None:
                names = self._new_names(org_id, subscription, code)
            if names is None or not is_plain(transaction) or len(transaction) in _OTHER_KEYS:
                return None
            properties = plain_properties(event.properties)
            at_us = now_us if event.timestamp is None else whole_seconds_us(event.timestamp)
            if properties is None or at_us is None:
                return None
            mask, series = names
            hashed = of_org.copy()
            hashed.update(transaction.encode())
            key = (int.from_bytes(hashed.digest()) ^ mask).to_bytes(KEY_BYTES)
            columns = (org_id, key, series, transaction, subscription, code, at_us, properties)
            rows.append(IncomingEvent._make((*columns, None, now_us)))
            digits = key.hex()
            answers.append(
                f'{{"lago_id":"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-'
                f'{digits[20:]}","transaction_id":"{transaction}","lago_customer_id":null,'
                f'"code":"{code}","timestamp":"{timestamp_text(at_us)}",'
                f'"precise_total_amount_cents":null,"properties":{properties},'
                f'"lago_subscription_id":null,"external_subscription_id":"{subscription}",'
                f'"created_at":"{created_at}"}}'
            )
        if len({row[1] for row in rows}) < len(rows):
            return None  # something comes twice
        return rows, ",".join(answers)

    def _new_names(self, org_id: bytes, subscription: str, code: str) -> tuple[int, int] | None:
        if not is_plain(subscription) or not is_plain(code):
            return None
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        names = key_mask(org_id, subscription), series_of(org_id, subscription, code)
        self._known[org_id, subscription, code] = names
        return names
