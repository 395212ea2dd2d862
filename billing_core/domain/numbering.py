"""Document numbers: how they are written, for each numbering scheme."""

from datetime import date
from typing import Literal
from uuid import UUID

Scheme = Literal["per_customer", "per_billing_entity"]
PREFIX_LETTERS = 3
PREFIX_ID_CHARACTERS = 4


def document_number(  # noqa: PLR0913, PLR0917 - the parts of a number under both schemes
    prefix: str,
    scheme: Scheme,
    customer_sequence: int,
    invoice_sequence: int,
    entity_sequence: int,
    month: date,
) -> str:
    """Return the number an invoice gets when it becomes final.

    `per_customer`: PREFIX-CCC-NNN of the customer's sequence in the organization and the invoice's
    sequence for that customer and billing entity. `per_billing_entity`: PREFIX-YYYYMM-NNN of
    `month`, a day in the entity's zone, and the entity's own counter, which never restarts
    (`docs/rules/money.md` 1.2.2 and 1.2.3).
    """
    if scheme == "per_billing_entity":
        return f"{prefix}-{month:%Y%m}-{entity_sequence:03d}"
    return f"{prefix}-{customer_sequence:03d}-{invoice_sequence:03d}"


def draft_number(prefix: str) -> str:
    """Return what stands in place of a number until finalisation (`docs/rules/money.md` 1.2.1)."""
    return f"{prefix}-DRAFT"


def default_prefix(name: str, id: UUID) -> str:  # noqa: A002 - named as on the wire
    """Return the prefix of an entity that chose none: "HOO-1A2B" (`docs/rules/money.md` 1.2.1)."""
    letters = "".join(filter(str.isalnum, name))[:PREFIX_LETTERS]
    return f"{letters}-{str(id)[-PREFIX_ID_CHARACTERS:]}".upper()


def note_number(invoice_number: str, sequence: int) -> str:
    """Return the number of a credit note: "INV-001-001-CN001" (`docs/rules/money.md` 3.3)."""
    return f"{invoice_number}-CN{sequence:03d}"
