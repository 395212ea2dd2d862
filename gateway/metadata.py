"""The operations on the metadata of a resource, the same for every kind of resource."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import delete, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from billing_core.services import metadata
from billing_core.store.unit import Unit
from billing_core.wire.codec import decode_body
from billing_core.wire.metadata import Metadata, MetadataIn
from billing_core.wire.validation import validate
from gateway.http import Answer, Operation, one

ROOT = "metadata"
PUT_MERGES = "PUT is a synonym of PATCH for metadata"
WRITE = Operation(refuses=(400, 404, 413, 422))
Owner = metadata.Owner


def quartet(
    path: str,
    kind: str,
    find: Callable[..., Awaitable[Owner]],
    tell: Callable[[Unit, Any], Awaitable[None]],
) -> list[HTTPRouteHandler]:
    """Return the four operations on the metadata of what stands at a path, and PUT for PATCH.

    `find` is a dependency that returns the owner, to be changed, of the path's parameters; `tell`
    says that it was changed.
    """
    owned = {"owner": Provide(find)}
    place = f"{path}/metadata"

    async def answer(unit: Unit, owner: Owner) -> Answer:
        await unit.flush()
        await tell(unit, owner)
        return one(ROOT, owner.custom_metadata)

    async def merge(
        unit: NamedDependency[Unit], owner: NamedDependency[Any], raw_body: NamedDependency[bytes]
    ) -> Answer:
        """Add keys to metadata, or change them; other keys stay."""
        metadata.merge(unit, owner, _read(raw_body))
        return await answer(unit, owner)

    async def replace(
        unit: NamedDependency[Unit], owner: NamedDependency[Any], raw_body: NamedDependency[bytes]
    ) -> Answer:
        """Replace all metadata."""
        metadata.replace(unit, owner, _read(raw_body))
        return await answer(unit, owner)

    async def clear(unit: NamedDependency[Unit], owner: NamedDependency[Any]) -> Answer:
        """Take off all metadata."""
        metadata.replace(unit, owner, None)
        return await answer(unit, owner)

    async def remove(
        unit: NamedDependency[Unit], owner: NamedDependency[Any], key: FromPath[str]
    ) -> Answer:
        """Take off one key of metadata; one that is not there is no error."""
        metadata.remove(unit, owner, key)
        return await answer(unit, owner)

    def named(operation_id: str, **opt: Any) -> dict[str, Any]:
        return {
            "operation_id": operation_id,
            "status_code": 200,
            "dependencies": owned,
            "opt": WRITE.opt() | opt,
        }

    return [
        post(place, **named(f"replace{kind}Metadata"))(replace),
        patch(place, **named(f"merge{kind}Metadata"))(merge),
        put(place, **named(f"merge{kind}MetadataByPut", alias=PUT_MERGES))(merge),
        delete(place, **named(f"deleteAll{kind}Metadata"))(clear),
        delete(f"{place}/{{key:str}}", **named(f"delete{kind}MetadataKey"))(remove),
    ]


def _read(body: bytes) -> Metadata:
    document = decode_body(body) if body.strip() else {}
    return validate(MetadataIn, document if isinstance(document, dict) else {}).metadata
