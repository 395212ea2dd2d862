"""The demo's processes: a gateway of its own, LiteLLM beside it, and the verifier."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.children import Child, ChildFailed, ChildSpec
from gateway.demo import calls
from gateway.demo.api import DemoFailed
from gateway.embedded import AlreadyRunning, DataDirectory, read_secrets

HOST = "127.0.0.1"
MARK = "made-by-demo"
READY_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 60
CALLS_TIMEOUT_SECONDS = 120
PRIVATE_DIRECTORY = 0o700


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that is ready. `url` has no slash at the end."""

    url: str
    admin_key: str
    data_dir: Path


def fresh_directory(path: Path) -> Path:
    """Return an empty directory; only what an earlier demo made is deleted.

    Raises `DemoFailed` when it holds something else, or when a demo is still running in it.
    """
    path = path.resolve()
    if path.exists() and any(path.iterdir()):
        if not (path / MARK).exists():
            message = f"{path} holds files that no demo made; name another one with --data-dir"
            raise DemoFailed(message)
        try:
            DataDirectory(path).close()
        except AlreadyRunning as error:
            raise DemoFailed(str(error)) from None
        shutil.rmtree(path)
    # the one above may be the data directory of `make serve`, which is private
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    (path / MARK).touch()
    return path


@dataclass(frozen=True, slots=True)
class LiteLLM:
    """An interpreter that has LiteLLM, told to report usage of events `code` to a gateway."""

    python: Path
    running: Running
    api_key: str
    code: str


@asynccontextmanager
async def gateway(data_dir: Path, port: int) -> AsyncIterator[Running]:
    """Run `tallygate serve` until the block ends; `port` 0 takes a free one.

    It sees no variable of ours, so that it is embedded whatever deployment this shell points at.
    Raises `DemoFailed` when it does not become ready.
    """
    port = port or free_port()
    url = f"http://{HOST}:{port}"
    tallygate = str(Path(sys.executable).with_name("tallygate"))
    command = (tallygate, "serve", "--port", str(port), "--data-dir", str(data_dir))
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def ready() -> bool:
            with suppress(httpx.HTTPError):
                return (await client.get("/health/ready")).is_success
            return False

        spec = ChildSpec(
            name="the gateway",
            command=command,
            ready=ready,
            log_path=data_dir / "gateway.log",
            environment=environment(data_dir, TALLYGATE_PUBLIC_URL=url),
            ready_timeout_seconds=READY_TIMEOUT_SECONDS,
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
        )
        child = Child(spec)
        try:
            await child.start()
        except ChildFailed as error:
            raise DemoFailed(str(error)) from None
    try:
        secrets = read_secrets(data_dir)
        if secrets is None:
            message = f"the gateway made no secrets in {data_dir}"
            raise DemoFailed(message)
        yield Running(url, secrets.admin_key, data_dir)
    finally:
        await child.stop()


async def litellm_calls(
    through: LiteLLM, wanted: list[dict[str, Any]], told: Callable[[], None]
) -> list[dict[str, Any]]:
    """Make the calls in a process of their own and return what LiteLLM says they used.

    `told` is called after each call. Raises `DemoFailed` when LiteLLM fails.
    """
    data_dir = through.running.data_dir
    log_path = data_dir / "litellm.log"
    variables = environment(
        data_dir,
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LAGO_API_BASE=through.running.url,
        LAGO_API_KEY=through.api_key,
        LAGO_API_EVENT_CODE=through.code,
        LAGO_API_CHARGE_BY="user_id",
    )
    with log_path.open("wb") as log:
        # isolated: neither this directory nor anything of the user's is importable by accident
        process = await asyncio.create_subprocess_exec(
            *(str(through.python), "-I", calls.__file__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=variables,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(CALLS_TIMEOUT_SECONDS):
            used = await _talk(process, wanted, told)
            status = await process.wait()
    except TimeoutError:
        message = f"LiteLLM did not finish in {CALLS_TIMEOUT_SECONDS} s, see {log_path}"
        raise DemoFailed(message) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0 or len(used) != len(wanted):
        tail = log_path.read_text(errors="replace")[-2000:].strip()
        message = f"LiteLLM ended with {status} after {len(used)} calls: {tail}"
        raise DemoFailed(message)
    return used


async def _talk(
    process: asyncio.subprocess.Process, wanted: list[dict[str, Any]], told: Callable[[], None]
) -> list[dict[str, Any]]:
    if process.stdin is None or process.stdout is None:
        message = "the pipes to LiteLLM are missing"
        raise DemoFailed(message)
    with suppress(ConnectionError):  # it has ended already: its status says why
        process.stdin.write(json.dumps(wanted).encode())
        await process.stdin.drain()
    process.stdin.close()
    used = []
    async for line in process.stdout:
        used.append(json.loads(line))
        told()
    return used


async def verify(running: Running) -> str:
    """Run `tallygate verify` on the data and return its last line; raises `DemoFailed`."""
    tallygate = Path(sys.executable).with_name("tallygate")
    process = await asyncio.create_subprocess_exec(
        *(str(tallygate), "verify", "--data-dir", str(running.data_dir)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(running.data_dir),
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise DemoFailed(output.decode(errors="replace").strip())
    return output.decode().strip().splitlines()[-1]


def require_litellm(python: Path) -> None:
    """Raise `DemoFailed` unless an interpreter has LiteLLM."""
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('litellm') is None)"
    # found, not imported: that takes seconds
    if subprocess.run([str(python), "-I", "-c", look], check=False).returncode != 0:  # noqa: S603 - the user's own choice of interpreter
        message = (
            f"{python} has no LiteLLM. `make demo` installs it; without make: "
            f"{python} -m pip install -c constraints.txt -e '.[embedded,demo]'"
        )
        raise DemoFailed(message)


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the whole environment of a child: nothing of ours goes through."""
    return {"HOME": str(home), "LANG": "C.UTF-8", "PATH": os.defpath, **variables}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
