"""Custom charge: the price is what a metric of its own kind has worked out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing_core.domain.charges.dynamic import price_given
from billing_core.domain.charges.terms import NOTHING, Price, Terms, Usage
from billing_core.domain.errors import Problems


@dataclass(frozen=True)
class Custom(Terms):
    """The amount a `custom_agg` metric comes with (`docs/rules/metering.md` 3.11).

    The API offers no way to write such a metric, so its properties are the group keys alone.
    """

    charge_model = "custom"
    keys = ()
    defaults = {}  # noqa: RUF012 - declared ClassVar in Terms

    @classmethod
    def _read(cls, stored: Mapping[str, Any], problems: Problems) -> dict[str, Any]:  # noqa: ARG003 - one signature for all models
        return {}

    def price(self, usage: Usage, aggregation: str = "custom_agg") -> Price:  # noqa: ARG002 - one signature for all models
        """Return the given amount, or nothing where there is none."""
        return NOTHING if usage.amount_cents is None else price_given(usage)
