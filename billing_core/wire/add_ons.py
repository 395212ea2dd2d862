"""Add-ons on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from billing_core.wire.base import In, Instant, Out
from billing_core.wire.charges import Codes
from billing_core.wire.taxes import TaxOut
from billing_core.wire.types import Cents, Code, Currency, LongText, Name, ShortText

Price = Annotated[Cents, Field(gt=0)]


class AddOnIn(In):
    """What a caller may set on creation."""

    name: Name
    code: Code
    invoice_display_name: ShortText | None = None
    amount_cents: Price
    amount_currency: Currency
    description: LongText | None = None
    tax_codes: Codes | None = None


class AddOnChange(In):
    """What a caller may change; an omitted key keeps its value."""

    name: Name | None = None
    code: Code | None = None
    invoice_display_name: ShortText | None = None
    amount_cents: Price | None = None
    amount_currency: Currency | None = None
    description: LongText | None = None
    tax_codes: Codes | None = None


class AddOnOut(Out):
    """What a caller reads."""

    lago_id: UUID = Field(validation_alias="id")
    name: str
    invoice_display_name: str | None
    code: str
    amount_cents: int
    amount_currency: str
    description: str | None
    created_at: Instant
    taxes: list[TaxOut]
