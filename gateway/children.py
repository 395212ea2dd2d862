"""Child processes that live and die with ours: started, watched, restarted and stopped."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from billing_core.clock import monotonic

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.02
SHORTEST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 10.0
SETTLED_SECONDS = 60.0
LOG_TAIL_BYTES = 2000

# Runs between fork and the real program, keeping the pid: code between fork and exec in a process
# with threads may deadlock, a fresh interpreter cannot. The parent may die before `prctl` is
# called, hence the second look.
LAUNCHER = """
import ctypes, os, signal, sys
os.umask(0o077)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""

Ready = Callable[[], Awaitable[bool]]


class ChildFailed(Exception):  # noqa: N818 - says what is the case
    """A child process ended or stayed silent instead of becoming ready."""

    def __init__(self, name: str, returncode: int | None, tail: str) -> None:
        how = "was not ready in time" if returncode is None else f"ended with {returncode}"
        super().__init__(f"{name} {how}; its last words: {tail.strip() or '(none)'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run. `environment` None inherits ours; output is appended to `log_path`.

    `ready` is asked every few milliseconds after a start and must not raise for "not yet".
    """

    name: str
    command: Sequence[str]
    ready: Ready
    log_path: Path
    environment: Mapping[str, str] | None = None
    ready_timeout_seconds: float = 30
    stop_timeout_seconds: float = 10


class Child:
    """One supervised process, restarted with a growing pause whenever it ends unasked.

    It has a session of its own, so Ctrl-C reaches only us and we stop it in our order. On Linux it
    gets SIGTERM when the *thread* that called `start` ends, however that happens: start it from the
    event loop of the main thread. Its files are created with umask 077.
    """

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The pid while it runs, else None."""
        return self._process.pid if self._process and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether the process exists; it may still be getting ready after a restart."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, wait until it is ready and watch it from then on; raises `ChildFailed`."""
        await self._launch()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"watch {self.spec.name}")

    async def stop(self) -> None:
        """Send SIGTERM, after `stop_timeout_seconds` SIGKILL; returns when it is gone."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None
        await self._end()

    async def _launch(self) -> None:
        with self._open_log() as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid())),
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.spec.environment,
                start_new_session=True,
            )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self._end()
            raise

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = monotonic() + self.spec.ready_timeout_seconds
        while True:
            if process.returncode is not None:
                raise ChildFailed(self.spec.name, process.returncode, self._tail())
            if await self.spec.ready():
                return
            if monotonic() > deadline:
                raise ChildFailed(self.spec.name, None, self._tail())
            await asyncio.sleep(POLL_SECONDS)

    async def _supervise(self) -> None:
        pause_seconds = SHORTEST_BACKOFF_SECONDS
        while self._process is not None:
            ready_at = monotonic()
            returncode = await self._process.wait()
            if monotonic() - ready_at > SETTLED_SECONDS:
                pause_seconds = SHORTEST_BACKOFF_SECONDS
            logger.warning("%s ended with %s, starting it again", self.spec.name, returncode)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_BACKOFF_SECONDS)
            try:
                await self._launch()
            except (ChildFailed, OSError):
                # The loop finds the process ended and tries again after a longer pause.
                logger.exception("%s could not be started again", self.spec.name)
            else:
                self.restarts += 1

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_timeout_seconds)
        except TimeoutError:
            logger.warning("%s ignored SIGTERM and is killed", self.spec.name)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _open_log(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(self.spec.log_path, flags, 0o600), "ab")

    def _tail(self) -> str:
        with self.spec.log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")
