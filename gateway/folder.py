"""The process that folds events into rollups on PostgreSQL, started by `tallygate serve`."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from billing_core.store.events.folder import FoldingLoop
from gateway.settings import Settings
from gateway.tuning import calm_collector

# Behind requests: what it does can wait, and readers look at what it has not done yet.
NICENESS = 5


def folder_command(data_dir: Path) -> list[str]:
    """Return the command line of a folder; the database comes from the settings it inherits."""
    return [sys.executable, "-m", "gateway.folder", str(data_dir)]


async def _fold(settings: Settings) -> None:
    if settings.database_url is None:
        sys.exit("an embedded gateway has a writer instead")
    loop = FoldingLoop(settings.database_url)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, loop.stop)
    calm_collector()
    await loop.run()


def main() -> None:
    """Fold until a signal."""
    logging.basicConfig(level=logging.INFO)
    os.nice(NICENESS)
    uvloop.run(_fold(Settings.from_environment(data_dir=Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
