"""The only reader of the wall clock."""

import time
from datetime import UTC, datetime


def wall_now() -> datetime:
    """Return real time, for what must stay real: ids, retries, tokens and technical logs."""
    return datetime.now(UTC)


def now_for(frozen_at: datetime | None) -> datetime:
    """Return an organization's now: its frozen test clock when it has one, else real time."""
    return frozen_at or wall_now()


def monotonic() -> float:
    """Return seconds that only grow, for timeouts and cache ages."""
    return time.monotonic()
