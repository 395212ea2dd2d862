"""A real gateway in a process of its own, and organizations that live in it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from billing_core.clock import monotonic

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60
STOP_SECONDS = 40
COMMAND_SECONDS = 120
MAIN = (sys.executable, "-c", "from gateway.cli import main; main()")
LOG_TAIL = 6000


def free_port() -> int:
    """Return a port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without settings of the product, and with these."""
    inherited = os.environ.items()  # noqa: TID251 - a child process needs PATH and the like
    return {**{k: v for k, v in inherited if not k.startswith("TALLYGATE_")}, **extra}


def decoded(answer: httpx.Response) -> Any:
    """Decode a body, its fractions as exact decimals; None when there is none."""
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    if not answer.content:
        return None
    return json.loads(answer.text, parse_float=Decimal) if is_json else answer.text


class Org:
    """One organization and a client with its API key. Paths begin below `/api/v1`."""

    def __init__(self, url: str, created: Mapping[str, Any]) -> None:
        self.url = url
        self.fields: dict[str, Any] = dict(created["organization"])
        self.id = str(self.fields["lago_id"])
        self.key = str(created["api_key"])
        self.http = httpx.Client(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Send a request that must be answered with `status`; return the decoded body."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return decoded(answer)

    def get(self, path: str, status: int = 200) -> Any:
        """GET."""
        return self.call("GET", path, None, status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """POST."""
        return self.call("POST", path, body, status)

    def put(self, path: str, body: Any = None, status: int = 200) -> Any:
        """PUT."""
        return self.call("PUT", path, body, status)

    def delete(self, path: str, status: int = 200) -> Any:
        """DELETE."""
        return self.call("DELETE", path, None, status)

    def clock(self, instant: str, *, catch_up: bool = False) -> None:
        """Freeze the organization's time; with `catch_up` run what falls due on the way."""
        self.post("/test_clock", {"test_clock": {"frozen_time": instant, "catch_up": catch_up}})

    def run(self, job: str) -> None:
        """Run one scheduled job now."""
        self.post("/test_clock/run", {"job": job})

    def drain(self) -> None:
        """Wait for the background work that is due."""
        self.post("/test_clock/drain")


class Gateway:
    """A gateway of one data directory; the same port and environment at every start.

    `database_url` None means embedded. The log of all its runs is `<data_dir>.log`.
    """

    def __init__(
        self,
        data_dir: Path,
        database_url: str | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.data_dir = data_dir
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        database = {"TALLYGATE_DATABASE_URL": database_url} if database_url else {}
        self.environment = child_environment({**database, **(environment or {})})
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._clients = ExitStack()

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None, "the gateway was never started"
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        path = self.data_dir.with_suffix(".log")
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets it made for itself."""
        found: dict[str, str] = json.loads((self.data_dir / "secrets.json").read_text())
        return found

    @property
    def admin_key(self) -> str:
        """The admin key, from the environment or made by itself."""
        return self.environment.get("TALLYGATE_ADMIN_KEY") or self.secrets["admin_key"]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clients.close()
        if self._process is None or self._process.poll() is not None:
            return
        if kind is None:
            self.stop()
        else:
            self.kill()

    def launch(self) -> Self:
        """Start the process without waiting for it."""
        command = (*MAIN, "serve", "--port", str(self.port), "--data-dir", str(self.data_dir))
        with self.data_dir.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*command, *self._arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def start(self) -> Self:
        """Start the process and wait until it is ready."""
        self.launch()
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Poll `/health/ready`; fails with the log when the process ends or time is up."""
        assert self._process is not None, "the gateway was never started"
        deadline = monotonic() + READY_SECONDS
        while monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        told = f"the gateway is not ready:\n{self.log[-LOG_TAIL:]}"
        raise AssertionError(told)

    def kill(self) -> None:
        """SIGKILL: nothing can be finished."""
        assert self._process is not None, "the gateway was never started"
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """SIGTERM, which must end in an orderly exit."""
        assert self._process is not None, "the gateway was never started"
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(STOP_SECONDS)
        assert status == 0, f"exit status {status}:\n{self.log[-LOG_TAIL:]}"

    def wait(self) -> int:
        """Wait for the process to end by itself; return its exit status."""
        assert self._process is not None, "the gateway was never started"
        return self._process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Stop if it runs, and start again."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self.start()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `tallygate` command on the same data; its streams are captured."""
        return subprocess.run(  # noqa: S603 - our own interpreter and module
            [*MAIN, *arguments, "--data-dir", str(self.data_dir)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )

    def verify(self) -> None:
        """`tallygate verify` must find that everything adds up."""
        told = self.command("verify")
        assert told.returncode == 0, told.stdout + told.stderr
        assert told.stdout.splitlines()[-1] == "Everything adds up."

    def admin(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Call `/admin…` with the admin key."""
        headers = {"X-Admin-API-Key": self.admin_key}
        answer = httpx.request(
            method, f"{self.url}/admin{path}", json=body, headers=headers, timeout=60
        )
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return decoded(answer)

    def organization(self, name: str = "Acme", **fields: Any) -> Org:
        """Create an organization, in the sandbox unless `sandbox=False`."""
        body = {"organization": {"name": name, "sandbox": True, **fields}}
        org = Org(self.url, self.admin("POST", "/organizations", body))
        self._clients.callback(org.http.close)
        return org
