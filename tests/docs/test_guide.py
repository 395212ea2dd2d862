"""Runs the guides' shell blocks against a real embedded gateway and compares what they print."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
GUIDE_ADDRESS = "http://127.0.0.1:8000"
TALLYGATE = Path(sys.executable).with_name("tallygate")
STOP_TIMEOUT_SECONDS = 60
GUIDE_TIMEOUT_SECONDS = 300
BLOCK = re.compile(r"^```(?P<kind>bash|text)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
BORDER = "=== end of block ==="


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def script_and_expected(guide: Path, address: str) -> tuple[str, list[str | None]]:
    """Return one script of all bash blocks, and per block what it must print, if the guide says."""
    script = ["set -euo pipefail"]
    expected: list[str | None] = []
    for block in BLOCK.finditer(guide.read_text()):
        if block["kind"] == "bash":
            script += [block["body"].replace(GUIDE_ADDRESS, address), f"echo '{BORDER}'"]
            expected.append(None)
        else:
            assert expected, "an output box without a block above it"
            assert expected[-1] is None, "two output boxes for one block"
            expected[-1] = block["body"]
    return "\n".join(script), expected


@contextmanager
def serving(directory: Path, port: int) -> Iterator[None]:
    """Run the gateway as the guide does; readiness is the guide's own first block."""
    log = directory / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - our own command with our own arguments
            [str(TALLYGATE), "serve", "--port", str(port), "--data-dir", ".tallygate"],
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        except BaseException:
            print(log.read_text(errors="replace")[-4000:])  # noqa: T201 - pytest shows it on failure
            raise
        finally:
            server.terminate()
            status = server.wait(timeout=STOP_TIMEOUT_SECONDS)
    assert status == 0, "serve must end cleanly on SIGTERM"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Return the directory and the address of a gateway that was started as the guides say."""
    directory, port = tmp_path_factory.mktemp("guides"), free_port()
    with serving(directory, port):
        yield directory, f"http://127.0.0.1:{port}"


def follow(name: str, served: tuple[Path, str]) -> int:
    """Run a guide and compare what it prints; return how many blocks say what they print."""
    directory, address = served
    bash = shutil.which("bash")
    assert bash, "the guides need bash"
    script, expected = script_and_expected(GUIDES / name, address)
    finished = subprocess.run(  # noqa: S603 - the guide is part of this repository
        [bash, "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=GUIDE_TIMEOUT_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    printed = finished.stdout.split(f"{BORDER}\n")[:-1]
    assert len(printed) == len(expected)
    for found, wanted in zip(printed, expected, strict=True):
        if wanted is not None:
            assert found == wanted
    return sum(wanted is not None for wanted in expected)


def test_first_invoice(served: tuple[Path, str]) -> None:
    assert follow("first-invoice.md", served) >= 6
    assert (served[0] / "invoice.pdf").read_bytes().startswith(b"%PDF-")


def test_a_subscriptions_life(served: tuple[Path, str]) -> None:
    assert follow("subscription-life.md", served) >= 7
