"""Periods of time: half-open, UTC, never empty."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing_core.domain.money import exact_context

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """`[start, end)`: the end belongs to the next period, so neighbours never overlap."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive or non-UTC instants and empty spans."""
        assert self.start.tzinfo is UTC, self.start
        assert self.end.tzinfo is UTC, self.end
        assert self.start < self.end, self

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def cut(self, at: datetime) -> tuple["Period", "Period"]:
        """Split in two at an instant strictly inside."""
        assert self.start < at < self.end, at
        return Period(self.start, at), Period(at, self.end)

    def share_of(self, whole: "Period") -> Decimal:
        """Return the fraction of `whole` that this period covers, by elapsed microseconds."""
        assert whole.start <= self.start, (whole, self)
        assert self.end <= whole.end, (whole, self)
        with exact_context():
            part = Decimal((self.end - self.start) // MICROSECOND)
            return part / Decimal((whole.end - whole.start) // MICROSECOND)
