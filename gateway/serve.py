"""`tallygate serve`: the gateway in one command, with its children when it is embedded."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from billing_core.store.events.opening import socket_beside
from billing_core.store.events.writer import writer_command
from gateway.app import create_app
from gateway.children import Child, ChildSpec
from gateway.core import Core, database_url, events_database, is_sqlite
from gateway.embedded import DataDirectory, RedisServer
from gateway.folder import folder_command
from gateway.jobs.clock import Clock
from gateway.jobs.relay import Relay
from gateway.migrate import migrate
from gateway.settings import Settings
from gateway.tuning import calm_collector
from gateway.worker import Queue, Workers, make_broker, quiet_libraries, redis_of

log = logging.getLogger("tallygate")
GRACE_SECONDS = 20
KEEP_ALIVE_SECONDS = 65


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and with how many processes."""

    host: str
    port: int
    workers: int = 1

    @property
    def url(self) -> str:
        """The address as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Server(uvicorn.Server):
    """Uvicorn that leaves signals to us, so that everything we started is stopped in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: `serve` installs the handlers."""
        yield


async def serve(settings: Settings, address: Address) -> None:
    """Run until SIGTERM or SIGINT: finish requests, flush, stop what was started.

    Raises `AlreadyRunning` when another gateway uses the data directory.
    """
    async with AsyncExitStack() as stack:
        alone = settings.needs_own_redis
        settings = await prepare(settings, stack)
        listener = _listen(address)
        core = Core(settings, address.url)
        server = Server(_config(core))
        _stop_on_signals(server)
        for number in range(1, address.workers):
            await stack.enter_async_context(_running(_sibling(settings, address, number)))
        await stack.enter_async_context(background(settings, core, address.url, alone=alone))
        _greet(settings, address)
        calm_collector()
        await server.serve(sockets=[listener])


async def serve_sibling(settings: Settings, address: Address) -> None:
    """Run one more process behind the same port; the first one owns children and jobs."""
    listener = _listen(address)
    core = Core(settings, address.url)
    server = Server(_config(core))
    _stop_on_signals(server)
    calm_collector()
    await server.serve(sockets=[listener])


async def prepare(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Claim the data directory, start the embedded parts, migrate; return complete settings."""
    quiet_libraries()
    directory = stack.enter_context(DataDirectory(settings.data_dir))
    settings = settings.with_secrets(directory.secrets)
    if settings.needs_own_redis:
        redis_server = RedisServer(settings.data_dir, directory.secrets.redis_password)
        await redis_server.start()
        stack.push_async_callback(redis_server.stop)
        settings = settings.with_redis(redis_server.role)
        if not is_sqlite(settings):
            log.warning("no TALLYGATE_REDIS_URL: using the bundled Redis")
    await migrate(database_url(settings))
    child = _event_writer(settings) if is_sqlite(settings) else _event_folder(settings)
    await stack.enter_async_context(_running(child))
    return settings


@asynccontextmanager
async def background(
    settings: Settings, core: Core, base_url: str, *, alone: bool
) -> AsyncIterator[None]:
    """Run the relay beside the server and, where this command is all there is, workers and clock.

    With a Redis of their own, workers and clock are processes of their own too.
    """
    broker = make_broker(redis_of(settings))
    relay = Relay(core.units, Queue(broker).send)
    core.units.on_promise = relay.poke
    loops: list[Relay | Clock] = [relay]
    workers = None
    if alone:
        loops.append(Clock(core.units))
        workers = Workers(broker, Core(settings, base_url))
        workers.start()
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    try:
        yield
    finally:
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)
        if workers is not None:
            await asyncio.to_thread(workers.stop)


def _greet(settings: Settings, address: Address) -> None:
    lines = (
        f"Tallygate listens on {address.url}",
        f"  API reference  {address.url}/docs",
        f"  data and keys  {settings.data_dir.resolve()} (admin key in secrets.json)",
    )
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - for the one who started it


def _event_writer(settings: Settings) -> Child:
    path = socket_beside(events_database(settings))
    path.unlink(missing_ok=True)

    async def ready() -> bool:
        return path.exists()

    command = writer_command(path, events_database(settings))
    return Child(
        ChildSpec(
            name="event writer",
            command=command,
            ready=ready,
            log_path=settings.data_dir / "events.log",
        )
    )


def _event_folder(settings: Settings) -> Child:
    async def ready() -> bool:
        return True

    return Child(
        ChildSpec(
            name="event folder",
            command=folder_command(settings.data_dir),
            ready=ready,
            log_path=settings.data_dir / "folder.log",
        )
    )


def _sibling(settings: Settings, address: Address, number: int) -> Child:
    command = [
        sys.executable,
        "-m",
        "gateway.sibling",
        str(settings.data_dir),
        address.host,
        str(address.port),
    ]

    async def ready() -> bool:
        return True

    return Child(
        ChildSpec(
            name=f"server {number}",
            command=command,
            ready=ready,
            log_path=settings.data_dir / f"server-{number}.log",
        )
    )


@asynccontextmanager
async def _running(child: Child) -> AsyncIterator[Child]:
    await child.start()
    try:
        yield child
    finally:
        await child.stop()


def _config(core: Core) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(core),
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        lifespan="on",
    )


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address.workers > 1:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address.host, address.port))
    listener.listen(2048)
    listener.setblocking(False)  # noqa: FBT003 - the name of the call says it
    return listener


def _stop_on_signals(server: uvicorn.Server) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # a second signal stops waiting for open connections
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
