"""The parts of one gateway process, opened in order and closed in reverse."""

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from sqlalchemy import make_url

from billing_core.ports import EventStore
from billing_core.services.document_details import Wording
from billing_core.services.events import EventIntake
from billing_core.store.columns import KEYRING
from billing_core.store.events.ingest import Ingest
from billing_core.store.events.opening import Store, open_log
from billing_core.store.events.sqlite_store import SqliteEventStore
from billing_core.store.unit import Units, engines_for
from connectors.documents.formats import long_date, parsed, percent, quantity, unit_price
from connectors.documents.labels import label
from connectors.documents.typst_pdf import TypstRenderer
from connectors.webhooks.sender import WebhookSender
from gateway.auth import Principals
from gateway.intake import FeeRequests, KnownRules
from gateway.jobs.parts import Parts
from gateway.key_usage import KeyUsage
from gateway.resolver import CustomerIdResolver
from gateway.settings import Settings

DATABASE_NAME = "tallygate.db"
EVENTS_NAME = "events.db"
NOBODY = UUID(int=0)


def database_url(settings: Settings) -> str:
    """Return the database, by default a file in the data directory."""
    return settings.database_url or f"sqlite+aiosqlite:///{settings.data_dir / DATABASE_NAME}"


def is_sqlite(settings: Settings) -> bool:
    """Tell whether the database is the embedded one."""
    return make_url(database_url(settings)).get_backend_name() == "sqlite"


def events_database(settings: Settings) -> Path:
    """Return the event file that stands beside an SQLite database."""
    name = make_url(database_url(settings)).database
    return Path(name or DATABASE_NAME).resolve().parent / EVENTS_NAME


def wording() -> Wording:
    """Return how documents say things."""
    return Wording(
        label=label,
        long_date=lambda day, locale: long_date(day, parsed(locale)),
        unit_price=lambda price, currency, locale: unit_price(price, currency, parsed(locale)),
        quantity=lambda units, locale: quantity(units, parsed(locale)),
        percent=lambda rate, locale: percent(rate, parsed(locale)),
        country=lambda code, locale: parsed(locale).territories.get(code, code),
    )


@lru_cache(maxsize=1)
def renderer() -> TypstRenderer:
    """Return the one renderer of this process: it keeps its fonts."""
    return TypstRenderer()


class Core:
    """Database, events, keys and job tools of one process or worker loop."""

    def __init__(self, settings: Settings, base_url: str | None = None) -> None:
        """`base_url` is where jobs, which have no request, say this gateway is."""
        self.settings = settings
        self._base_url = settings.public_url or base_url
        KEYRING.use(settings.encryption_keys)
        self.units = Units(engines_for(database_url(settings)))
        self.key_usage = KeyUsage(self.units)
        self.principals = Principals(self.units, self.key_usage.note)
        self._closing = AsyncExitStack()
        self.ingest: Ingest
        self.events: EventStore
        self._store: Store
        self.intake: EventIntake
        self.parts: Parts

    async def open(self) -> "Core":
        """Connect everything; close what was opened if a later part fails."""
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self.units.engines.dispose)
            opening.push_async_callback(self.key_usage.close)
            store, writer = open_log(database_url(self.settings), events_database(self.settings))
            await store.start()
            opening.push_async_callback(store.stop)
            self.events = self._store = store
            self.ingest = Ingest(writer, max_queued_events=self.settings.ingest_queue_max)
            await self.ingest.start()
            opening.push_async_callback(self.ingest.stop)
            rules, requests = KnownRules(self.units, self.events), FeeRequests(self.units)
            opening.push_async_callback(requests.close)
            opening.push_async_callback(rules.close)
            self.units.on_change = rules.changed
            self.intake = EventIntake(
                self.ingest,
                max_batch_events=self.settings.events_batch_max_length,
                subscription_resolver=CustomerIdResolver(self.units),
                on_accepted=requests.note,
                rules=rules,
            )
            self.parts = Parts(
                settings=replace(self.settings, public_url=self._base_url),
                units=self.units,
                events=self.events,
                renderer=renderer(),
                wording=wording(),
                sender=WebhookSender(
                    allow_private=self.settings.webhook_allow_private,
                    timeout_seconds=self.settings.webhook_timeout_seconds,
                ),
            )
            self._closing = opening.pop_all()
        return self

    async def check_events(self) -> None:
        """Ask the event store, on SQLite its writer too; raises `Unavailable`."""
        if isinstance(self._store, SqliteEventStore):
            await self._store.start()
        await self._store.find_event(NOBODY, "ready")

    async def close(self) -> None:
        """Flush and let go of everything."""
        await self._closing.aclose()
