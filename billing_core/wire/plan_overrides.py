"""What one subscription has otherwise than its plan, on the wire."""

from billing_core.wire.base import In
from billing_core.wire.charges import ChargeOverrideIn, Codes
from billing_core.wire.commitments import MinimumCommitmentIn
from billing_core.wire.fixed_charges import FixedChargeOverrideIn
from billing_core.wire.metadata import Metadata
from billing_core.wire.plans import Trial
from billing_core.wire.types import Cents, Currency, LongText, Name, ShortText
from billing_core.wire.usage_thresholds import UsageThresholds

ONLY_UNITS = frozenset({"id", "units", "apply_units_immediately"})


class PlanOverridesIn(In):
    """What a caller may override of a plan (`docs/rules/subscriptions.md` 1.3).

    Its interval, how it is paid and when its charges are billed stay those of the plan.
    """

    name: Name | None = None
    invoice_display_name: ShortText | None = None
    description: LongText | None = None
    amount_cents: Cents | None = None
    amount_currency: Currency | None = None
    trial_period: Trial | None = None
    tax_codes: Codes | None = None
    charges: list[ChargeOverrideIn] | None = None
    fixed_charges: list[FixedChargeOverrideIn] | None = None
    usage_thresholds: UsageThresholds | None = None
    minimum_commitment: MinimumCommitmentIn | None = None
    metadata: Metadata | None = None

    @property
    def is_only_units(self) -> bool:
        """Whether nothing but numbers of units is overridden: that needs no plan of its own."""
        return self.model_fields_set == {"fixed_charges"} and all(
            one.model_fields_set <= ONLY_UNITS for one in self.fixed_charges or []
        )
