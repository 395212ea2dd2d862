"""What usage thresholds look like."""

from collections.abc import Sequence

from billing_core.store.tables import UsageThreshold
from billing_core.wire.usage_thresholds import ApplicableUsageThresholdOut, UsageThresholdOut


def several(rows: Sequence[UsageThreshold]) -> list[UsageThresholdOut]:
    """Return the wire models of an owner's thresholds."""
    return [UsageThresholdOut.of(row) for row in rows]


def applicable(rows: Sequence[UsageThreshold]) -> list[ApplicableUsageThresholdOut]:
    """Return the wire models of the thresholds in force."""
    return [ApplicableUsageThresholdOut.of(row) for row in rows]
