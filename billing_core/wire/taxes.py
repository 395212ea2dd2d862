"""Taxes on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import Flag, In, Instant, Number, Out
from billing_core.wire.types import Code, Exact, LongText, Name

Rate = Annotated[Exact, Field(ge=0, le=1000)]


class TaxIn(In):
    """What a caller may set on creation; `rate` is a percentage."""

    name: Name
    code: Code
    rate: Rate
    description: LongText | None = None
    applied_to_organization: Flag | None = None


class TaxChange(In):
    """What a caller may change."""

    name: Name | None = None
    code: Code | None = None
    rate: Rate | None = None
    description: LongText | None = None
    applied_to_organization: Flag | None = None


class TaxOut(Out):
    """What a caller reads; `rate` is a plain number."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    code: str
    rate: Number
    description: str | None
    applied_to_organization: bool
    add_ons_count: int
    charges_count: int
    customers_count: int
    plans_count: int
    created_at: Instant
