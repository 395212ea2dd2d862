"""Pricing units on the wire."""

from uuid import UUID

from pydantic import Field

from billing_core.wire.base import In, Instant, Out
from billing_core.wire.types import Code, LongText, Name


class PricingUnitIn(In):
    """What a caller may set on creation; `short_name` stands beside amounts on documents."""

    name: Name
    code: Code
    short_name: Name
    description: LongText | None = None


class PricingUnitOut(Out):
    """What a caller reads."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    code: str
    short_name: str
    description: str | None
    created_at: Instant
