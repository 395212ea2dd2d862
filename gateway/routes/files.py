"""Stored documents, opened by signed links without a key."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from billing_core.domain.errors import NotFound
from billing_core.services import documents
from billing_core.store.unit import Units
from gateway.files import FileLinks
from gateway.http import Filters, Operation, row_id


@get(
    "/files/{file_id:str}",
    operation_id="openFile",
    opt=Operation(query=("organization", "expires", "signature"), refuses=(404, 422)).opt(),
)
async def open_file(
    file_id: FromPath[str],
    filters: NamedDependency[Filters],
    files: NamedDependency[FileLinks],
    units: NamedDependency[Units],
) -> Response[bytes]:
    """Return a document; a link that is wrong or too old answers 404."""
    row = row_id(file_id, "file")
    org_id = row_id(str(filters.get("organization")), "file")
    expires = str(filters.get("expires", ""))
    valid = expires.isdigit() and files.is_valid(
        org_id, row, int(expires), str(filters.get("signature", ""))
    )
    if not valid:
        raise NotFound("file")
    async with units.read(org_id) as unit:
        found = await documents.file(unit, row)
    headers = {
        "Content-Disposition": f'inline; filename="{found.name}"',
        "Cache-Control": "private, max-age=3600",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.content, media_type=found.content_type, headers=headers)


HANDLERS = [open_file]
