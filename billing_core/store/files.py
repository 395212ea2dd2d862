"""Stored documents."""

from uuid import UUID

from sqlalchemy import select

from billing_core.store.tables import StoredFile
from billing_core.store.unit import Unit


async def add(unit: Unit, row: StoredFile) -> None:
    """Keep a file; it can be referred to afterwards."""
    unit.session.add(row)
    await unit.flush()


async def get(unit: Unit, file_id: UUID) -> StoredFile | None:
    """Find a file of this organization."""
    return await unit.session.scalar(select(StoredFile).where(StoredFile.id == file_id))
