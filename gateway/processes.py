"""`tallygate worker` and `tallygate clock`: the parts of a multi-process deployment."""

import asyncio
import signal
from collections.abc import Sequence

from gateway.core import Core
from gateway.jobs.clock import Clock
from gateway.jobs.relay import Relay
from gateway.settings import Settings
from gateway.worker import Queue, Workers, make_broker, quiet_libraries, redis_of


async def work(settings: Settings, queues: Sequence[str]) -> None:
    """Consume queues until a signal; relays promises too, so that none waits for a gateway."""
    broker = make_broker(redis_of(settings))
    core = Core(settings)
    relay = Relay(core.units, Queue(broker).send)
    workers = Workers(broker, Core(settings), queues)
    workers.start()
    relaying = asyncio.create_task(relay.run())
    await _signalled()
    relay.stop()
    await relaying
    await asyncio.to_thread(workers.stop)
    await core.units.engines.dispose()


async def tick(settings: Settings) -> None:
    """Tick until a signal."""
    quiet_libraries()
    core = Core(settings)
    relay = Relay(core.units, Queue(make_broker(redis_of(settings))).send)
    core.units.on_promise = relay.poke
    ticking = Clock(core.units)
    tasks = [asyncio.create_task(relay.run()), asyncio.create_task(ticking.run())]
    await _signalled()
    ticking.stop()
    relay.stop()
    await asyncio.gather(*tasks)
    await core.units.engines.dispose()


async def _signalled() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
