"""What the making of invoices has to know, read once for all that are made together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing_core.services.fee_lines import BilledLine
from billing_core.services.fixed_charge_fees import HeldUnits
from billing_core.services.tax_rules import TaxRules
from billing_core.store import invoices, progressive_invoices
from billing_core.store.tables import Invoice
from billing_core.store.unit import Unit


@dataclass(frozen=True, slots=True)
class BillingFacts:
    """What is known of some lines when their invoices are computed.

    `fee_days` are the billing days whose subscription fee stands on an earlier invoice, and
    `progressive` the subscriptions that were ever billed progressively, both by subscription.
    """

    taxes: TaxRules
    held: HeldUnits
    fee_days: Mapping[UUID, Sequence[date]]
    progressive: frozenset[UUID]

    @classmethod
    async def read(
        cls, unit: Unit, lines: Sequence[BilledLine], invoice: Invoice | None = None
    ) -> "BillingFacts":
        """Read them for new invoices, or as they were when `invoice`, a draft, was made."""
        billed = [line.subscription for line in lines]
        ids = [one.id for one in billed]
        return cls(
            taxes=await TaxRules.load(unit, billed),
            held=await HeldUnits.read(unit, billed, invoice),
            fee_days=await invoices.subscription_fee_days(
                unit, ids, before=None if invoice is None else invoice.id
            ),
            progressive=await progressive_invoices.billed(unit, ids),
        )
