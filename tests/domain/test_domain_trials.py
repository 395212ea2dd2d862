"""Trials: docs/rules/subscriptions.md 5."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing_core.domain.trials import is_free, trial_end

START = datetime(2024, 3, 22, 18, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (None, None),
        (Decimal(0), None),
        (Decimal(10), datetime(2024, 4, 1, 18, 12, tzinfo=UTC)),
        (Decimal("0.5"), datetime(2024, 3, 23, 6, 12, tzinfo=UTC)),
        (Decimal("1E-20"), START),
    ],
)
def test_a_day_is_24_hours(days: Decimal | None, expected: datetime | None) -> None:
    assert trial_end(START, days) == expected


def test_c4_the_local_day_of_the_end_is_not_free() -> None:
    ends_at = trial_end(START, Decimal(10))
    assert is_free(ends_at, date(2024, 4, 1), "Asia/Tokyo")
    assert not is_free(ends_at, date(2024, 4, 2), "Asia/Tokyo")
    assert not is_free(ends_at, date(2024, 4, 1), "UTC")
    assert not is_free(None, date(2024, 4, 1), "UTC")
