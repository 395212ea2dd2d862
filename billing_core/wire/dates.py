"""Instants on the wire: inclusive ends and second precision live here and nowhere below."""

from datetime import UTC, datetime, timedelta

RESOLUTION = timedelta(microseconds=1)


def instant_text(value: datetime) -> str:
    """Write an instant as `2024-02-29T23:59:59Z`: UTC, whole seconds (truncated)."""
    return value.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"


def instant_text_ms(value: datetime) -> str:
    """Write an instant with exactly three decimals (api-conventions 9)."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def last_instant(end: datetime) -> datetime:
    """Turn a half-open end into the inclusive one that clients read."""
    return end - RESOLUTION


def parse_instant(text: str) -> datetime | None:
    """Read an ISO 8601 instant or date; without a zone it is UTC; None when it is neither."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return None
