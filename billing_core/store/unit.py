"""The unit of work: one organization, one now, one transaction."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import event, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.pool import AsyncAdaptedQueuePool

from billing_core.clock import now_for, wall_now
from billing_core.domain.errors import Invalid, NotFound
from billing_core.store.tables import Organization, Outbox, TenantRow
from billing_core.wire.codec import decode, encode_text

WEBHOOK_TOPIC = "webhook"
UNIQUE_COLUMNS = re.compile(r"UNIQUE constraint failed: (.+)|Key \(([^)]+)\)=.*already exists")


@dataclass(slots=True)
class Unit:
    """What every service function receives first. `now` is the organization's one now."""

    session: AsyncSession
    org: Organization
    now: datetime
    topics: set[str] = field(default_factory=set)  # of what was promised

    @property
    def org_id(self) -> UUID:
        """The organization every statement of this unit is confined to."""
        return self.org.id

    def emit(self, webhook_type: str, object_type: str, payload: dict[str, Any]) -> None:
        """Promise a webhook that exists if and only if this transaction commits.

        The payload is frozen here, as of this transaction (`docs/rules/money.md` 6.1.1).
        """
        self.promise(
            WEBHOOK_TOPIC,
            {"webhook_type": webhook_type, "object_type": object_type, "object": payload},
        )

    def promise(
        self, topic: str, payload: dict[str, Any], due_at: datetime | None = None
    ) -> Outbox:
        """Promise a job. `due_at` is real time: business time lives in due columns of rows."""
        wall = wall_now()
        row = Outbox(
            org_id=self.org.id,
            topic=topic,
            payload=payload,
            created_at=wall,
            due_at=due_at or wall,
        )
        self.session.add(row)
        self.topics.add(topic)
        return row

    async def flush(self) -> None:
        """Send pending writes to the database, so that queries of this unit see them."""
        await self.session.flush()


class Units:
    """Opens units; the only code that commits.

    `on_promise` is called after a commit with promises, `on_change` is told whose they are, and
    their topics: what changes for callers is always promised to them as a webhook. Whoever opened
    the unit, and is about to answer, waits for it.
    """

    def __init__(self, engines: "Engines") -> None:
        self.engines = engines
        self.on_promise: Callable[[], None] | None = None
        self.on_change: Callable[[UUID, AbstractSet[str]], Awaitable[None]] | None = None
        self._write = async_sessionmaker(engines.write, expire_on_commit=False)
        self._read = async_sessionmaker(engines.read, expire_on_commit=False)

    @asynccontextmanager
    async def open(self, org_id: UUID) -> AsyncIterator[Unit]:
        """Commit on return, roll back on any exception; raises `NotFound("organization")`."""
        try:
            async with self._write.begin() as session:
                unit = await self._enter(session, org_id)
                yield unit
        except IntegrityError as error:
            raise _refusal(error) from error
        if unit.topics and self.on_promise is not None:
            self.on_promise()
        if unit.topics and self.on_change is not None:
            await self.on_change(org_id, unit.topics)

    @asynccontextmanager
    async def read(self, org_id: UUID) -> AsyncIterator[Unit]:
        """Give a consistent snapshot; whatever was changed is rolled back."""
        async with self._read() as session:
            yield await self._enter(session, org_id)

    @asynccontextmanager
    async def rehearse(self, org_id: UUID) -> AsyncIterator[Unit]:
        """Give a unit that may write like any other, and undo every change; its now may be moved.

        Nobody is told of what happens in it. Like any writer it has to wait for others.
        """
        try:
            async with self._write() as session:
                yield await self._enter(session, org_id)
        except IntegrityError as error:
            raise _refusal(error) from error

    @asynccontextmanager
    async def system(self, *, write: bool = False) -> AsyncIterator[AsyncSession]:
        """Open a session that sees all organizations: for the relay, the clock and admin only."""
        maker = self._write if write else self._read
        async with maker.begin() as session:
            yield session

    @staticmethod
    async def _enter(session: AsyncSession, org_id: UUID) -> Unit:
        session.sync_session.info["org_id"] = org_id
        org = await session.get(Organization, org_id)
        if org is None:
            raise NotFound("organization")
        return Unit(session, org, now_for(org.frozen_at))


def _refusal(error: IntegrityError) -> Exception:
    """Turn a lost race for a unique value into the refusal that a check before would have given.

    SQLite names the columns ("UNIQUE constraint failed: plans.org_id, plans.code"), PostgreSQL the
    constraint and in its detail the columns ("Key (org_id, code)=(...) already exists").
    """
    detail = getattr(getattr(error.orig, "__cause__", None), "detail", None)
    found = UNIQUE_COLUMNS.search(f"{error.orig} {detail}")
    if found is None:
        return error
    column = (found[1] or found[2]).split(",")[-1].strip()
    return Invalid.field(column.split(".")[-1], "value_already_exist")


@event.listens_for(Session, "do_orm_execute")
def _only_this_organization(state: ORMExecuteState) -> None:
    org_id = state.session.info.get("org_id")
    if org_id is not None and not state.is_column_load:
        state.statement = state.statement.options(
            with_loader_criteria(TenantRow, lambda row: row.org_id == org_id, include_aliases=True)
        )


@dataclass(frozen=True, slots=True)
class Engines:
    """The engine writes go through and the one reads use; the same on PostgreSQL."""

    write: AsyncEngine
    read: AsyncEngine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.write.dialect.name == "sqlite"

    async def dispose(self) -> None:
        """Close all connections."""
        await self.write.dispose()
        if self.read is not self.write:
            await self.read.dispose()


def engines_for(url: str) -> Engines:
    """Open a database.

    On SQLite one connection writes and takes the lock at BEGIN, so writers queue fairly in this
    process and never fail with a busy upgrade; readers see snapshots and wait for nobody.
    """
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_async_engine(
            url,
            json_serializer=encode_text,
            json_deserializer=decode,
            hide_parameters=True,
            pool_size=10,
            pool_pre_ping=True,
        )
        return Engines(engine, engine)
    return Engines(
        _sqlite(url, begin="BEGIN IMMEDIATE", connections=1),
        _sqlite(url, begin="BEGIN", connections=5),
    )


def _sqlite(url: str, begin: str, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        json_serializer=encode_text,
        json_deserializer=decode,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=60,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
