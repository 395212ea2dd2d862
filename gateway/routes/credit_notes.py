"""Credit notes: the operations tagged `credit_notes`."""

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.services import credit_note_requests, credit_notes
from billing_core.services.shapes import credit_notes as shapes
from billing_core.store.unit import Unit
from billing_core.wire.credit_notes import (
    CreditNoteChange,
    CreditNoteEstimateIn,
    CreditNoteIn,
    CreditNoteOut,
    EstimatedCreditNoteOut,
)
from billing_core.wire.pages import Page
from gateway.http import Answer, Filters, Gives, Operation, Takes, listed, one, row_id
from gateway.metadata import Owner, quartet
from gateway.queries import CREDIT_NOTE_FILTERS, credit_note_filters

ROOT = "credit_note"
ONE = Gives(ROOT, CreditNoteOut)
ESTIMATED = "estimated_credit_note"
REFUSES = (400, 404, 405, 413, 422)


@post(
    "/credit_notes",
    operation_id="createCreditNote",
    status_code=200,
    opt=Operation(ONE, Takes(ROOT, CreditNoteIn), refuses=REFUSES).opt(),
)
async def create_credit_note(
    unit: NamedDependency[Unit], payload: NamedDependency[CreditNoteIn]
) -> Answer:
    """Take back parts of the fees of an invoice."""
    return one(ROOT, await shapes.one(unit, await credit_note_requests.create(unit, payload)))


@post(
    "/credit_notes/estimate",
    operation_id="estimateCreditNote",
    status_code=200,
    opt=Operation(
        Gives(ESTIMATED, EstimatedCreditNoteOut), Takes(ROOT, CreditNoteEstimateIn), refuses=REFUSES
    ).opt(),
)
async def estimate_credit_note(
    unit: NamedDependency[Unit], payload: NamedDependency[CreditNoteEstimateIn]
) -> Answer:
    """Return what a credit note of these parts could be worth at most."""
    return one(ESTIMATED, await credit_note_requests.estimate(unit, payload))


@get(
    "/credit_notes",
    operation_id="findAllCreditNotes",
    opt=Operation(
        Gives("credit_notes", CreditNoteOut, many=True), query=CREDIT_NOTE_FILTERS, refuses=(422,)
    ).opt(),
)
async def list_credit_notes(
    unit: NamedDependency[Unit], page: NamedDependency[Page], filters: NamedDependency[Filters]
) -> Answer:
    """List finalized credit notes, newest first."""
    rows, total = await credit_notes.page(unit, credit_note_filters(filters), page)
    return listed("credit_notes", await shapes.several(unit, rows), page, total)


@get("/credit_notes/{lago_id:str}", operation_id="findCreditNote", opt=Operation(ONE).opt())
async def find_credit_note(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Return a finalized credit note."""
    return one(ROOT, await shapes.one(unit, await credit_notes.get(unit, row_id(lago_id, ROOT))))


@put(
    "/credit_notes/{lago_id:str}",
    operation_id="updateCreditNote",
    opt=Operation(ONE, Takes(ROOT, CreditNoteChange), refuses=(400, 404, 413, 422)).opt(),
)
async def update_credit_note(
    unit: NamedDependency[Unit],
    lago_id: FromPath[str],
    payload: NamedDependency[CreditNoteChange],
) -> Answer:
    """Say how the refund went, or merge metadata."""
    note = await credit_note_requests.update(unit, row_id(lago_id, ROOT), payload)
    return one(ROOT, await shapes.one(unit, note))


@put(
    "/credit_notes/{lago_id:str}/void",
    operation_id="voidCreditNote",
    opt=Operation(ONE, refuses=(404, 405)).opt(),
)
async def void_credit_note(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Answer:
    """Take back what is left of a credit note's balance."""
    note = await credit_notes.void(unit, row_id(lago_id, ROOT))
    return one(ROOT, await shapes.one(unit, note))


async def find_to_change(unit: NamedDependency[Unit], lago_id: FromPath[str]) -> Owner:
    """Return the credit note of the path, for its metadata to be changed."""
    return await credit_note_requests.get_to_change(unit, row_id(lago_id, ROOT))


async def tell_nobody(_unit: Unit, _note: Owner) -> None:
    """Metadata of a note is no news to anybody."""


RESOURCE = "credit_note"
TAG = "credit_notes"
HANDLERS = [
    create_credit_note,
    estimate_credit_note,
    list_credit_notes,
    find_credit_note,
    update_credit_note,
    void_credit_note,
    *quartet("/credit_notes/{lago_id:str}", "CreditNote", find_to_change, tell_nobody),
]
