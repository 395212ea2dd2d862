"""Minimum commitments on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import In, Instant, Out
from billing_core.wire.charges import Codes
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import Cents, ShortText


class MinimumCommitmentIn(In):
    """What a plan is to bring in at least in each period; nothing at all takes it away."""

    amount_cents: Annotated[Cents, Field(gt=0)] | None = None
    invoice_display_name: ShortText | None = None
    tax_codes: Codes | None = None


class MinimumCommitmentOut(Out):
    """A minimum commitment as a caller reads it, within its plan."""

    lago_id: UUID = Field(validation_alias="id")
    plan_code: str
    amount_cents: int
    invoice_display_name: str | None
    interval: str
    created_at: Instant
    updated_at: Instant
    taxes: list[TaxOut]
