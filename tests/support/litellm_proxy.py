"""The real LiteLLM, installed once into an environment of its own, and its proxy as a process.

Its `proxy` extra needs a licence and versions that are not ours: a tool of the tests, never a
dependency (`docs/rules/connectors-litellm.md` 1.1).
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from billing_core.clock import monotonic
from tests.support.gateway import ROOT, child_environment, free_port

PLACE = ROOT / ".cache" / "litellm-proxy"
MASTER_KEY = "sk-of-the-proxy"
INSTALL_TIMEOUT_SECONDS = 900
READY_TIMEOUT_SECONDS = 120
STOP_TIMEOUT_SECONDS = 30
LOG_TAIL = 4000


def pinned_version() -> str:
    """Return the version of LiteLLM that the project is tested with."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    (version,) = [line.partition("==")[2] for line in lines if line.startswith("litellm==")]
    return version


def litellm_python() -> Path:
    """Return an interpreter that has LiteLLM and its proxy; made once, then reused.

    CI installs it, and fails where it cannot. Elsewhere nobody waits minutes for 700 MB unasked:
    the calling test is skipped until `CI=true` installed it once.
    """
    version = pinned_version()
    place = PLACE / version
    place.mkdir(parents=True, exist_ok=True)
    python, complete = place / "bin" / "python", place / "complete"
    with (PLACE / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be installing it at this moment
        if not complete.exists():
            if not os.environ.get("CI"):  # noqa: TID251 - the one thing a test run may be told
                pytest.skip("LiteLLM's proxy (700 MB) is not installed: run once with CI=true")
            _install(place, python, version)
            complete.touch()
    return python


def _install(place: Path, python: Path, version: str) -> None:
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    commands = (
        (sys.executable, "-m", "venv", place),
        (*pip, f"litellm[proxy]=={version}"),
    )
    for command in commands:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and a pinned package
                [str(word) for word in command],
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_TIMEOUT_SECONDS,
            )
            told = "" if done.returncode == 0 else (done.stdout + done.stderr)[-LOG_TAIL:]
        except subprocess.TimeoutExpired:
            told = f"not finished after {INSTALL_TIMEOUT_SECONDS} s"
        if told:
            reason = f"LiteLLM's proxy {version} cannot be installed here: {told}"
            if os.environ.get("CI"):  # noqa: TID251 - CI may not skip
                pytest.fail(reason)
            pytest.skip(reason)


def python_with_litellm() -> Path:
    """Return an interpreter that has the library: ours after `make demo`, else the proxy's."""
    if find_spec("litellm") is not None:
        return Path(sys.executable)
    return litellm_python()


class Proxy:
    """A proxy that is ready; `log` is where it writes."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def client(self) -> httpx.Client:
        """Return a client with the master key."""
        headers = {"Authorization": f"Bearer {MASTER_KEY}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@contextmanager
def serving(
    directory: Path, config: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[Proxy]:
    """Run the proxy with a configuration and these environment variables; no network is used."""
    python = litellm_python()
    path, log_path = directory / "litellm.yaml", directory / "litellm.log"
    path.write_text(yaml.safe_dump({**config, "general_settings": {"master_key": MASTER_KEY}}))
    port = free_port()
    proxy = Proxy(f"http://127.0.0.1:{port}", log_path)
    address = ("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the environment made above
            [str(python.with_name("litellm")), "--config", str(path), *address],
            cwd=directory,
            env=child_environment({"LITELLM_LOCAL_MODEL_COST_MAP": "True", **variables}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, proxy)
        yield proxy
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], proxy: Proxy) -> None:
    deadline = monotonic() + READY_TIMEOUT_SECONDS
    while monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{proxy.url}/health/liveliness", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    told = f"the proxy is not ready:\n{proxy.log[-LOG_TAIL:]}"
    raise AssertionError(told)
